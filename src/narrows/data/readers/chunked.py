"""Arrays that are stored in chunks (HDF5, Zarr) -> one array in memory or, if large, on the disk.

A chunk is decompressed as one, so reading an array in chunks of 100 images one image at a time, in
the shuffled order of a training, would decompress everything 100 times. Here each chunk is read
once, in the order of the file, into space from `scratch`, and the training then reads that.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np

from narrows.data.scratch import scratch
from narrows.mapped import give_pages_back

AT_ONCE = 32 << 20  # bytes

Box = tuple[slice, ...]


def copy_chunks(stored: Any, chunks: Sequence[int] | None, order: Sequence[int]) -> np.ndarray:
    """The values of `stored`, an array of a library with `shape`, `dtype` and slices.

    chunks: the shape of a chunk; None if it has none.
    order: its axes in the order of the result, images first.
    Raises what the library raises, and `OutputError` if there is no space.
    """
    dtype = stored.dtype.newbyteorder("=")
    copy = scratch(tuple(stored.shape[axis] for axis in order), dtype)
    as_stored = copy.transpose(np.argsort(order))
    for box in boxes(stored.shape, chunks, order[0], dtype.itemsize):
        as_stored[box] = stored[box]
        give_pages_back(copy)
    return copy


def boxes(
    shape: Sequence[int], chunks: Sequence[int] | None, along: int, itemsize: int
) -> Iterator[Box]:
    """Parts of an array that are read one after the other, each of complete chunks, so that no
    chunk is read twice.

    A part is as many chunks along the axis of the images as go into `AT_ONCE` bytes, or one chunk
    if these are larger.
    """
    chunks = chunks or [1 if axis == along else side for axis, side in enumerate(shape)]
    part = list(shape)
    part[along] = chunks[along]
    size = prod(part) * itemsize
    if size > AT_ONCE:
        part = list(chunks)
    else:
        part[along] *= max(1, AT_ONCE // max(1, size))
    starts = [range(0, side, step) for side, step in zip(shape, part)]
    for corner in product(*starts):
        yield tuple(
            slice(start, min(start + step, side)) for start, step, side in zip(corner, part, shape)
        )
