"""Pictures of all sizes, one after another, and what is said of their noise."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from narrows.data.readers.picture_stream import Picture
from narrows.denoise.denoise import Denoised, Options, denoise_picture
from narrows.errors import ImageError

CORRELATED = (
    0.2  # correlation from which it is said; of independent noise on photographs 0.11 was seen
)
VISIBLE = 3 / 255  # standard deviation below which it is not, since little but texture is measured


class NoiseReport:
    """Collects what was estimated, and says it in a line or two."""

    def __init__(self) -> None:
        self.sigmas: list[float] = []
        self.growing = 0
        self.correlations: list[list[float]] = []

    def add(self, denoised: Denoised) -> None:
        """Takes the noise of a picture into the summary, if it was estimated."""
        noise, correlation = denoised.noise, denoised.correlation
        if correlation is None:
            return
        sigma = float(noise.sigma.square().mean().sqrt())
        self.sigmas.append(sigma)
        self.growing += bool((noise.gain > 0).any())
        strongest = correlation.flatten(0, 1).amax(0).tolist()
        if sigma > VISIBLE and max(strongest) > CORRELATED:
            self.correlations.append(strongest)

    def lines(self) -> Iterator[str]:
        """What to print, nothing if the noise was given."""
        if self.sigmas:
            yield f"noise estimated: {_summary(self.sigmas)}{self._growth()}; --sigma sets it"
        if self.correlations:
            rows, columns = np.max(self.correlations, axis=0)
            yield (
                f"the noise of neighbouring pixels is correlated in {len(self.correlations)} of "
                f"{len(self.sigmas)} (up to {rows:.2f} along rows, {columns:.2f} along columns): it was "
                "blurred, scaled or compressed, and only a part of it is taken out; a larger --sigma "
                "takes out more"
            )

    def _growth(self) -> str:
        if not self.growing:
            return ""
        return f", growing with brightness in {self.growing} of {len(self.sigmas)}"


def _summary(sigmas: list[float]) -> str:
    steps = np.array(sigmas) * 255
    if len(steps) == 1:
        return f"σ = {steps[0] / 255:.4f} ({steps[0]:.1f} of 255)"
    low, middle, high = np.quantile(steps, (0, 0.5, 1))
    return f"σ from {low:.1f} to {high:.1f} of 255, median {middle:.1f}, in {len(steps):,} pictures"


def denoise_pictures(
    pictures: Iterable[Picture],
    skip: Callable[[str, str], None],
    options: Options,
    report: NoiseReport,
) -> Iterator[tuple[Picture, np.ndarray]]:
    """Each picture, and its pixels without noise. One that cannot be used is skipped: `skip(name,
    reason)`.
    """
    for picture in pictures:
        try:
            denoised = denoise_picture(picture.pixels, picture.levels, options)
        except ImageError as error:
            skip(picture.name, str(error))
            continue
        report.add(denoised)
        yield picture, denoised.pixels
