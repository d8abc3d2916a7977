"""Files of codes: what `narrows encode` writes and `narrows decode` reads.

x.npz        codes float32 (N, size); names (N,), of images from files; labels (N,), if there are any
x.npy        the codes alone, a batch at a time: for more than the memory holds
x.parquet    a row an image: name, label, z0, z1, ...; needs pyarrow
"""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import MAGIC_PREFIX

from narrows.data.numpy_files import Npz, load_npy
from narrows.data.outputs import Place, file_place
from narrows.errors import DataError, escaped, extra
from narrows.files import atomic, refuse_overwrite
from narrows.reading import reading

WRITER = "`narrows encode` writes such a file"
Names = Sequence[str] | None
Labels = np.ndarray | None


def write_codes(
    codes: np.ndarray, path: Path, names: Names = None, labels: Labels = None, force: bool = False
) -> Path:
    """Write codes `(N, size)` to `path`, by its ending (see the module).

    Raises `OutputError`, `MissingExtra`.
    """
    path = refuse_overwrite(path, force)
    ending = codes_place(str(path)).ending
    with atomic(path) as temporary:
        CODE_WRITERS[ending](codes, temporary, names, labels)
    return path


def read_codes(path: str | Path) -> tuple[np.ndarray, Names]:
    """Codes `(N, size)` of an .npz or .npy file, and the images' names if it has them. Raises
    `DataError`.
    """
    path = Path(path).expanduser()
    _refuse_other_files(path)
    with reading(path, WRITER, "cannot be read as codes"):
        codes, names = _read_npz(path) if zipfile.is_zipfile(path) else (load_npy(path), None)
    if codes.ndim != 2 or codes.dtype.kind not in "biuf":
        raise DataError(
            f"{path} holds an array of {codes.dtype}, of shape {codes.shape}; expected codes, "
            f"numbers of shape (images, size)"
        )
    if names is not None and len(names) != len(codes):
        raise DataError(f"{path} holds {len(names)} names for {len(codes)} codes; {WRITER}")
    return codes, names


def _refuse_other_files(path: Path) -> None:
    """Refuse what is neither an .npz file nor an .npy file, whatever its name."""
    if not path.is_file():
        raise DataError(f"there is no file of codes {path}; {WRITER}")
    with reading(path, WRITER, "cannot be read as codes"), open(path, "rb") as file:
        is_array = file.read(len(MAGIC_PREFIX)) == MAGIC_PREFIX
    if not is_array and not zipfile.is_zipfile(path):
        raise DataError(
            f"{path} cannot be read as codes: it is not an .npz or .npy file, or is damaged; {WRITER}"
        )


def _read_npz(path: Path) -> tuple[np.ndarray, Names]:
    """The codes, and the names of their images if it has them."""
    with Npz(path) as stored:
        if "codes" not in stored:
            raise DataError(f"{path} holds no 'codes'; {WRITER}")
        if "names" not in stored:
            return stored["codes"], None
        return stored["codes"], [str(name) for name in stored["names"].ravel()]


def _write_codes_npz(codes: np.ndarray, path: Path, names: Names, labels: Labels) -> None:
    arrays: dict[str, Any] = {"codes": codes}
    if names is not None:
        arrays["names"] = np.array(names)
    if labels is not None:
        arrays["labels"] = labels
    with open(path, "wb") as file:
        np.savez(file, **arrays)


def _write_codes_npy(codes: np.ndarray, path: Path, names: Names, labels: Labels) -> None:
    with open(path, "wb") as file:
        np.save(file, codes, allow_pickle=False)


def _write_codes_parquet(codes: np.ndarray, path: Path, names: Names, labels: Labels) -> None:
    pyarrow = extra("pyarrow", "parquet")
    parquet = extra("pyarrow.parquet", "parquet")
    columns: dict[str, Any] = {}
    if names is not None:
        columns["name"] = [escaped(name) for name in names]
    if labels is not None:
        columns["label"] = labels
    for k, column in enumerate(codes.T):
        columns[f"z{k}"] = column
    parquet.write_table(pyarrow.table(columns), path)


CODE_WRITERS: dict[str, Callable[[np.ndarray, Path, Names, Labels], None]] = {
    ".npz": _write_codes_npz,
    ".npy": _write_codes_npy,
    ".parquet": _write_codes_parquet,
}


def codes_place(output: str) -> Place:
    """Where codes are written. Raises `OutputError`, `MissingExtra`."""
    place = file_place(output, "codes", CODE_WRITERS)
    if place.ending == ".parquet":
        extra("pyarrow", "parquet")
    return place
