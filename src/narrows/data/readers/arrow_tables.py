"""Tables of Arrow, batch by batch: Parquet, Feather (an Arrow file), and Arrow's stream.

    PAR1 ...       Parquet: row groups, of which pages are decompressed as they are read
    ARROW1 ...     an Arrow file, also called Feather 2: batches that are mapped into memory
    otherwise      an Arrow stream, which Hugging Face's `save_to_disk` writes as `.arrow` too

A batch has at most `AT_ONCE` bytes of pixels, whatever the size of the file's own groups.
References: https://parquet.apache.org/docs/file-format,
https://arrow.apache.org/docs/format/Columnar.html.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from narrows.errors import DataError, extra
from narrows.reading import reading

PARQUET, ARROW, FEATHER_1 = b"PAR1", b"ARROW1", b"FEA1"
AT_ONCE = 16 << 20  # bytes
MOST_ROWS = 4096  # of a batch


class TableFile:
    """One file of a table: schema, number of rows, and its columns in batches.

    `nbytes` is about what the file takes unpacked, from which the rows of a batch follow.
    """

    schema: Any
    count: int

    def __init__(self, path: Path):
        self.path = path

    def batches(self, column: str, first: int = 0) -> Iterator[Any]:
        """A column from row `first` on, as Arrow arrays of a few rows."""
        step = max(1, min(MOST_ROWS, AT_ONCE * self.count // max(1, self.nbytes())))
        with reading(self.path, fault="cannot be read as a table of Parquet or Arrow"):
            for start, values in self.groups(column, first, step):
                for row in range(max(0, first - start), len(values), step):
                    yield values[row : row + step]

    def groups(self, column: str, first: int, step: int) -> Iterator[tuple[int, Any]]:
        """Row numbers and values, of at least the rows from `first` on."""
        raise NotImplementedError

    def nbytes(self) -> int:
        raise NotImplementedError


class ParquetTable(TableFile):
    def __init__(self, path: Path):
        super().__init__(path)
        parquet = extra("pyarrow.parquet", "parquet")
        self.file = parquet.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
        self.schema = self.file.schema_arrow
        self.count = self.file.metadata.num_rows
        if self.count > 8 * path.stat().st_size:
            raise DataError(
                f"{path} says that it has {self.count:,} rows, in {path.stat().st_size:,} bytes: "
                "it is damaged"
            )

    def groups(self, column: str, first: int, step: int) -> Iterator[tuple[int, Any]]:
        start, chosen = 0, []
        metadata = self.file.metadata
        for group in range(metadata.num_row_groups):
            if chosen or start + metadata.row_group(group).num_rows > first:
                chosen.append(group)
            else:
                start += metadata.row_group(group).num_rows
        for batch in self.file.iter_batches(step, chosen, [column], use_threads=False):
            yield start, batch.column(0)
            start += batch.num_rows

    def nbytes(self) -> int:
        # of all columns: what a damaged footer says of a single one can end the process
        metadata = self.file.metadata
        return sum(
            metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups)
        )


class ArrowTable(TableFile):
    """An Arrow file or stream, mapped into memory. What a batch says of itself is validated, since
    Arrow follows its offsets wherever they point.
    """

    def __init__(self, path: Path):
        super().__init__(path)
        self.arrow = extra("pyarrow", "parquet")
        self.ipc = extra("pyarrow.ipc", "parquet")
        with open(path, "rb") as file:
            self.is_file = file.read(6) == ARROW
        self.schema = self._open(None).schema
        self.sizes = [len(values) for values in self._values(self._smallest)]
        self.count = sum(self.sizes)

    @property
    def _smallest(self) -> int:
        """The column that is read to count rows: one of numbers if there is one."""
        is_number = self.arrow.types.is_primitive
        places = [place for place, field in enumerate(self.schema) if is_number(field.type)]
        return (places or [0])[0]

    def _open(self, included: list[int] | None) -> Any:
        options = self.ipc.IpcReadOptions(included_fields=included)
        source = self.arrow.memory_map(str(self.path))
        if self.is_file:
            return self.ipc.open_file(source, options=options)
        return self.ipc.open_stream(source, options=options)

    def _values(self, place: int) -> Iterator[Any]:
        """A column of each batch of the file."""
        file = self._open([place])
        if not self.is_file:
            yield from (batch.column(0) for batch in file)
            return
        for batch in range(file.num_record_batches):
            yield file.get_batch(batch).column(0)

    def groups(self, column: str, first: int, step: int) -> Iterator[tuple[int, Any]]:
        start = 0
        for values in self._values(self.schema.get_field_index(column)):
            if start + len(values) > first:
                values.validate(full=True)
                yield start, values
            start += len(values)

    def nbytes(self) -> int:
        return self.path.stat().st_size


def open_table(path: Path) -> TableFile:
    """A file of any of the three. Raises `DataError`, `MissingExtra`."""
    with open(path, "rb") as file:
        head = file.read(8)
    if head.startswith(FEATHER_1):
        raise DataError(f"{path} is Feather of version 1; write it again with version 2")
    with reading(path, fault="cannot be read as a table of Parquet or Arrow"):
        return ParquetTable(path) if head.startswith(PARQUET) else ArrowTable(path)
