"""Pictures, as arrays, cleaned by a denoiser that needs no training by the user, or by a network that
takes pictures of any size.

A denoiser is a function of one picture `(1, C, H, W)`, float32 in units of white, C 1 or 3, and its
noise; it returns the picture without. Here are the layouts, types and levels around it: alpha is set
aside and put back, and what comes back has the shape, the type and the levels that came. Integers are
rounded and clipped; floats are neither, so that values beyond black and white stay. Large pictures
go tile by tile, each with the margin that its result depends on.

The mean over the eight rotations and reflections T of a square, 1/8 Σ_T T⁻¹ f(T x), has a smaller
error than f(x), at eight times the work (`best`).
"""

from collections.abc import Callable
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from narrows.choose import find_part
from narrows.denoise import non_local
from narrows.denoise.denoiser import Apply, Denoiser
from narrows.denoise.margins import tiles
from narrows.denoise.photo import of_model, photo
from narrows.errors import ImageError, wrong
from narrows.image_inputs import as_images
from narrows.levels import Levels, from_unit_values, levels_of, unit_values
from narrows.measure.noise import NoiseLine, estimate_noise, noise_correlation, plain_noise

DEFAULT = "ridge"
LEAST_SIGMA = 1e-4  # a fortieth of a step of 8 bits; with less noise a picture is left as it is
MOST_PIXELS, BANDS = (
    2_000_000,
    16,
)  # from which the noise is estimated; of rows, of a larger picture


def ridge() -> Denoiser:
    """The non-local ridge."""
    return Denoiser(non_local.non_local_ridge, non_local.TILE, non_local.MARGIN)


DENOISERS: dict[str, Callable[[], Denoiser]] = {"ridge": ridge, "photo": photo}


def denoiser_of(model: Any) -> Denoiser:
    """The denoiser of that name; None: the ridge; of a fitted model, its network.

    Raises `UnknownName`, and `BuildError` for a model whose network is not given the noise.
    """
    if model is None or isinstance(model, str):
        return find_part("denoiser", DENOISERS, model or DEFAULT)[0]()
    return of_model(model)


class Denoised(NamedTuple):
    """A picture as it came, `(H, W)` or `(H, W, C)`, the noise that was taken out, and, if it was
    estimated, the correlation of neighbours `(1, C, 2)`.
    """

    pixels: np.ndarray
    noise: NoiseLine
    correlation: Tensor | None


class Options(NamedTuple):
    """What `denoise` is asked for; see there."""

    model: Any = None
    sigma: float | None = None
    strength: float = 1.0
    best: bool = False


Report = Callable[[Denoised], Any]  # what gets each result


def denoise(
    images: Any,
    model: Any = None,
    *,
    sigma: float | None = None,
    strength: float = 1.0,
    best: bool = False,
) -> np.ndarray:
    """Images without their noise, in the shape and type in which they came.

    images: `(N, H, W)` or `(N, H, W, C)`, C 1 to 4, or what else `image_inputs` takes; any size from
    1 pixel, integers or floats, also beyond [0, 1].
    model: the name of a denoiser: "ridge", the non-local ridge, by default; "photo", the network that
    comes with the package; or a fitted model such as `recipe("denoiser-photo")`.
    sigma: standard deviation of the noise, from black = 0 to white = 1; None: estimated for each
    image and channel, as a line of its brightness (`narrows.measure.noise`).
    strength: by which the noise's standard deviation is multiplied; more than 1 smooths more.
    best: take the mean over eight rotations and reflections, which takes eight times as long.

    Raises `ImageError` for NaN and infinity, or a table `(N, D)`; `BuildError`; `UnknownName`.
    """
    array, layout = as_images(images)
    return denoise_array(array, layout.levels, Options(model, sigma, strength, best))


