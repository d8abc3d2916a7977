"""Rows of encoded pictures in tables, handed out one at a time to the threads that decode them.

The rows come batch by batch, in order, and are asked for nearly in order; so at most a batch or two
are in memory.
"""

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any

from narrows.data.readers.arrow_tables import TableFile
from narrows.errors import DataError, NarrowsError

Source = BytesIO | Path | None  # the bytes of a file, or, if the row has none, the file it names


def row_names(tables: Sequence[TableFile], root: Path) -> list[str]:
    """`file#row` for each row of all tables, the file's path below `root`."""
    names = []
    for table in tables:
        file = table.path.relative_to(root).as_posix()
        names += [f"{file}#{row}" for row in range(table.count)]
    return names


class EncodedRows:
    """The rows of tables from `first` on, numbered over all of them.

    failure: what ended the reading before the last row; then the rows after it are not to be had.
    """

    def __init__(self, tables: Sequence[TableFile], column: str, first: int = 0):
        self.tables = tables
        self.failure: NarrowsError | None = None
        self._next = first
        self._rows = self._read(column, first)
        self._waiting: dict[int, Source] = {}
        self._lock = Lock()

    def take(self, row: int) -> BytesIO | Path:
        """A row, once. Raises `DataError` if it is not to be had."""
        with self._lock:
            while row not in self._waiting:
                self._waiting[self._next] = self._advance()
                self._next += 1
            source = self._waiting.pop(row)
        if source is None:
            raise DataError("the row holds neither bytes nor a path")
        return source

    def _advance(self) -> Source:
        if self.failure:
            raise self.failure
        try:
            return next(self._rows)
        except NarrowsError as error:
            self.failure = error
        except StopIteration:
            self.failure = DataError(f"{self.tables[-1].path} ends before its last row")
        raise self.failure

    def _read(self, column: str, first: int) -> Iterator[Source]:
        for table in self.tables:
            if first < table.count:
                for values in table.batches(column, first):
                    yield from _encoded(values, table.path.parent)
            first = max(0, first - table.count)


def _encoded(values: Any, folder: Path) -> Iterator[Source]:
    if not hasattr(values.type, "get_field_index"):
        yield from (None if data is None else BytesIO(data) for data in values.to_pylist())
        return
    fields = values.flatten()  # which, other than `field`, is null where the row is
    datas = fields[values.type.get_field_index("bytes")].to_pylist()
    place = values.type.get_field_index("path")
    paths = fields[place].to_pylist() if place >= 0 else [None] * len(datas)
    for data, path in zip(datas, paths):
        if data is not None:
            yield BytesIO(data)
        else:
            yield folder / path if path else None
