"""The variables in a MATLAB file of versions 4 to 7: arrays of numbers, by their names.

Version 5 and later: a header of 128 bytes, whose last two say the byte order ("IM" little-endian),
then elements, each a type and a length (uint32) and that many bytes, padded to a multiple of 8; up
to 4 bytes are in the tag itself, the length in the upper half of the type.

    15   compressed by zlib: one element
    14   an array, made of elements: flags (its class is the lowest byte), dimensions (int32), name,
         values, column by column, in the least type that holds them

Version 4: for each array five int32 (type MOPT, rows, columns, imaginary, length of the name), the
name, the values. M is 0 for little-endian, P the type of the values, T is 0 for numbers.

Sizes are compared with the file before anything is allocated; large values are mapped or unpacked on
the disk. This is not left to SciPy, since `scipy.io.loadmat` can end the process at a damaged file.

Reference: MAT-File Format, The MathWorks, R2024a.
"""

import struct
import zlib
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from narrows.data.scratch import scratch

HEADER = 128  # bytes
MATRIX, COMPRESSED = 14, 15
STORED = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
CLASSES = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
COMPLEX = 0x0800  # a flag
OLD_STORED = ("f8", "f4", "i4", "i2", "u2", "u1")
OLD_HEADER = 20  # bytes
DESCRIBED = 1 << 12  # bytes, in which flags, dimensions and name are
INFLATED_MOST = 1032  # bytes that one byte of zlib can become
PIECE = 1 << 22  # bytes


