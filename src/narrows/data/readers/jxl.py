"""JPEG XL, by imagecodecs: the plug-in for Pillow makes 8 bits of colours of 16.

The depth is in the header, which is read bit by bit, lowest first. A number U(a, b, c, d) is two
bits that choose among four, each a constant or a few more bits.

    ff 0a, then     1 bit   sides are multiples of 8 below 257: 5 bits a side, else U(9, 13, 18, 30 bits)
                    3 bits  width : height, 0: the width follows
                    1 bit   all is as usual: 8 bits
                    1 bit   more fields: 3 bits of rotation, and three bits of what may follow
                    1 bit   of floats; else depth U(8, 10, 12, 1 + 6 bits)

References: ISO/IEC 18181-1.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from narrows.errors import DataError, extra
from narrows.layout import Levels
from narrows.reading import reading

CODESTREAM = b"\xff\x0a"
CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
SIDE_BITS = (9, 13, 18, 30)
RATIOS = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width : height
DEPTHS = (8, 10, 12)
MOST_PIXELS = 1 << 30


def read_jxl(path: Path) -> Iterator[tuple[np.ndarray, Levels | None]]:
    """The frames of a file, uint8, uint16 or float32, and their values of black and white.

    Raises `DataError`, `MissingExtra`.
    """
    codecs = extra("imagecodecs", "jxl")
    with reading(path, fault="cannot be read as JPEG XL"):
        data = path.read_bytes()
        height, width, bits = read_header(data)
        if height * width > MOST_PIXELS:
            raise DataError(
                f"{path} says that it holds {height} x {width} pixels: it may be meant to fill the "
                "memory"
            )
        pixels = codecs.jpegxl_decode(data)
        frames = pixels if pixels.shape[:2] not in ((height, width), (width, height)) else [pixels]
        is_deep = pixels.dtype.kind == "u" and 0 < bits < 8 * pixels.itemsize
        for frame in frames:
            yield frame, Levels(0, 2**bits - 1) if is_deep else None


def read_header(data: bytes) -> tuple[int, int, int]:
    """Height, width and bits of a value, 0 if they are not known. Raises `ValueError`."""
    start = data.find(CODESTREAM, 0 if data.startswith(CODESTREAM) else len(CONTAINER))
    if start < 0:
        raise ValueError("it has no image")
    bits = _Bits(data[start + len(CODESTREAM) : start + 64])
    height, width = _sides(bits)
    if bits.take(1):
        return height, width, 8
    if bits.take(1):
        bits.take(3)  # the rotation
        if bits.take(1):
            _sides(bits)
        if bits.take(2):  # a preview or an animation, whose fields are many
            return height, width, 0
    if bits.take(1):
        return height, width, 32
    choice = bits.take(2)
    return height, width, DEPTHS[choice] if choice < 3 else 1 + bits.take(6)


class _Bits:
    """Numbers of a few bits each, lowest first."""

    def __init__(self, data: bytes):
        self.rest = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        value = self.rest & ((1 << count) - 1)
        self.rest >>= count
        return value


def _sides(bits: _Bits) -> tuple[int, int]:
    """Height and width."""
    if is_small := bits.take(1):
        height = 8 * (1 + bits.take(5))
    else:
        height = 1 + bits.take(SIDE_BITS[bits.take(2)])
    across, up = RATIOS[bits.take(3)]
    if across:
        return height, height * across // up
    if is_small:
        return height, 8 * (1 + bits.take(5))
    return height, 1 + bits.take(SIDE_BITS[bits.take(2)])
