"""TIFF at its full depth, page by page: what Pillow's pixels mean, and what it reads wrongly.

    BitsPerSample (258)                 white is 2^bits - 1
    SampleFormat (339)                  1 unsigned, 2 signed, 3 floats
    PhotometricInterpretation (262)     0: the lowest value is white; it is turned round here
    SMinSampleValue, SMaxSampleValue    (340, 341) black and white, where a file says them
    NewSubfileType (254)                bit 0: a smaller copy of another page, which is left out
    PlanarConfiguration (284)           2: the channels one after another

Pillow keeps the high byte of colours of 16 bits; read once as big-endian and once as little-endian
it gives both (as for `png`). What it cannot read, or reads wrongly, tifffile reads if it is
installed; else the page is refused by name.

Reference: Adobe, "TIFF Revision 6.0", 1992,
https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf.
"""

import sys
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from PIL import Image

from narrows.data.readers.pixels import Page, in_known_type
from narrows.errors import DataError, MissingExtra
from narrows.levels import Levels

BITS, FORMAT, PHOTOMETRIC, PLANAR, SUBFILE, SAMPLES = 258, 339, 262, 284, 254, 277
DESCRIPTION = 270
LOWEST, HIGHEST = 340, 341
PLAIN_MODES = ("L", "LA", "RGB", "RGBA")  # of 8 bits, whose samples are the values
ORIENTATION = 0x0112
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
WHITE_IS_ZERO = 0
SMALLER_COPY = 1
MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

Plain = Callable[[Image.Image], Page]
Others = Callable[[], Iterator[Page]]  # the pages, read by tifffile


def is_tiff(head: bytes) -> bool:
    """Whether a file that begins so is a TIFF."""
    return head[:4] in MAGICS


def read_tiff(file: Any, plain: Plain, by_tifffile: Others) -> Iterator[Page]:
    """The pages of a TIFF: a path, or a file in memory.

    plain: gives the page of a Pillow image of 8 bits a channel. by_tifffile: gives all pages by the
    other library. Raises what Pillow raises, and `DataError` for pages that nothing here can read.
    """
    try:
        image: Any = Image.open(file, formats=("TIFF",))
        count = image.n_frames
    except (OSError, ValueError, SyntaxError, KeyError) as error:
        yield from _or_refuse(by_tifffile, error)
        return
    with image:
        if count == 1 and _is_imagej_stack(image):
            yield from _or_refuse(by_tifffile, DataError("it is a stack of ImageJ under one page"))
            return
        for number in range(count):
            image.seek(number)
            if not int(image.tag_v2.get(SUBFILE, 0)) & SMALLER_COPY or number == 0:
                yield _page(image, file, number, plain, by_tifffile)


def _is_imagej_stack(image: Any) -> bool:
    """Whether one page stands for many, which follow it without headers of their own."""
    words = str(image.tag_v2.get(DESCRIPTION, ""))
    return words.startswith("ImageJ") and "images=" in words


def _or_refuse(by_tifffile: Others, error: Exception) -> Iterator[Page]:
    """The pages by tifffile; if it is not installed, Pillow's error and what would help."""
    try:
        yield from by_tifffile()
    except MissingExtra as missing:
        raise DataError(f"{error}; {missing}") from error


def _page(image: Any, file: Any, number: int, plain: Plain, by_tifffile: Others) -> Page:
    """The page that a file opened by Pillow is at."""
    tags = image.tag_v2
    bits, kind = _first(tags, BITS, 1), _first(tags, FORMAT, UNSIGNED)
    if bits <= 8 and kind == UNSIGNED:
        has_levels = bits == 8 and image.mode in PLAIN_MODES and LOWEST in tags
        return plain(image)._replace(levels=_levels(tags, bits, kind) if has_levels else None)
    pixels = _deep_pixels(image, file, number, bits, kind)
    if pixels is None:
        channels = _first(tags, SAMPLES, 1)
        words = f"it has {channels} channels of {bits} bits, which Pillow does not read in full"
        return next(islice(_or_refuse(by_tifffile, DataError(words)), number, None))
    if _first(tags, PHOTOMETRIC, 1) == WHITE_IS_ZERO:
        pixels = _turned_round(pixels, bits)
    pixels = turned(pixels, image.getexif().get(ORIENTATION, 1))
    levels = _levels(tags, bits, kind)
    return Page(in_known_type(pixels), levels, image.mode, image.info.get("icc_profile"))


