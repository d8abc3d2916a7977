"""One image file -> pixels, and several pictures -> one array.

A picture is brought to one of four modes: `L` (grey), `LA` (grey, alpha), `RGB`, `RGBA`. Bits and
16-bit greys become 8-bit greys (16 bits: round(v / 257)); palettes, CMYK and the rest become RGB;
what transparency a file has becomes alpha. The camera's rotation (EXIF) is applied; of an animation
the first frame is taken.

Several pictures get one mode together:

    all grey, not all with alpha    L       (N, H, W)
    else, not all with alpha        RGB     (N, H, W, 3)
    all with alpha                  RGBA    (N, H, W, 4)

Where alpha is dropped, the picture is laid over white: what is under transparent pixels is
arbitrary.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from narrows.errors import DataError, unknown
from narrows.reading import cause_of

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")
# no others, whatever an ending claims
PILLOW_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N")
RESAMPLING = Image.Resampling.LANCZOS

PillowSize = tuple[int, int]  # (width, height), as Pillow has it


def crop_to_size(picture: Image.Image, size: PillowSize) -> Image.Image:
    """Scale until the picture covers the size, then cut the centre out."""
    return ImageOps.fit(picture, size, RESAMPLING)


def pad_to_size(picture: Image.Image, size: PillowSize) -> Image.Image:
    """Scale until the picture fits into the size, then fill up with zeros (black, or transparent)."""
    return ImageOps.pad(picture, size, RESAMPLING, color=(0,) * len(picture.getbands()))


def stretch_to_size(picture: Image.Image, size: PillowSize) -> Image.Image:
    """Scale height and width separately."""
    return picture.resize(size, RESAMPLING)


FITS: dict[str, Callable[[Image.Image, PillowSize], Image.Image]] = {
    "crop": crop_to_size,
    "pad": pad_to_size,
    "stretch": stretch_to_size,
}


def fitter(size: Any, fit: str) -> Callable[[Image.Image], Image.Image]:
    """What brings a picture to `size`, (H, W) or one number for both; None leaves it.

    Raises `UnknownName` for a fit that is not known, `DataError` for what is not a size.
    """
    if fit not in FITS:
        raise unknown("fit", fit, FITS)
    if size is None:
        return lambda picture: picture
    target = _pillow_size(size)

    def to_size(picture: Image.Image) -> Image.Image:
        if picture.size == target:
            return picture
        return FITS[fit](picture, target)

    return to_size


def _pillow_size(size: Any) -> PillowSize:
    pair = tuple(size) if isinstance(size, Sequence) else (size, size)
    if len(pair) != 2 or not all(type(side) is int and side > 0 for side in pair):
        raise DataError(
            f"size: got {size!r}, expected (height, width) in pixels, such as size=(64, 64)"
        )
    height, width = pair
    return width, height


def open_picture(path: Path | IO[bytes], grey: bool = False) -> Image.Image:
    """The picture in a file, upright, in mode L, LA, RGB or RGBA; grey: L or LA. Raises what Pillow
    raises.
    """
    with Image.open(path, formats=PILLOW_FORMATS) as file:
        file.load()
        return plain(ImageOps.exif_transpose(file), grey)


def reason_of(error: Exception) -> str:
    """Why a file could not be read, in a few words. Raises `Shortage` if the file is not to blame."""
    if isinstance(error, UnidentifiedImageError):
        return "it is not an image of a known kind, or is damaged"
    if isinstance(error, Image.DecompressionBombError):
        return f"it is too large, and may be meant to fill the memory ({error})"
    return cause_of(error)


def plain(picture: Image.Image, grey: bool = False) -> Image.Image:
    """A picture of any mode in mode L, LA, RGB or RGBA; grey: in L or LA."""
    if picture.mode == "F":
        raise ValueError("its pixels are floats, whose range is not known")
    if picture.mode.startswith("I"):
        return _from_16_bits(picture)
    mode = "L" if grey or picture.mode in GREY_MODES else "RGB"
    if picture.has_transparency_data:
        mode += "A"
    return picture.convert(mode)


def common_mode(modes: set[str]) -> str:
    """The mode in which pictures of these modes go together: L, RGB or RGBA."""
    if all(mode.endswith("A") for mode in modes):
        return "RGBA"
    return "L" if modes <= {"L", "LA"} else "RGB"


def in_mode(picture: Image.Image, mode: str) -> Image.Image:
    """A picture of mode L, LA, RGB or RGBA in one of them; transparency that is lost is laid over
    white.
    """
    if picture.mode.endswith("A") and mode != "RGBA":
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    if picture.mode == mode:
        return picture
    return picture.convert(mode)


def _from_16_bits(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("its pixels are integers beyond 16 bits, whose range is not known")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))