class Variable(NamedTuple):
    """An array of numbers in a file.

    dtype, stored: its type, and that of its values in the file. place, length: of its element in
    the file. start: of its values, in the element, unpacked if it is compressed.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    stored: np.dtype
    place: int
    length: int
    start: int
    compressed: bool


class Part(NamedTuple):
    """An element within an array: its type, where its bytes are, and where the next one begins."""

    kind: int
    start: int
    size: int
    end: int


def variables_in(path: Path) -> dict[str, Variable]:
    """The arrays of real numbers in a file by their names. Raises `ValueError`."""
    with open(path, "rb") as file:
        head = file.read(HEADER)
        if head.startswith(b"MATLAB 5.0"):
            order = {b"IM": "<", b"MI": ">"}.get(head[126:])
            if order is None:
                raise ValueError("its header does not say the order of bytes")
            return dict(_elements(file, path.stat().st_size, order))
        return dict(_old_arrays(file, path.stat().st_size))


def read_variable(path: Path, variable: Variable) -> np.ndarray:
    """The values of an array, mapped or on the disk if they are many. Raises `ValueError`."""
    count = prod(variable.shape)
    if not count:
        return np.empty(variable.shape, variable.dtype)
    if variable.compressed:
        values = _inflated(path, variable, count)
    else:
        values = np.memmap(path, variable.stored, "r", variable.place + variable.start, (count,))
    return _of_type(values, variable.dtype).reshape(variable.shape, order="F")


def _of_type(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if values.dtype == dtype:
        return values
    converted = scratch(values.shape, dtype)
    for first in range(0, len(values), PIECE):
        converted[first : first + PIECE] = values[first : first + PIECE]
    return converted


def _inflated(path: Path, variable: Variable, count: int) -> np.ndarray:
    """The values of a compressed array, unpacked piece by piece."""
    values = scratch((count,), variable.stored)
    space = values.view(np.uint8)
    skipped, filled, unpack = variable.start, 0, zlib.decompressobj()
    with open(path, "rb") as file:
        file.seek(variable.place)
        left = variable.length
        while filled < len(space) and (piece := file.read(min(PIECE, left))):
            left -= len(piece)
            inner = unpack.decompress(piece)
            part = np.frombuffer(inner[skipped:], np.uint8)[: len(space) - filled]
            skipped = max(0, skipped - len(inner))
            space[filled : filled + len(part)] = part
            filled += len(part)
    if filled < len(space):
        raise ValueError(f"its values are cut short at {filled} of {len(space)} bytes")
    return values


def _elements(file: IO[bytes], size: int, order: str) -> Iterator[tuple[str, Variable]]:
    """The arrays of version 5 and later. order: of bytes."""
    place = HEADER
    while place + 8 <= size:
        file.seek(place)
        kind, length = struct.unpack(f"{order}II", file.read(8))
        if place + 8 + length > size:
            raise ValueError(f"it is cut short: an element at byte {place} ends beyond the file")
        if kind == COMPRESSED:
            packed = file.read(min(length, DESCRIBED))
            inner = zlib.decompressobj().decompress(packed, DESCRIBED)
            yield from _array(inner, order, place + 8, length, compressed=True)
        elif kind == MATRIX:
            file.seek(place)
            inner = file.read(min(8 + length, DESCRIBED))
            yield from _array(inner, order, place, 8 + length, compressed=False)
            length += -length % 8
        place += 8 + length


def _array(
    inner: bytes, order: str, place: int, length: int, compressed: bool
) -> Iterator[tuple[str, Variable]]:
    """Name and variable, if the element that begins with `inner` is an array of real numbers."""
    if struct.unpack_from(f"{order}I", inner)[0] != MATRIX:
        return
    flags = _part(inner, 8, order)
    sides = _part(inner, flags.end, order)
    words = _part(inner, sides.end, order)
    values = _part(inner, words.end, order)
    word = struct.unpack_from(f"{order}I", inner, flags.start)[0]
    if word & 255 not in CLASSES or word & COMPLEX:
        return
    name = inner[words.start : words.start + words.size].decode("latin-1")
    if values.kind not in STORED:
        raise ValueError(f"the values of {name!r} have the unknown type {values.kind}")
    variable = Variable(
        struct.unpack_from(f"{order}{sides.size // 4}i", inner, sides.start),
        np.dtype(CLASSES[word & 255]),
        np.dtype(order + STORED[values.kind]),
        place,
        length,
        values.start,
        compressed,
    )
    _refuse_other_size(name, variable, values.size)
    yield name, variable


def _part(inner: bytes, place: int, order: str) -> Part:
    kind, size = struct.unpack_from(f"{order}II", inner, place)
    if kind >> 16:  # it is in the tag itself
        return Part(kind & 0xFFFF, place + 4, kind >> 16, place + 8)
    return Part(kind, place + 8, size, place + 8 + size + -size % 8)


def _refuse_other_size(name: str, variable: Variable, size: int) -> None:
    """Refuse an array that has not the `size` bytes of its shape, or more than the file can hold."""
    expected = prod(variable.shape) * variable.stored.itemsize
    most = variable.length * (INFLATED_MOST if variable.compressed else 1)
    if min(variable.shape, default=-1) < 0 or expected != size or variable.start + size > most:
        raise ValueError(f"{name!r} of the shape {variable.shape} has {size} bytes of values")


def _old_arrays(file: IO[bytes], size: int) -> Iterator[tuple[str, Variable]]:
    """The arrays of version 4."""
    place = 0
    while place < size:
        file.seek(place)
        kind, rows, columns, imaginary, named = struct.unpack("<5i", file.read(OLD_HEADER))
        if not (0 <= kind < 60 and kind % 10 == 0 and rows >= 0 <= columns and 0 < named < size):
            raise ValueError("it is no MATLAB file of versions 4 to 7")
        name = file.read(named).rstrip(b"\0").decode("latin-1")
        stored = np.dtype(f"<{OLD_STORED[kind // 10]}")
        start = OLD_HEADER + named
        length = start + rows * columns * stored.itemsize * (1 + bool(imaginary))
        place += length
        if place > size:
            raise ValueError(f"it is cut short: {name!r} ends beyond the file")
        if not imaginary:
            yield (
                name,
                Variable((rows, columns), stored, stored, place - length, length, start, False),
            )
