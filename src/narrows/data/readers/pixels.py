"""The pixels of one picture as an array of any depth, and what is done to them before they go into a
set.

    grey            (H, W)          grey, alpha      (H, W, 2)
    colour          (H, W, 3)       colour, alpha    (H, W, 4)

of uint8, uint16, int16 or float32. Black and white are those of the type, or what the file says
(`narrows.levels`).

Sizes are changed by Lanczos' filter in floats (`resampling`), with one rounding at the end:
rounding, and clipping to the range of the type, between the filter's passes along rows and along
columns would make the result depend on which comes first. Colours are weighted by their alpha.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from narrows.data.readers.resampling import Box, Size, resample
from narrows.errors import DataError, unknown
from narrows.levels import LEVELS, Levels, levels_of

LUMA = np.array([0.299, 0.587, 0.114])  # of R, G and B: ITU-R BT.601
KEPT_TYPES = ("uint8", "uint16", "int16", "float32")
TOUCHED = 1e-3  # an alpha below is nothing


class Page(NamedTuple):
    """One picture of a file. levels: None for those of the type. mode: the file's, in Pillow's words.

    profile: the file's colour profile.
    """

    pixels: np.ndarray
    levels: Levels | None = None
    mode: str = ""
    profile: bytes | None = None


def channels_of(pixels: np.ndarray) -> int:
    """1, 2, 3 or 4: grey; grey and alpha; colour; colour and alpha."""
    return 1 if pixels.ndim == 2 else pixels.shape[2]


def common_channels(channels: Iterable[int]) -> int:
    """With how many channels pictures of these go together: 1, 3 or 4.

    Alpha is kept if all have it; else transparent pixels are laid over white.
    """
    present = set(channels)
    if present <= {2, 4}:
        return 4
    return 1 if present <= {1, 2} else 3


def with_channels(pixels: np.ndarray, channels: int, levels: Levels | None = None) -> np.ndarray:
    """The picture with 1, 2, 3 or 4 channels; alpha that is lost is laid over white."""
    if channels_of(pixels) == channels:
        return pixels
    has_alpha, keeps_alpha = channels_of(pixels) in (2, 4), channels in (2, 4)
    white = (levels or levels_of(pixels.dtype)).white
    if has_alpha and not keeps_alpha:
        pixels = _over_white(pixels, levels or levels_of(pixels.dtype))
    colours = pixels if pixels.ndim == 3 else pixels[..., None]
    alpha = colours[..., -1:] if has_alpha and keeps_alpha else None
    colours = colours[..., :-1] if alpha is not None else colours
    if channels <= 2:
        colours = to_grey(colours)[..., None]
    elif colours.shape[2] == 1:
        colours = np.repeat(colours, 3, axis=2)
    if keeps_alpha:
        opaque = np.full((*pixels.shape[:2], 1), white, pixels.dtype)
        return np.concatenate([colours, opaque if alpha is None else alpha], axis=2)
    return colours[..., 0] if channels == 1 else colours


def to_grey(colours: np.ndarray) -> np.ndarray:
    """The luma `(H, W)` of colours `(H, W, 1 or 3)`, rounded alike for all depths."""
    if colours.shape[2] == 1:
        return colours[..., 0]
    return _rounded(colours @ LUMA, colours.dtype)


def _over_white(pixels: np.ndarray, levels: Levels) -> np.ndarray:
    """Colours laid over white by their alpha, without it."""
    alpha = (pixels[..., -1:] - np.float64(levels.black)) / levels.span
    laid = alpha * pixels[..., :-1] + (1 - alpha) * levels.white
    laid = _rounded(laid, pixels.dtype)
    return laid[..., 0] if laid.shape[2] == 1 else laid


def _rounded(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Floats as that type: integers are rounded, and clipped to what the type holds."""
    if dtype.kind == "f":
        return values.astype(dtype)
    info = np.iinfo(dtype)
    return np.rint(np.clip(values, info.min, info.max)).astype(dtype)