def _deep_pixels(image: Any, file: Any, number: int, bits: int, kind: int) -> np.ndarray | None:
    """The samples of a page of more than 8 bits, in their own type; None if Pillow has no mode for it."""
    samples = _first(image.tag_v2, SAMPLES, 1)
    is_planar = samples > 1 and _first(image.tag_v2, PLANAR, 1) == 2
    if samples == 1 and image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    if samples == 1 and image.mode == "F":
        return np.asarray(image)
    if samples == 1 and image.mode == "I":
        signed = np.asarray(image)
        if kind == SIGNED and bits == 16:
            return signed.astype(np.int16)
        return signed.view(np.uint32) if kind == UNSIGNED and bits == 32 else signed
    if image.mode in ("RGB", "RGBA") and bits == 16 and kind == UNSIGNED and not is_planar:
        return _both_bytes(image, file, number)
    return None


def _both_bytes(image: Any, file: Any, number: int) -> np.ndarray:
    """Colours of 16 bits, from the two bytes of each sample.

    Read as big-endian, Pillow keeps the first byte of a sample; read as little-endian, the second.
    """
    order = _raw_mode(image.tile[0])[-1]
    is_big = order == "B" or (order == "N" and sys.byteorder == "big")
    first, second = (_bytes_of_samples(file, number, order) for order in "BL")
    high, low = (first, second) if is_big else (second, first)
    return (high.astype(np.uint16) << 8) | low


def _bytes_of_samples(file: Any, number: int, order: str) -> np.ndarray:
    """One byte of each sample of a page: that which is the high one in this order of bytes."""
    image: Any = Image.open(file, formats=("TIFF",))
    image.seek(number)
    image.tile = [_with_order(tile, order) for tile in image.tile]
    return np.array(image)


def _raw_mode(tile: Any) -> str:
    return tile.args if isinstance(tile.args, str) else tile.args[0]


def _with_order(tile: Any, order: str) -> Any:
    """A tile whose raw mode has that order of bytes: "RGB;16L" becomes "RGB;16B"."""
    raw_mode = _raw_mode(tile)[:-1] + order
    if isinstance(tile.args, str):
        return tile._replace(args=raw_mode)
    return tile._replace(args=(raw_mode, *tile.args[1:]))


def _turned_round(pixels: np.ndarray, bits: int) -> np.ndarray:
    """A page in which the lowest value is white, with black lowest."""
    if pixels.dtype.kind != "u":
        raise DataError("its lowest value is white and its values are signed, which has no meaning")
    return (2**bits - 1) - pixels


TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # by the orientation of EXIF
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: x.swapaxes(0, 1)[:, ::-1],
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: x.swapaxes(0, 1)[::-1],
}


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """The pixels `(H, W)` or `(H, W, C)`, upright."""
    turn = TURNS.get(orientation)
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))


def _levels(tags: Any, bits: int, kind: int) -> Levels | None:
    """Black and white, where the file says them."""
    if LOWEST in tags and HIGHEST in tags:
        black, white = float(_first(tags, LOWEST, 0)), float(_first(tags, HIGHEST, 0))
        if black < white:
            return Levels(black, white)
    if kind == UNSIGNED and bits not in (8, 16, 32):
        return Levels(0, 2**bits - 1)
    return None


def _first(tags: Any, tag: int, default: int) -> Any:
    """The first value of a tag."""
    value = tags.get(tag, default)
    return value[0] if isinstance(value, (tuple, bytes)) else value
