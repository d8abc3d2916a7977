"""One array of an `.npz`: a member of a zip, in the form of an `.npy` (`numpy_files`).

What fits into memory is read there, against the zip's CRC-32. Of a larger one, values that are not
compressed (`np.savez`) are mapped where they are in the zip, and compressed ones are unpacked piece
by piece into a temporary file (`scratch`).

    local header of a zip, 30 bytes:  "PK\\3\\4" ... length of the name, length of the extra field
                                      (uint16 at 26 and 28); name; extra field; then the member
"""

import struct
import zipfile
from math import prod
from pathlib import Path
from typing import IO

import numpy as np

from narrows.data.numpy_files import ENDING, ArrayHeader, Npz
from narrows.data.scratch import MOST_IN_MEMORY, scratch
from narrows.errors import DataError
from narrows.mapped import give_pages_back

LOCAL_HEADER = struct.Struct("<26xHH")
READ_AT_ONCE = 1 << 22  # bytes


def read_member(path: Path, stored: Npz, key: str) -> np.ndarray:
    """The array under `key`. Raises `DataError`, and what `Npz` raises."""
    header, member = stored.header(key), stored.members[key]
    if header.dtype.hasobject:
        raise DataError(f"{path}: {key!r} holds Python objects, which are never unpickled")
    if prod(header.shape) * header.dtype.itemsize <= MOST_IN_MEMORY:
        return np.atleast_1d(stored[key])
    if member.compress_type == zipfile.ZIP_STORED:
        return _mapped(path, member, header)
    with stored.zip.open(f"{key}{ENDING}") as file:
        file.seek(header.start)
        return _unpacked(file, header)


def _mapped(path: Path, member: zipfile.ZipInfo, header: ArrayHeader) -> np.ndarray:
    with open(path, "rb") as file:
        file.seek(member.header_offset)
        name, extra = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
    start = member.header_offset + LOCAL_HEADER.size + name + extra + header.start
    order = "F" if header.fortran else "C"
    return np.memmap(path, header.dtype, "r", start, header.shape, order)


def _unpacked(file: IO[bytes], header: ArrayHeader) -> np.ndarray:
    """The values, read piece by piece into one array. Raises `ValueError` if there are fewer."""
    shape = header.shape[::-1] if header.fortran else header.shape
    array = scratch(shape, header.dtype)
    space = array.reshape(-1).view(np.uint8)
    place = 0
    while place < len(space) and (piece := file.read(min(READ_AT_ONCE, len(space) - place))):
        space[place : place + len(piece)] = np.frombuffer(piece, np.uint8)
        place += len(piece)
        give_pages_back(array)
    if place < len(space):
        raise ValueError(f"its values are cut short at {place} of {len(space)} bytes")
    return array.T if header.fortran else array