# -- sizes ----------------------------------------------------------------------------------------


def crop_to_size(pixels: np.ndarray, size: Size, black: float) -> np.ndarray:
    """Scale until the picture covers the size, then cut the centre out."""
    (height, width), (rows, columns) = pixels.shape[:2], size
    scale = min(height / rows, width / columns)
    top, left = (height - scale * rows) / 2, (width - scale * columns) / 2
    return _resized(pixels, size, (left, top, left + scale * columns, top + scale * rows))


def pad_to_size(pixels: np.ndarray, size: Size, black: float) -> np.ndarray:
    """Scale until the picture fits into the size, then fill up with black, or transparent pixels."""
    (height, width), (rows, columns) = pixels.shape[:2], size
    scale = min(rows / height, columns / width)
    inner = max(1, round(height * scale)), max(1, round(width * scale))
    padded = np.full((*size, *pixels.shape[2:]), black, pixels.dtype)
    top, left = round((rows - inner[0]) / 2), round((columns - inner[1]) / 2)
    padded[top : top + inner[0], left : left + inner[1]] = stretch_to_size(pixels, inner, black)
    return padded


def stretch_to_size(pixels: np.ndarray, size: Size, black: float) -> np.ndarray:
    """Scale height and width separately."""
    height, width = pixels.shape[:2]
    return _resized(pixels, size, (0, 0, width, height))


FITS: dict[str, Callable[[np.ndarray, Size, float], np.ndarray]] = {  # black: what is padded with
    "crop": crop_to_size,
    "pad": pad_to_size,
    "stretch": stretch_to_size,
}


def fitter(size: Any, fit: str) -> Callable[..., np.ndarray]:
    """What brings a picture, and its levels if they are not those of its type, to `size`, (H, W) or
    one number for both; None leaves it.

    Raises `UnknownName` for a fit that is not known, `DataError` for what is not a size.
    """
    if fit not in FITS:
        raise unknown("fit", fit, FITS)
    if size is None:
        return lambda pixels, levels=None: pixels
    target = as_size(size)

    def to_size(pixels: np.ndarray, levels: Levels | None = None) -> np.ndarray:
        if pixels.shape[:2] == target:
            return pixels
        return FITS[fit](pixels, target, (levels or levels_of(pixels.dtype)).black)

    return to_size


def as_size(size: Any) -> Size:
    """(height, width) of what a user gives as a size. Raises `DataError`."""
    pair = tuple(size) if isinstance(size, Sequence) else (size, size)
    if len(pair) != 2 or not all(type(side) is int and side > 0 for side in pair):
        raise DataError(
            f"size: got {size!r}, expected (height, width) in pixels, such as size=(64, 64)"
        )
    height, width = pair
    return height, width


def _resized(pixels: np.ndarray, size: Size, box: Box) -> np.ndarray:
    """The part of a picture inside a box, at that size."""
    values = pixels
    has_alpha = channels_of(pixels) in (2, 4)
    if has_alpha:
        values = pixels.astype(np.float32)
        values[..., :-1] *= values[..., -1:]
    filtered = resample(values, size, box)
    if has_alpha:
        alpha = filtered[..., -1:]
        filtered[..., :-1] /= np.where(np.abs(alpha) > TOUCHED, alpha, np.inf)
    return _rounded(filtered, pixels.dtype)


def in_known_type(pixels: np.ndarray) -> np.ndarray:
    """The same values in a type of images. Raises `DataError` for integers beyond 16 bits."""
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype.name in KEPT_TYPES:
        return pixels
    if pixels.dtype.kind == "f":
        return pixels.astype(np.float32)
    low, high = int(pixels.min()), int(pixels.max())
    for name in ("uint16", "int16"):
        black, white = LEVELS[name]
        if black <= low and high <= white:
            return pixels.astype(name)
    raise DataError(f"its pixels are integers from {low} to {high}, beyond 16 bits")
