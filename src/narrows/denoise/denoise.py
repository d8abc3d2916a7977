"""Pictures, as arrays, cleaned by a denoiser that needs no training by the user.

A denoiser is a function of one picture `(1, C, H, W)`, float32 in units of white, C 1 or 3, and its
noise; it returns the picture without. Here are the layouts, types and levels around it: alpha is set
aside and put back, and what comes back has the shape, the type and the levels that came. Integers are
rounded and clipped; floats are neither, so that values beyond black and white stay.
"""

from collections.abc import Callable
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from narrows.choose import find_part
from narrows.denoise.non_local import non_local_ridge
from narrows.errors import ImageError, wrong
from narrows.image_inputs import as_images
from narrows.levels import Levels, from_unit_values, levels_of, unit_values
from narrows.measure.noise import NoiseLine, estimate_noise, noise_correlation, plain_noise

Denoiser = Callable[[Tensor, NoiseLine], Tensor]
DEFAULT = "ridge"
LEAST_SIGMA = 1e-4  # a fortieth of a step of 8 bits; with less noise a picture is left as it is
DENOISERS: dict[str, Denoiser] = {"ridge": non_local_ridge}


class Denoised(NamedTuple):
    """A picture as it came, `(H, W)` or `(H, W, C)`, the noise that was taken out, and, if it was
    estimated, the correlation of neighbours `(1, C, 2)`.
    """

    pixels: np.ndarray
    noise: NoiseLine
    correlation: Tensor | None


class Options(NamedTuple):
    """What `denoise` is asked for; see there."""

    model: str | None = None
    sigma: float | None = None
    strength: float = 1.0


Report = Callable[[Denoised], Any]  # what gets each result


def denoise(
    images: Any, model: str | None = None, *, sigma: float | None = None, strength: float = 1.0
) -> np.ndarray:
    """Images without their noise, in the shape and type in which they came.

    images: `(N, H, W)` or `(N, H, W, C)`, C 1 to 4, or what else `image_inputs` takes; any size from
    1 pixel, integers or floats, also beyond [0, 1].
    model: the name of a denoiser: "ridge", the non-local ridge, by default.
    sigma: standard deviation of the noise, from black = 0 to white = 1; None: estimated for each
    image and channel, as a line of its brightness (`narrows.measure.noise`).
    strength: by which the noise's standard deviation is multiplied; more than 1 smooths more.

    Raises `ImageError` for NaN and infinity, or a table `(N, D)`; `BuildError`; `UnknownName`.
    """
    array, layout = as_images(images)
    return denoise_array(array, layout.levels, Options(model, sigma, strength))


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
    model, sigma, strength = options
    denoiser = find_part("denoiser", DENOISERS, model or DEFAULT)[0]
    _check_number("sigma", sigma or 0.0)
    _check_number("strength", strength)
    _check_values(pixels)
    unit = unit_values(np.atleast_3d(pixels), levels)
    colours = unit.shape[2] - (unit.shape[2] in (2, 4))  # without alpha
    images = torch.from_numpy(unit[..., :colours]).permute(2, 0, 1)[None].contiguous()
    noise, correlation = _noise_of(images, sigma)
    noise = noise.times(strength)
    clean = pixels.copy()
    if float(noise.sigma.max()) >= LEAST_SIGMA:
        with torch.no_grad():
            unit = denoiser(images, noise)[0].permute(1, 2, 0).numpy()
        came = _as_came(unit, pixels.dtype, levels or levels_of(pixels.dtype))
        clean.reshape(*pixels.shape[:2], -1)[..., :colours] = came
    return Denoised(clean, noise, correlation)


def _noise_of(images: Tensor, sigma: float | None) -> tuple[NoiseLine, Tensor | None]:
    if sigma is not None:
        return plain_noise(images, sigma), None
    return estimate_noise(images), noise_correlation(images)


def _check_values(pixels: np.ndarray) -> None:
    count = pixels.size - np.count_nonzero(np.isfinite(pixels))
    if count:
        raise ImageError(f"values that are NaN or infinity: {count}; replace them first")


def _check_number(name: str, value: float) -> None:
    if not (isfinite(value) and value >= 0):
        raise wrong(name, value, "a finite number, 0 or more")


def _as_came(unit: np.ndarray, dtype: np.dtype, levels: Levels) -> np.ndarray:
    """Units of white as values of a type: integers rounded and clipped, floats as they are."""
    if dtype.kind == "f":
        return (unit * levels.span + levels.black).astype(dtype)
    return from_unit_values(unit, dtype, levels)