def denoise_array(
    images: np.ndarray,
    levels: Levels | None = None,
    options: Options = Options(),  # noqa: B008 (it cannot be changed)
    report: Report = lambda denoised: None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Images `(N, H, W)` or `(N, H, W, C)` without their noise, one after another; see `denoise`.

    levels: of black and white; None: those of their type. report: gets each result. out: the array to
    write into, of their shape and type, which may be a map of a file.
    """
    if images.ndim == 2:
        raise ImageError(
            f"got a table of shape {images.shape}, expected images (N, H, W) or (N, H, W, C); "
            "a single image x goes in as x[None]"
        )
    if out is None:
        out = np.empty_like(images)
    for image, result in zip(images, out):
        denoised = denoise_picture(image, levels, options)
        result[...] = denoised.pixels
        report(denoised)
    return out


def denoise_picture(
    pixels: np.ndarray,
    levels: Levels | None = None,
    options: Options = Options(),  # noqa: B008 (it cannot be changed)
) -> Denoised:
    """One picture `(H, W)` or `(H, W, C)` without its noise; see `denoise`.

    levels: of black and white; None: those of its type.
    """
    denoiser = denoiser_of(options.model)
    if options.best:
        denoiser = denoiser._replace(apply=mean_of_flips(denoiser.apply))
    _check(pixels, options)
    clean = np.atleast_3d(pixels).copy()
    came, result = without_alpha(np.atleast_3d(pixels)), without_alpha(clean)  # parts of them
    noise, correlation = _noise_of(_images(bands_of(came), levels), options.sigma)
    noise = noise.times(options.strength)
    if float(noise.sigma.max()) >= LEAST_SIGMA:
        _denoise_tiles(denoiser, noise, came, result, levels)
    return Denoised(clean.reshape(pixels.shape), noise, correlation)


@torch.no_grad()
def _denoise_tiles(
    denoiser: Denoiser,
    noise: NoiseLine,
    came: np.ndarray,
    clean: np.ndarray,
    levels: Levels | None,
) -> None:
    """Write a picture `(H, W, C)` without its noise into `clean`."""
    height, width = came.shape[:2]
    for tile in tiles(height, width, denoiser.side, denoiser.margin):
        result = denoiser.apply(_images(came[tile.with_margin], levels), noise)
        unit = result[0].permute(1, 2, 0).numpy()[tile.inside]
        clean[tile.place] = _as_came(unit, clean.dtype, levels)


def without_alpha(picture: np.ndarray) -> np.ndarray:
    """The channels of a picture `(H, W, C)` but that of transparency, which two and four channels have."""
    return picture[..., : picture.shape[2] - (picture.shape[2] in (2, 4))]


def _images(pixels: np.ndarray, levels: Levels | None) -> Tensor:
    """A picture `(H, W, C)` as a denoiser takes it."""
    return torch.from_numpy(unit_values(pixels, levels)).permute(2, 0, 1)[None].contiguous()


def bands_of(picture: np.ndarray) -> np.ndarray:
    """The picture `(H, W, C)` itself, or evenly spaced bands of its rows, with `MOST_PIXELS` about."""
    height, width = picture.shape[:2]
    rows = MOST_PIXELS // (BANDS * width) + 1
    if height * width <= MOST_PIXELS or rows * BANDS >= height:
        return picture
    starts = np.linspace(0, height - rows, BANDS).astype(int)
    return np.concatenate([picture[start : start + rows] for start in starts])


def mean_of_flips(apply: Apply) -> Apply:
    """1/8 Σ_T T⁻¹ f(T x)."""

    def mean(images: Tensor, noise: NoiseLine) -> Tensor:
        total = torch.zeros_like(images)
        for turns in range(4):
            for axes in ((), (3,)):
                turned = torch.rot90(images, turns, (2, 3)).flip(axes).contiguous()
                total += torch.rot90(apply(turned, noise).flip(axes), -turns, (2, 3))
        return total / 8

    return mean


def _noise_of(images: Tensor, sigma: float | None) -> tuple[NoiseLine, Tensor | None]:
    if sigma is not None:
        return plain_noise(images, sigma), None
    return estimate_noise(images), noise_correlation(images)


def _check(pixels: np.ndarray, options: Options) -> None:
    """Raises `BuildError` for such options, `ImageError` for values that are not finite."""
    for name, value in (("sigma", options.sigma or 0.0), ("strength", options.strength)):
        if not (isfinite(value) and value >= 0):
            raise wrong(name, value, "a finite number, 0 or more")
    count = pixels.size - np.count_nonzero(np.isfinite(pixels))
    if count:
        raise ImageError(f"values that are NaN or infinity: {count}; replace them first")


def _as_came(unit: np.ndarray, dtype: np.dtype, levels: Levels | None) -> np.ndarray:
    """Units of white as values of a type: integers rounded and clipped, floats as they are."""
    levels = levels or levels_of(dtype)
    if dtype.kind == "f":
        return (unit * levels.span + levels.black).astype(dtype)
    return from_unit_values(unit, dtype, levels)
