"""Netpbm: PGM and PPM of up to 16 bits, and PFM of floats; what Pillow makes 8 bits of.

    P5, P6      "P5 WIDTH HEIGHT MAXVAL", one blank, then rows from the top; two bytes a value, the high
                one first, if MAXVAL is above 255. White is MAXVAL.
    Pf, PF      "Pf WIDTH HEIGHT SCALE", one blank, then rows from the BOTTOM, float32; SCALE below 0
                says little-endian. White is 1.

A "#" in the header begins a comment, which ends with its line. P1 to P4 are left to Pillow.

References: Netpbm, "pgm" and "ppm", https://netpbm.sourceforge.net/doc/pgm.html; P. Debevec,
"PFM portable float map", https://www.pauldebevec.com/Research/HDR/PFM/.
"""

import re
from collections.abc import Iterator
from math import prod

import numpy as np

from narrows.data.readers.pixels import Page
from narrows.errors import DataError
from narrows.levels import LEVELS, Levels

BLANK = rb"(?:\s|#[^\n]*\n)+"
HEADER = re.compile(
    rb"(P[56fF])" + BLANK + rb"(\d+)" + BLANK + rb"(\d+)" + BLANK + rb"([-+.\deE]+)\s"
)
CHANNELS = {b"P5": 1, b"P6": 3, b"Pf": 1, b"PF": 3}


def is_netpbm(head: bytes) -> bool:
    """Whether a file that begins so is one of those read here."""
    return head[:2] in CHANNELS and head[2:3].isspace()


def read_netpbm(content: bytes) -> Iterator[Page]:
    """The picture in the bytes of a file. Raises `DataError`."""
    match = HEADER.match(content)
    if match is None:
        raise DataError("its header is not that of a PGM, PPM or PFM")
    magic, width, height, last = match.groups()
    dtype, levels = _float_type(last) if magic in (b"Pf", b"PF") else _integer_type(last)
    shape = (int(height), int(width), CHANNELS[magic])
    if len(content) - match.end() < prod(shape) * dtype.itemsize:
        raise DataError(f"it is cut short: its header says {shape[0]} x {shape[1]} pixels")
    values = np.frombuffer(content, dtype, prod(shape), match.end()).reshape(shape)
    if dtype.kind == "f":
        values = values[::-1]
    pixels = values.astype(dtype.newbyteorder("="))
    yield Page(pixels[..., 0] if shape[2] == 1 else pixels, levels)


def _integer_type(text: bytes) -> tuple[np.dtype, Levels | None]:
    """The type of the values and their levels, by MAXVAL."""
    most = int(text) if text.isdigit() else 0
    if not 0 < most < 65536:
        raise DataError(f"its highest value is {text.decode()}; a PGM or PPM has 1 to 65535")
    dtype = np.dtype(">u2" if most > 255 else "u1")
    is_usual = most == LEVELS[dtype.name].white
    return dtype, None if is_usual else Levels(0, most)


def _float_type(text: bytes) -> tuple[np.dtype, Levels | None]:
    """The type of the values, by the sign of SCALE."""
    try:
        scale = float(text)
    except ValueError:
        raise DataError(f"its scale is {text.decode()}, expected a number") from None
    return np.dtype("<f4" if scale < 0 else ">f4"), None


def netpbm_bytes(page: Page) -> bytes:
    """A PGM, PPM or PFM of uint8, uint16 or float32, grey or in colour. Black is 0, and no value of
    integers is above white.
    """
    pixels = page.pixels
    height, width = pixels.shape[:2]
    if pixels.dtype.kind == "f":
        magic = "Pf" if pixels.ndim == 2 else "PF"
        return f"{magic}\n{width} {height}\n-1.0\n".encode() + pixels[::-1].astype("<f4").tobytes()
    magic = "P5" if pixels.ndim == 2 else "P6"
    white = (page.levels or LEVELS[pixels.dtype.name]).white
    return (
        f"{magic}\n{width} {height}\n{white:.0f}\n".encode()
        + pixels.astype(">u2" if white > 255 else "u1").tobytes()
    )
