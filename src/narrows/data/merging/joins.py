"""Parts of an output, one after the other, in one: by the ending of its name.

    .csv            rows under the columns that all parts have
    .npy            rows of an array, copied from file to file
    .npz            rows of each array in it; one array of one part is in memory at a time
    .parquet        rows of a table; needs pyarrow
    no ending       files of a folder; they are linked, not copied, if the disk knows links

The result is, except for the row groups of a parquet file, to the byte what would have been written
at once. To add a format: two functions, one entry.
"""

import csv
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.lib import format as npy

from narrows.data.numpy_files import ArrayHeader, Npz, load_npy
from narrows.data.write import memory_mapped, path_below
from narrows.errors import DataError, extra
from narrows.files import atomic, write_csv

ROWS_AT_ONCE = 1 << 14

PartPaths = Sequence[Path]


class Joins(NamedTuple):
    """How many results a part holds, and several parts with at least one result into one file or
    folder.
    """

    count_results: Callable[[Path], int]
    join: Callable[[PartPaths, Path], None]


def _count_csv(part: Path) -> int:
    with open(part, newline="", encoding="utf-8") as file:
        lines = sum(1 for _ in csv.reader(file))
    return lines - 1


def _join_csv(parts: PartPaths, path: Path) -> None:
    headers = [_csv_header(part) for part in parts]
    columns = [name for name in headers[0] if all(name in header for header in headers)]
    write_csv(path, columns, _csv_rows(parts, columns))


def _csv_header(part: Path) -> list[str]:
    with open(part, newline="", encoding="utf-8") as file:
        return next(csv.reader(file))


def _csv_rows(parts: PartPaths, columns: Sequence[str]) -> Iterator[list[str]]:
    for part in parts:
        with open(part, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                yield [row[name] for name in columns]


def _count_npy(part: Path) -> int:
    return _rows(load_npy(part, mapped=True))


def _join_npy(parts: PartPaths, path: Path) -> None:
    arrays = [load_npy(part, mapped=True) for part in parts]
    shape, dtype, *_ = _joint_header(
        parts, [ArrayHeader(array.shape, array.dtype) for array in arrays]
    )
    with memory_mapped(path, shape, dtype, force=True) as joint:
        filled = 0
        for array in arrays:
            for start in range(0, len(array), ROWS_AT_ONCE):
                rows = array[start : start + ROWS_AT_ONCE]
                joint[filled : filled + len(rows)] = rows
                filled += len(rows)


def _count_npz(part: Path) -> int:
    counts = {_rows(header) for header in _npz_headers(part).values()}
    if len(counts) != 1:
        raise ValueError(f"its arrays have {sorted(counts)} rows")
    return counts.pop()


def _join_npz(parts: PartPaths, path: Path) -> None:
    headers = [_npz_headers(part) for part in parts]
    with zipfile.ZipFile(parts[0]) as first:
        compression = first.infolist()[0].compress_type
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w", compression) as joint:
        for key in headers[0]:
            header = _joint_header(parts, [of_part[key] for of_part in headers])
            with joint.open(f"{key}.npy", "w", force_zip64=True) as file:
                _write_rows(file, header, parts, key)


def _write_rows(file: IO[bytes], header: ArrayHeader, parts: PartPaths, key: str) -> None:
    """Write one array of all parts."""
    shape, dtype, *_ = header
    fields = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(file, fields)
    for part in parts:
        with Npz(part) as stored:
            rows = stored[key]
        file.write(rows.astype(dtype, order="C", copy=False).tobytes())


def _npz_headers(part: Path) -> dict[str, ArrayHeader]:
    """The header of each array of an .npz, by its key; nothing but the headers is read."""
    with Npz(part) as stored:
        return {key: stored.header(key) for key in stored}


def _rows(array: np.ndarray | ArrayHeader) -> int:
    if not array.shape:
        raise ValueError("it holds one number, not rows")
    return array.shape[0]


def _joint_header(parts: PartPaths, headers: Sequence[ArrayHeader]) -> ArrayHeader:
    """The header of all rows. Raises `DataError` if their shapes differ."""
    first = headers[0].shape[1:]
    for part, header in zip(parts, headers):
        shape = header.shape[1:]
        if shape != first:
            raise DataError(
                f"{parts[0]} holds results of shape {first}, {part} of shape {shape}: they make no array"
            )
    rows = sum(header.shape[0] for header in headers)
    return ArrayHeader((rows, *first), np.result_type(*(header.dtype for header in headers)))


def _count_parquet(part: Path) -> int:
    return extra("pyarrow.parquet", "parquet").read_metadata(part).num_rows


def _join_parquet(parts: PartPaths, path: Path) -> None:
    parquet = extra("pyarrow.parquet", "parquet")
    schema = parquet.read_schema(parts[0])
    with atomic(path) as temporary, parquet.ParquetWriter(temporary, schema) as joint:
        for part in parts:
            joint.write_table(parquet.read_table(part))


def _count_files(part: Path) -> int:
    return sum(1 for _ in _files_in(part))


def _join_files(parts: PartPaths, path: Path) -> None:
    for part in parts:
        for file in _files_in(part):
            _link_or_copy(file, path_below(path, str(file.relative_to(part))))


def _link_or_copy(file: Path, path: Path) -> None:
    """The same file under another name; if the disk has no links a copy, which takes about 30 times
    as long.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    try:
        os.link(file, path)
    except OSError:  # on another disk, or one without links
        with atomic(path) as temporary:
            shutil.copyfile(file, temporary)


def _files_in(folder: Path) -> Iterator[Path]:
    """The files of a folder; hidden ones are what is left of a file that was being written."""
    for file in folder.rglob("*"):
        if file.is_file() and not file.name.startswith("."):
            yield file


JOINS = {
    ".csv": Joins(_count_csv, _join_csv),
    ".npy": Joins(_count_npy, _join_npy),
    ".npz": Joins(_count_npz, _join_npz),
    ".parquet": Joins(_count_parquet, _join_parquet),
    "": Joins(_count_files, _join_files),
}
