"""Arrays that are stored in chunks (HDF5, Zarr) -> one array in memory or, if large, on the disk.

A chunk is decompressed as one, so reading an array in chunks of 100 images one image at a time, in
the shuffled order of a training, would decompress everything 100 times. Here each chunk is read
once, in the order of the file, into space from `scratch`, and the training then reads that. Of a
share of the images (`share`) only the chunks are read that hold some of them.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np

from narrows.data.image_set import Span
from narrows.data.scratch import scratch
from narrows.data.share import Share
from narrows.mapped import give_pages_back

AT_ONCE = 32 << 20  # bytes

Box = tuple[slice, ...]


def copy_chunks(
    stored: Any, chunks: Sequence[int] | None, order: Sequence[int], rows: slice | None = None
) -> np.ndarray:
    """The values of `stored`, an array of a library with `shape`, `dtype` and slices.

    chunks: the shape of a chunk; None if it has none.
    order: its axes in the order of the result, images first. rows: these images only, a slice with
        both ends.
    Raises what the library raises, and `OutputError` if there is no space.
    """
    dtype, along = stored.dtype.newbyteorder("="), order[0]
    first, stop = (rows.start, rows.stop) if rows else (0, stored.shape[along])
    sides = [stop - first, *(stored.shape[axis] for axis in order[1:])]
    copy = scratch(tuple(sides), dtype)
    as_stored = copy.transpose(np.argsort(order))
    for box in boxes(stored.shape, chunks, along, dtype.itemsize):
        start, end = max(box[along].start, first), min(box[along].stop, stop)
        if start < end:
            there, here = list(box), list(box)
            there[along], here[along] = slice(start, end), slice(start - first, end - first)
            as_stored[tuple(here)] = stored[tuple(there)]
            give_pages_back(copy)
    return copy


def copy_share(
    stored: Any, chunks: Sequence[int] | None, order: Sequence[int], share: Share | None
) -> tuple[np.ndarray, Span | None]:
    """As `copy_chunks`; of a share, only its images and which they are."""
    if share is None:
        return copy_chunks(stored, chunks, order), None

    def rows_at(places: Sequence[int]) -> np.ndarray:
        each = [copy_chunks(stored, chunks, order, slice(k, k + 1)) for k in places]
        return np.concatenate(each)

    span = share.span_of_rows(stored.shape[order[0]], rows_at)
    return copy_chunks(stored, chunks, order, span.rows), span


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
