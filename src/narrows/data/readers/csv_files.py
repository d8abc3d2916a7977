"""A table of text, `.csv`, in which each row is an image: Kaggle's form of MNIST and its kin.

    label,pixel0,pixel1,...,pixel783
    1,0,0,...,0

Values are separated by commas, semicolons or tabs, and a line of names may precede them
(`csv_columns`). Rows become square images, or of the option `shape`; other rows stay a table.

The values are uint8 if all are integers from 0 to 255, else uint16 up to 65535, else float32, or
float64 if there are numbers that float32 does not hold. The text is read in pieces (`csv_numbers`),
so that memory holds the images and one piece; large sets are on the disk (`scratch`).
"""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np

from narrows.data.image_set import ImageSet, refuse_parts
from narrows.data.readers.csv_columns import Columns, columns_of
from narrows.data.readers.csv_numbers import Table, parse_lines, pieces_of_lines
from narrows.data.readers.idx import GZIP_MAGIC
from narrows.data.readers.reading import (
    Labels,
    Shape,
    images_of_rows,
    labels_or_note,
    readable,
    set_of,
)
from narrows.data.scratch import scratch

CURE = "each line must hold the values of one image, and at most one label"
FIRST_LINES, LONGEST_LINE = (
    100,
    1 << 22,
)  # the lines that say what the columns are, and bytes of each
WIDEST_INTEGER = 1 << 24  # that float32 holds, with all below it


def read_csv(path: Path, split: str = "all", shape: Shape = None) -> ImageSet:
    """The images of a table of text, one a row. shape: (H, W) or (H, W, C) of an image; by default
    square. Raises `DataError`.
    """
    refuse_parts(path, split)
    with readable(path, "a table of images", CURE):
        columns = _columns(path, shape)
        rows, labels = _read_rows(path, columns.table)
    notes = [f"{path}: {note}" for note in columns.notes]
    images = rows
    if columns.are_images:
        images, more = images_of_rows(rows, shape, path)
        notes += more
    found = Labels()
    if columns.table.label is not None:
        found = labels_or_note(_as_numbers(labels), len(rows), "label", path)
    return set_of(images, found, path, f"the table {path}", notes)


def _columns(path: Path, shape: Shape) -> Columns:
    with _opened(path) as file:
        lines = iter(lambda: file.readline(LONGEST_LINE), b"")
        text = b"".join(islice(lines, FIRST_LINES)).decode("utf-8-sig")
    return columns_of(text.splitlines(), shape)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked if it is gzipped."""
    with open(path, "rb") as file:
        is_gzip = file.peek(2).startswith(GZIP_MAGIC)
        yield gzip.GzipFile(fileobj=file) if is_gzip else file  # type: ignore[misc]


def _read_rows(path: Path, table: Table) -> tuple[np.ndarray, np.ndarray]:
    """All values, and all labels as they are."""
    with _opened(path) as file:
        most = sum(piece.count(b"\n") for piece in pieces_of_lines(file))
    rows = scratch((most, len(table.values)), np.uint8)
    labels: list[np.ndarray] = []
    count = 0
    with _opened(path) as file:
        for _ in range(table.first_line - 1):
            file.readline()
        for piece in pieces_of_lines(file):
            values, some_labels = parse_lines(piece, table, table.first_line + count)
            rows = _widened(rows, values, count)
            rows[count : count + len(values)] = values
            count += len(values)
            labels.append(some_labels)
    if any(part.dtype.kind == "U" for part in labels):
        labels = [part.astype(str) for part in labels]
    return rows[:count], np.concatenate(labels) if labels else np.empty(0)


def _widened(rows: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """The array, its first `count` rows kept, in a type that holds these values too."""
    dtype = np.result_type(rows.dtype, _least_type(values))
    if dtype == rows.dtype:
        return rows
    wider = scratch(rows.shape, dtype)
    wider[:count] = rows[:count]
    return wider


def _least_type(values: np.ndarray) -> type[np.generic]:
    low, high = values.min(), values.max()
    if (
        low >= 0
        and high <= 65535
        and (values.dtype.kind == "i" or (values == np.rint(values)).all())
    ):
        return np.uint8 if high <= 255 else np.uint16
    if max(-low, high) > WIDEST_INTEGER:
        return np.float64
    return np.float32


def _as_numbers(labels: np.ndarray) -> np.ndarray:
    """Labels that were read as words, as numbers if all are."""
    try:
        return labels.astype(np.float64) if labels.dtype.kind == "U" else labels
    except ValueError:
        return labels
