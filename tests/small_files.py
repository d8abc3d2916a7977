"""Small files for tests to read: IDX, matrices of smallNORB, and pictures."""

import gzip
import struct
from pathlib import Path

import numpy as np
from PIL import Image

NORB = {"f4": 0x51, "f8": 0x53, "i4": 0x54, "u1": 0x55, "i2": 0x56}
CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx_bytes(array: np.ndarray) -> bytes:
    """An array as IDX."""
    code = CODES[array.dtype.str[1:]]
    header = struct.pack(f">4B{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def norb_bytes(array: np.ndarray) -> bytes:
    """An array as a matrix of smallNORB."""
    shape = [*array.shape, *[1] * (3 - array.ndim)]
    head = [0x1E3D4C00 + NORB[array.dtype.str[1:]], array.ndim, *shape]
    return struct.pack(f"<{len(head)}i", *head) + array.tobytes()


def write_idx(path: Path, array: np.ndarray) -> Path:
    """Write IDX, gzipped if the name says so."""
    blob = idx_bytes(array)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(blob) if path.suffix == ".gz" else blob)
    return path


def write_picture(
    path: Path, mode: str = "L", size: tuple[int, int] = (6, 4), fill=128, **options
) -> Path:
    """Write a picture of one colour; `size` is (height, width)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size[::-1], fill).save(path, **options)
    return path
