"""Columns of lists of numbers -> one array.

Each list in another is an axis, and all lists on one level must have one length: lists of 28 lists
of 28 numbers are images `(28, 28)`, lists of 784 are rows of a table `(784,)`, which `shape` makes
images. Python's integers are 64 bits in such files; they are kept in the smallest of uint8, uint16,
int16 and int32 that holds them, and others as they are.
"""

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from narrows.data.readers.arrow_tables import TableFile
from narrows.data.readers.table_columns import is_list
from narrows.data.scratch import scratch
from narrows.errors import DataError, extra
from narrows.mapped import give_pages_back

SMALL_TYPES = (np.uint8, np.uint16, np.int16, np.int32)


class Numbers(NamedTuple):
    """The images, the rows they are of, and those that hold none."""

    images: np.ndarray
    rows: np.ndarray
    empty: np.ndarray


def read_numbers(
    tables: Sequence[TableFile], column: str, shape: Sequence[int] | None = None
) -> Numbers:
    """The column of all tables as one array `(N, ...)`; rows that are null are left out.

    shape: of an image, if the lists are flat. Raises `DataError`.
    """
    total = sum(table.count for table in tables)
    images = np.empty((0,), np.uint8)
    full = np.zeros(total, bool)
    start = count = 0
    for table in tables:
        for values in table.batches(column):
            full[start : start + len(values)] = values.is_valid()
            start += len(values)
            batch = _as_array(values.drop_null(), table, shape)
            images = _with_space(images, count, batch, total, table)
            images[count : count + len(batch)] = batch
            give_pages_back(images)
            count += len(batch)
    return Numbers(images[:count], np.flatnonzero(full), np.flatnonzero(~full))


def _as_array(values: Any, table: TableFile, shape: Sequence[int] | None) -> np.ndarray:
    """Lists, none of them null, as an array."""
    kind = values.type
    inner = getattr(kind, "shape", None)  # of a tensor, which Arrow keeps as flat lists
    values = getattr(values, "storage", values)
    sides = [len(values)]
    while is_list(values.type):
        sides.append(_common_length(values, table))
        values = values.flatten()
    if values.null_count:
        raise DataError(f"{table.path}: {values.null_count:,} numbers in its images are null")
    array = values.to_numpy(zero_copy_only=False)
    image = shape or inner or sides[1:]
    if prod(image) != prod(sides[1:]):
        raise DataError(
            f"{table.path}: its images have {prod(sides[1:]):,} numbers each, which is not "
            f"shape={tuple(image)}"
        )
    return array.reshape(sides[0], *image)


def _common_length(lists: Any, table: TableFile) -> int:
    compute = extra("pyarrow.compute", "parquet")
    if lists.null_count:
        raise DataError(f"{table.path}: {lists.null_count:,} rows of its images are null")
    lengths = compute.unique(compute.list_value_length(lists)).to_pylist()
    if len(lengths) > 1:
        raise DataError(
            f"{table.path} holds images of several sizes: lists of {lengths[0]}, {lengths[1]} "
            "and so on; bring them to one"
        )
    return lengths[0] if lengths else 0


def _with_space(
    images: np.ndarray, count: int, batch: np.ndarray, total: int, table: TableFile
) -> np.ndarray:
    """The array with space for `total` images, of a type that holds those of the batch too."""
    if not len(batch):
        return images
    dtype = batch.dtype
    if dtype.kind in "iu" and dtype.itemsize > 2:
        dtype = _smallest_type(batch)
    if count:
        dtype = np.result_type(dtype, images.dtype)
        if images.shape[1:] != batch.shape[1:]:
            raise DataError(
                f"{table.path} holds images of several sizes: {images.shape[1:]}, "
                f"{batch.shape[1:]}; bring them to one"
            )
    if count and dtype == images.dtype:
        return images
    wider = scratch((total, *batch.shape[1:]), dtype)
    for rows in _blocks(count):
        wider[rows] = images[rows]
    return wider


def _smallest_type(batch: np.ndarray) -> np.dtype:
    low, high = batch.min(), batch.max()
    for small in SMALL_TYPES:
        if np.iinfo(small).min <= low and high <= np.iinfo(small).max:
            return np.dtype(small)
    return batch.dtype


def _blocks(count: int, step: int = 4096) -> Iterator[slice]:
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))
