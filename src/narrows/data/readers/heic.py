"""HEIC and HEIF, by pillow-heif: its plug-in for Pillow makes 8 bits of 10 and 12, so the file is
opened without it.

References: ISO/IEC 23008-12, https://pillow-heif.readthedocs.io.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from narrows.errors import extra
from narrows.layout import Levels
from narrows.reading import reading

BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def is_heic(path: Path, head: bytes) -> bool:
    """Whether a file is HEIC, by the brands at its beginning. AVIF has one of them too."""
    if head[4:8] != b"ftyp":
        return False
    brands = head[8 : int.from_bytes(head[:4])]
    return brands[:4] in BRANDS and b"avif" not in brands


def read_heic(path: Path) -> Iterator[tuple[np.ndarray, Levels | None]]:
    """The pictures of a file, upright, uint8 or uint16, and their values of black and white.

    Raises `DataError`, `MissingExtra`.
    """
    heif = extra("pillow_heif", "heif")
    with reading(path, fault="cannot be read as HEIC"):
        file = heif.open_heif(path, convert_hdr_to_8bit=False, hdr_to_16bit=False)
        for picture in file:
            pixels = np.array(picture)  # a copy: a view outlives what the library frees
            bits = picture.info.get("bit_depth", 8 * pixels.itemsize)
            yield pixels, Levels(0, 2**bits - 1) if bits < 8 * pixels.itemsize else None
