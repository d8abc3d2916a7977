"""Parts of an output, one after the other, in one: by the ending of its name.

    .csv            rows under the columns that all parts have
    .npy            rows of an array, copied from file to file
    .npz            rows of each array in it; one array of one part is in memory at a time
    .parquet        rows of a table; needs pyarrow
    no ending       files of a folder; they are linked, not copied, where the disk knows links

What comes out is, but for the row groups of a parquet file, to the byte what would have been written at once.
To add a format: two functions, one entry.
"""

import csv
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

from narrows.data.write import below, memory_mapped
from narrows.errors import DataError, extra
from narrows.files import atomic, write_csv

STEP = 1 << 14  # rows copied in one go
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
Form = tuple[tuple[int, ...], np.dtype]  # shape and type of an array
Paths = Sequence[Path]


class Joins(NamedTuple):
    """How many results a part holds, and several parts of one result at least into one file or folder."""

    rows: Callable[[Path], int]
    join: Callable[[Paths, Path], None]


def _count_csv(part: Path) -> int:
    with open(part, newline="", encoding="utf-8") as file:
        return sum(1 for _ in csv.reader(file)) - 1


def _join_csv(parts: Paths, path: Path) -> None:
    known = [_columns(part) for part in parts]
    columns = [name for name in known[0] if all(name in others for others in known)]
    write_csv(path, columns, ([row[name] for name in columns] for part in parts for row in _rows(part)))


def _columns(part: Path) -> list[str]:
    with open(part, newline="", encoding="utf-8") as file:
        return next(csv.reader(file))


def _rows(part: Path) -> Iterator[dict[str, str]]:
    with open(part, newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _count_npy(part: Path) -> int:
    with open(part, "rb") as file:
        return _form(file)[0][0]


def _join_npy(parts: Paths, path: Path) -> None:
    arrays = [np.load(part, mmap_mode="r", allow_pickle=False) for part in parts]
    shape, dtype = _together(parts, [(array.shape, array.dtype) for array in arrays])
    start = 0
    with memory_mapped(path, shape, dtype, force=True) as out:
        for array in arrays:
            for k in range(0, len(array), STEP):
                some = array[k : k + STEP]
                out[start + k : start + k + len(some)] = some
            start += len(array)


def _count_npz(part: Path) -> int:
    counts = {shape[0] for shape, _ in _forms(part).values()}
    if len(counts) != 1:
        raise ValueError(f"its arrays have {sorted(counts)} rows")
    return counts.pop()


def _join_npz(parts: Paths, path: Path) -> None:
    forms = [_forms(part) for part in parts]
    with zipfile.ZipFile(parts[0]) as first:
        packing = first.infolist()[0].compress_type
    with atomic(path) as aside, zipfile.ZipFile(aside, "w", packing) as out:
        for key in forms[0]:
            shape, dtype = _together(parts, [form[key] for form in forms])
            with out.open(f"{key}.npy", "w", force_zip64=True) as file:
                about = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
                npy.write_array_header_1_0(file, about)
                for part in parts:
                    file.write(_of_npz(part, key).astype(dtype, order="C", copy=False).tobytes())


def _of_npz(part: Path, key: str) -> np.ndarray:
    with np.load(part, allow_pickle=False) as stored:
        return stored[key]


def _forms(part: Path) -> dict[str, Form]:
    """The form of each array of an .npz, by its key; nothing but the headers is read."""
    with zipfile.ZipFile(part) as stored:
        return {name.removesuffix(".npy"): _form(stored.open(name)) for name in stored.namelist()}


def _form(file: Any) -> Form:
    shape, _, dtype = HEADERS[npy.read_magic(file)](file)
    return shape, dtype


def _together(parts: Paths, forms: Sequence[Form]) -> Form:
    """The form of all rows. Raises `DataError` where they do not go together."""
    rows = [shape[1:] for shape, _ in forms]
    for part, one in zip(parts, rows):
        if one != rows[0]:
            raise DataError(f"{parts[0]} holds results of shape {rows[0]}, {part} of shape {one}: they make no array")
    return (sum(shape[0] for shape, _ in forms), *rows[0]), np.result_type(*(dtype for _, dtype in forms))


def _count_parquet(part: Path) -> int:
    return extra("pyarrow.parquet", "parquet").read_metadata(part).num_rows


def _join_parquet(parts: Paths, path: Path) -> None:
    parquet = extra("pyarrow.parquet", "parquet")
    with atomic(path) as aside, parquet.ParquetWriter(aside, parquet.read_schema(parts[0])) as out:
        for part in parts:
            out.write_table(parquet.read_table(part))


def _count_files(part: Path) -> int:
    return sum(1 for _ in _files(part))


def _join_files(parts: Paths, path: Path) -> None:
    for part in parts:
        for file in _files(part):
            _place(file, below(path, str(file.relative_to(part))))


def _place(file: Path, path: Path) -> None:
    """The same file under another name, or where that cannot be, a copy, which takes some 30 times as long."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    try:
        os.link(file, path)
    except OSError:  # on another disk, or one that knows no links
        with atomic(path) as aside:
            shutil.copyfile(file, aside)


def _files(folder: Path) -> Iterator[Path]:
    """The files of a folder; hidden ones are what is left of a file that was being written."""
    return (file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("."))


JOINS = {
    ".csv": Joins(_count_csv, _join_csv),
    ".npy": Joins(_count_npy, _join_npy),
    ".npz": Joins(_count_npz, _join_npz),
    ".parquet": Joins(_count_parquet, _join_parquet),
    "": Joins(_count_files, _join_files),
}
