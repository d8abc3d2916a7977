"""TIFF of any depth: pages of uint8, uint16, int16 or float32, grey or in colour, with or without alpha.

    "II" 42 offset | page: strip, (profile), directory | page: ... | 0

A directory is a count of entries, each of 12 bytes (tag, type, number of values, the value or where
it is), and the place of the next directory. The one strip of a page is deflated. Black and white that are
not those of the type are written as SMinSampleValue and SMaxSampleValue.

Reference: Adobe, "TIFF Revision 6.0", 1992,
https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf.
"""

import struct
import zlib
from collections.abc import Sequence

import numpy as np

from narrows.data.readers.pixels import Page, channels_of
from narrows.errors import OutputError

SHORT, LONG, UNDEFINED = 3, 4, 7
FORMATS = {"u": 1, "i": 2, "f": 3}  # of samples, by the kind of their type
VALUE_TYPES = {"uint8": "B", "uint16": "H", "int16": "h", "float32": "f"}
TYPE_CODES = {"B": 1, "H": 3, "h": 8, "f": 11, "d": 12}
BLACK_IS_ZERO, RGB = 1, 2
DEFLATE = 8
ALPHA = 2  # not multiplied into the colours
MOST_BYTES = 2**32 - 1  # which an offset of 32 bits reaches

Entry = tuple[int, int, int, bytes]  # tag, type, number of values, values


def tiff_bytes(pages: Sequence[Page]) -> bytes:
    """The file of these pages. Raises `OutputError` if it would be larger than 4 GB."""
    content = bytearray(b"II*\0" + bytes(4))
    link = 4  # where the place of the next directory is written
    for page in pages:
        strip = zlib.compress(_samples(page), 6)
        entries = _entries(page, len(content), len(strip))
        content += strip
        link = _add_directory(content, entries, link)
        if len(content) > MOST_BYTES:
            raise OutputError("a TIFF of more than 4 GB is not written; write .npy")
    return bytes(content)


def _samples(page: Page) -> bytes:
    dtype = page.pixels.dtype.newbyteorder("<")
    return np.ascontiguousarray(page.pixels, dtype=dtype).tobytes()


def _entries(page: Page, offset: int, size: int) -> list[Entry]:
    """The directory of a page whose strip is at that place."""
    height, width = page.pixels.shape[:2]
    channels, dtype = channels_of(page.pixels), page.pixels.dtype
    photometric = RGB if channels >= 3 else BLACK_IS_ZERO
    entries = [
        _number(256, LONG, width),
        _number(257, LONG, height),
        _number(258, SHORT, *[8 * dtype.itemsize] * channels),
        _number(259, SHORT, DEFLATE),
        _number(262, SHORT, photometric),
        _number(273, LONG, offset),
        _number(277, SHORT, channels),
        _number(278, LONG, height),
        _number(279, LONG, size),
        _number(284, SHORT, 1),
    ]
    if channels in (2, 4):
        entries.append(_number(338, SHORT, ALPHA))
    entries.append(_number(339, SHORT, *[FORMATS[dtype.kind]] * channels))
    if page.levels is not None:
        entries += [_level(tag, level, page) for tag, level in zip((340, 341), page.levels)]
    if page.profile is not None:
        entries.append((34675, UNDEFINED, len(page.profile), page.profile))
    return entries


def _level(tag: int, level: float, page: Page) -> Entry:
    """Black or white, for each channel in the type of its samples, or in float64 if that does not
    hold it.
    """
    dtype, channels = page.pixels.dtype, channels_of(page.pixels)
    code, number = "d", float(level)
    if dtype.kind == "f":
        code = VALUE_TYPES[dtype.name]
    elif number.is_integer() and np.iinfo(dtype).min <= number <= np.iinfo(dtype).max:
        code, number = VALUE_TYPES[dtype.name], int(number)
    return tag, TYPE_CODES[code], channels, struct.pack(f"<{channels}{code}", *[number] * channels)


def _number(tag: int, kind: int, *values: int) -> Entry:
    return (
        tag,
        kind,
        len(values),
        struct.pack(f"<{len(values)}{'H' if kind == SHORT else 'I'}", *values),
    )


def _add_directory(content: bytearray, entries: list[Entry], link: int) -> int:
    """Write a directory, and its place at `link`; returns where the next place is to be written."""
    lines = b""
    for tag, kind, count, values in entries:
        if len(values) > 4:
            _align(content)
            place = len(content)
            content += values
            values = struct.pack("<I", place)
        lines += struct.pack("<HHI", tag, kind, count) + values.ljust(4, b"\0")
    _align(content)
    struct.pack_into("<I", content, link, len(content))
    content += struct.pack("<H", len(entries)) + lines + bytes(4)
    return len(content) - 4


def _align(content: bytearray) -> None:
    """Places are even."""
    content += bytes(len(content) % 2)
