"""How well a picture was denoised, without the truth.

*The error.* For y = x + n with independent Gaussian noise of variance v, and any denoiser f, the mean squared
error to the unknown x is, up to what chance does to a picture of many pixels (Stein's unbiased risk
estimate),

    mean (f(y) - y)² - mean v + 2 mean v ∂f/∂y,     ∂f/∂y ≈ b (f(y + s b) - f(y)) / s,   b = ±1 at random

v is estimated (`narrows.measure.noise`). PSNR follows from it; it is too high or too low as far as v is.
Pixels near black and white are left out if noise was clipped there; then it can be off by 3 dB.

*What was removed.* y - f(y) should be the noise and nothing else: as strong as that, and white. White
noise has the same power at all frequencies; edges and texture that were removed as well do not:

    whiteness = exp(mean log P) / mean P       P: power of blocks of 16 x 16, averaged, without its mean

is 1 for white noise. The correlation of neighbours is 0 for it.

References: C. Stein, "Estimation of the mean of a multivariate normal distribution", Ann. Statist.
9(6), 1981, https://doi.org/10.1214/aos/1176345632; S. Ramani et al., "Monte-Carlo SURE", IEEE TIP
17(9), 2008, https://doi.org/10.1109/TIP.2008.2001404.
"""

from collections.abc import Callable
from math import log10
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from narrows.denoise.denoise import Options, denoise_array
from narrows.measure.noise import estimate_noise
from narrows.model.use.tiles import process_tiled
from narrows.randomness import PerImageRandom

STEP = 0.1  # s, relative to the noise
BLOCK = 16  # rows and columns of a block
CLIPPED = 0.001  # share of values at an end of the range, from which noise is taken for clipped
AWAY = 2.5  # standard deviations from that end, that pixels are used from
FEWEST = 0.05  # share of pixels
ENLARGED = 4  # times, what was removed is drawn
LEAST = 1e-10  # mean squared error that is reported: 100 dB
Clean = Callable[[np.ndarray], np.ndarray]  # of a picture (H, W, C) on [0, 1]


class Quality(NamedTuple):
    """Of one picture. Standard deviations are those of 255 levels, averaged over channels.

    noise: estimated. left: estimated in the result. removed: of what was removed. whiteness, rows,
    columns: of what was removed, see the module. psnr: estimated, dB.
    """

    noise: float
    left: float
    removed: float
    whiteness: float
    rows: float
    columns: float
    psnr: float


def cleaner(model: Any, options: Options) -> Clean:
    """What denoises a picture: a denoiser of that name, a network that is given the noise, or, of another
    fitted model, its own way.
    """
    if not isinstance(model, str) and model.margin_ is None:
        return lambda picture: process_tiled(model, picture[None], "denoise")[0]
    return lambda picture: denoise_array(picture[None], options=options._replace(model=model))[0]


def assess(noisy: np.ndarray, clean: Clean) -> tuple[np.ndarray, Quality]:
    """The result for a noisy picture `(H, W, C)`, float32 on [0, 1], and how good it is."""
    result = clean(noisy)
    y, found = _tensor(noisy), _tensor(result)
    line = estimate_noise(y)
    removed = y - found
    row, column = correlations(removed).tolist()
    quality = Quality(
        noise=_in_levels(line.sigma),
        left=_in_levels(estimate_noise(found).sigma),
        removed=_in_levels(removed.std((2, 3), correction=0)),
        whiteness=whiteness(removed),
        rows=row,
        columns=column,
        psnr=-10 * log10(max(LEAST, _risk(y, found, line.variance(found), clean))),
    )
    return result, quality


def sheet(noisy: np.ndarray, result: np.ndarray) -> np.ndarray:
    """A noisy picture `(H, W, C)`, the result, and four times what was removed, around grey: uint8
    `(H, 3 W, C)`.
    """
    removed = 0.5 + ENLARGED * (noisy - result)
    side_by_side = np.concatenate([noisy, result, removed], axis=1).clip(0, 1)
    return (side_by_side * 255).round().astype(np.uint8)


def _risk(y: Tensor, found: Tensor, variance: Tensor, clean: Clean) -> float:
    """The estimate of the mean squared error."""
    size = STEP * float(variance.mean().sqrt())
    if size == 0:
        return float((found - y).square().mean())
    signs = PerImageRandom(y, "risk").normal("signs", y).sign()
    moved = _tensor(clean(_array(y + size * signs)))
    derivative = signs * (moved - found) / size
    risk = (found - y).square() - variance + 2 * variance * derivative
    return float(risk[_not_cut_off(y, found, variance.sqrt())].mean())


def _not_cut_off(y: Tensor, found: Tensor, deviation: Tensor) -> Tensor:
    """Which pixels are so far from black and white that their noise was not clipped, if any was: all,
    if too few would be left.
    """
    usable = torch.ones_like(y, dtype=torch.bool)
    if float((y == y.min()).float().mean()) > CLIPPED:
        usable &= found > y.min() + AWAY * deviation
    if float((y == y.max()).float().mean()) > CLIPPED:
        usable &= found < y.max() - AWAY * deviation
    return usable if float(usable.float().mean()) > FEWEST else torch.ones_like(usable)


def whiteness(removed: Tensor) -> float:
    """The flatness of the spectrum of what was removed, `(1, C, H, W)`, in (0, 1]."""
    side = min(BLOCK, *removed.shape[2:])
    blocks = removed.unfold(2, side, side).unfold(3, side, side)
    centred = blocks - blocks.mean((-1, -2), keepdim=True)
    power = torch.fft.fft2(centred).abs().square().mean((0, 1, 2, 3)).flatten()[1:]
    if not len(power) or float(power.max()) == 0:
        return 1.0
    return float((power + power.mean() * 1e-9).log().mean().exp() / power.mean())


def correlations(removed: Tensor) -> Tensor:
    """The correlation of neighbours in rows and in columns, `(2,)`, of what was removed `(1, C, H, W)`."""
    centred = removed - removed.mean((2, 3), keepdim=True)
    power = centred.square().mean().clamp(min=1e-12)
    across = (centred[..., 1:] * centred[..., :-1]).mean() if removed.shape[3] > 1 else power * 0
    down = (
        (centred[..., 1:, :] * centred[..., :-1, :]).mean() if removed.shape[2] > 1 else power * 0
    )
    return torch.stack([across, down]) / power


def _in_levels(deviation: Tensor) -> float:
    return 255 * float(deviation.square().mean().sqrt())


def _tensor(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].contiguous()


def _array(images: Tensor) -> np.ndarray:
    return images[0].permute(1, 2, 0).contiguous().numpy()
