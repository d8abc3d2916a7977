"""NumPy's own files, which may come from anywhere: `.npy`, one array, and `.npz`, a zip of arrays with
names.

The header of an array is text that says its type and shape, and numpy allocates what it says before
it reads. So the bytes that are there are counted first:

    Π shape · bytes of a value  ≤  bytes after the header

Of an array in a zip they are what the zip's contents say; these are compared with the file, of which
DEFLATE makes at most `MOST_INFLATED` times as much. Nothing is unpickled.

The functions raise what numpy and zipfile raise, and `ValueError`: call them under
`narrows.reading.reading`, which names the file.

Reference: NEP 1, https://numpy.org/neps/nep-0001-npy-format.html
"""

import os
import zipfile
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

MOST_INFLATED = 1032  # bytes from one of DEFLATE
INFLATION = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: MOST_INFLATED}
HEADER_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
ENDING = ".npy"  # of the names in a zip, after the keys


class ArrayHeader(NamedTuple):
    """Shape and type of an array; whether it is in Fortran's order, and where its values begin."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool = False
    start: int = 0


def read_header(file: IO[bytes], size: int) -> ArrayHeader:
    """The header of an array in a file of `size` bytes, which holds all that the header says."""
    version = npy.read_magic(file)
    if version not in HEADER_READERS:
        raise ValueError(f"its arrays have the unknown version {version}")
    try:
        shape, fortran, dtype = HEADER_READERS[version](file)
    except MemoryError as error:  # of Python's parser
        raise ValueError("its header is nested too deeply") from error
    header = ArrayHeader(tuple(shape), dtype, fortran, file.tell())
    if dtype.hasobject:  # a pickle of another length follows, which is never read
        return header
    left = size - file.tell()
    count = prod(shape)
    if min(shape, default=0) < 0 or count * dtype.itemsize > left or not dtype.itemsize:
        raise ValueError(
            f"its header says {count:,} values of {dtype.itemsize} bytes, and {left:,} bytes follow"
        )
    return header


def load_npy(path: Path, mapped: bool = False) -> np.ndarray:
    """The array of an `.npy` file; mapped: as a read-only memory map."""
    with open(path, "rb") as file:
        read_header(file, os.fstat(file.fileno()).st_size)
    return np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)


class Npz(Mapping[str, np.ndarray]):
    """The arrays of an `.npz` file by their keys, each read when it is asked for. Close it, or use it
    in `with`.
    """

    def __init__(self, path: Path):
        self.zip = zipfile.ZipFile(path)
        self.most = os.stat(path).st_size
        self.members = {info.filename.removesuffix(ENDING): info for info in self.zip.infolist()}

    def __enter__(self) -> "Npz":
        return self

    def __exit__(self, *error: Any) -> None:
        self.zip.close()

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def __contains__(self, key: object) -> bool:
        return key in self.members

    def header(self, key: str) -> ArrayHeader:
        """The header of an array; the array itself is not read."""
        with self.zip.open(self._member(key)) as file:
            return read_header(file, self.members[key].file_size)

    def __getitem__(self, key: str) -> np.ndarray:
        self.header(key)
        with self.zip.open(self.members[key]) as file:
            return npy.read_array(file, allow_pickle=False)

    def _member(self, key: str) -> zipfile.ZipInfo:
        """An entry of the zip's contents, if the file can hold what it says."""
        info = self.members[key]
        if info.compress_type not in INFLATION:
            raise ValueError(f"{key} is compressed in a way that NumPy does not use")
        if info.file_size > self.most * INFLATION[info.compress_type]:
            raise ValueError(f"{key} has {info.file_size:,} bytes, more than the file can hold")
        return info
