"""Images in a table (Parquet, Feather, Arrow), of one file or of all shards of a split.

Encoded files are decoded a few ahead in threads, while the rows come batch by batch; if a row has
no bytes, its `path` is read, relative to the table. Lists of numbers become an array as they are:
nested ones say their shape, flat ones are a table `(N, D)` unless `shape` says otherwise.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from narrows.data.image_set import ImageSet, check_images
from narrows.data.readers.arrow_tables import TableFile, open_table
from narrows.data.readers.decode import decode_all
from narrows.data.readers.encoded_rows import EncodedRows, row_names
from narrows.data.readers.folder import THREADED_FROM
from narrows.data.readers.image_files import picture_opener
from narrows.data.readers.list_columns import read_numbers
from narrows.data.readers.pixels import Page
from narrows.data.readers.shards import chosen_shards
from narrows.data.readers.table_columns import Columns, find_columns
from narrows.data.readers.table_labels import read_labels
from narrows.data.share import Share
from narrows.errors import DataError
from narrows.reading import reading


def read_tables(
    path: Path,
    split: str = "all",
    array: str = "",
    shape: Sequence[int] | None = None,
    size: Any = None,
    fit: str = "crop",
    grey: bool = False,
    strict: bool = False,
    share: Share | None = None,
    mode: str = "",
) -> ImageSet:
    """The images and labels of a table, or of a folder of tables.

    array: the column of the images; empty: found (see `table_columns`).
    shape: of an image, if a row is a flat list of its numbers.
    size, fit, grey, strict: see `folder.read_folder`; of encoded images.
    share, mode: see `load.read_data`.
    Raises `DataError`, `MissingExtra`.
    """
    files, notes = chosen_shards(path, split)
    with reading(path, fault="cannot be read as a table of Parquet or Arrow"):
        tables = [open_table(file) for file in files]
        columns = find_columns(files[0], tables[0].schema, array)
        _refuse_other_columns(tables, columns.images)
        if not columns.encoded:
            images = _read_lists(path, tables, columns, shape, notes)
            return share.take(images) if share else images
        options = DecodeOptions(size, fit, grey, strict, share, mode)
        return _read_encoded(path, tables, columns, options, notes)


def _refuse_other_columns(tables: Sequence[TableFile], column: str) -> None:
    """Refuse shards that have not the column and type of the first: `DataError`."""
    kind = tables[0].schema.field(column).type
    for table in tables:
        names = table.schema.names
        other = table.schema.field(column).type if column in names else "nothing"
        if other != kind:
            raise DataError(
                f"{table.path} has {other} as {column!r}, {tables[0].path.name} has {kind}; a set "
                "needs one kind of images"
            )


class DecodeOptions(NamedTuple):
    """Of `read_tables`."""

    size: Any
    fit: str
    grey: bool
    strict: bool
    share: Share | None
    mode: str


def _read_encoded(
    path: Path,
    tables: Sequence[TableFile],
    columns: Columns,
    options: DecodeOptions,
    notes: tuple[str, ...],
) -> ImageSet:
    names = row_names(tables, path if path.is_dir() else path.parent)
    share = options.share
    span = share.span_of_files(names) if share else None
    chosen = range(len(names))[span.rows if span else slice(None)]
    rows = EncodedRows(tables, columns.images, chosen.start)
    open_file = picture_opener(options.size, options.fit, options.grey)

    def open_row(row: int) -> Iterator[Page]:
        source = rows.take(row)
        return open_file(source.getvalue() if isinstance(source, BytesIO) else source)

    threads = sum(table.nbytes() for table in tables) >= THREADED_FROM * len(names)
    least = 0 if share else 1
    decoded = decode_all(
        path, chosen, open_row, names.__getitem__, threads, options.strict, least, options.mode
    )
    if rows.failure:
        raise rows.failure
    images = ImageSet(
        images=decoded.images,
        names=decoded.names,
        skipped=decoded.skipped,
        span=span,
        levels=decoded.levels,
    )
    return _with_labels(images, decoded.items, path, tables, columns, (*notes, *decoded.notes))


def _read_lists(
    path: Path,
    tables: Sequence[TableFile],
    columns: Columns,
    shape: Sequence[int] | None,
    notes: tuple[str, ...],
) -> ImageSet:
    numbers = read_numbers(tables, columns.images, shape)
    check_images(numbers.images, path)
    names = row_names(tables, path if path.is_dir() else path.parent)
    skipped = tuple((names[row], "the row is null") for row in numbers.empty)
    images = ImageSet(numbers.images, skipped=skipped)
    return _with_labels(images, numbers.rows, path, tables, columns, notes)


def _with_labels(
    images: ImageSet,
    rows: Sequence[int] | np.ndarray,
    path: Path,
    tables: Sequence[TableFile],
    columns: Columns,
    notes: tuple[str, ...],
) -> ImageSet:
    """The images of these rows with their labels."""
    labels = read_labels(tables, columns)
    return replace(
        images,
        labels=None if labels.values is None else labels.values[rows],
        classes=labels.classes,
        source=f"the table {path}",
        notes=notes + columns.notes + labels.notes,
    )
