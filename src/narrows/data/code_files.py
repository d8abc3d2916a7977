"""Files of codes: what `narrows encode` writes and `narrows decode` reads.

x.npz        codes float32 (N, size); names (N,), of images that came from files; labels (N,), where there are any
x.npy        the codes alone, a batch at a time: for more than the memory holds
x.parquet    a row an image: name, label, z0, z1, ...; needs pyarrow
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from narrows.errors import DataError, OutputError, extra
from narrows.files import atomic, refuse_overwrite

Names = Sequence[str] | None
Labels = np.ndarray | None


def write_codes(
    codes: np.ndarray, path: Path, names: Names = None, labels: Labels = None, force: bool = False
) -> Path:
    """Write codes `(N, size)` to `path`, by its ending (see the module). Raises `OutputError`, `MissingExtra`."""
    path = refuse_overwrite(path, force)
    if path.suffix not in WRITERS:
        raise OutputError(f"{path}: codes are written as {', '.join(WRITERS)}, not as {path.suffix or 'a folder'}")
    with atomic(path) as aside:
        WRITERS[path.suffix](codes, aside, names, labels)
    return path


def read_codes(path: str | Path) -> tuple[np.ndarray, Names]:
    """Codes `(N, size)` of an .npz or .npy file, and the images' names if it has them. Raises `DataError`."""
    path = Path(path).expanduser()
    try:
        found: Any = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found, None
        with found:
            names = [str(name) for name in found["names"]] if "names" in found else None
            return found["codes"], names
    except KeyError as error:
        raise DataError(f"{path} holds no 'codes'; `narrows encode` writes such a file") from error
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read as codes: {error}") from error


def _npz(codes: np.ndarray, path: Path, names: Names, labels: Labels) -> None:
    arrays: Any = {"codes": codes}
    arrays |= {} if names is None else {"names": np.array(names)}
    arrays |= {} if labels is None else {"labels": labels}
    with open(path, "wb") as file:
        np.savez(file, **arrays)


def _npy(codes: np.ndarray, path: Path, names: Names, labels: Labels) -> None:
    with open(path, "wb") as file:
        np.save(file, codes, allow_pickle=False)


def _parquet(codes: np.ndarray, path: Path, names: Names, labels: Labels) -> None:
    pyarrow, parquet = extra("pyarrow", "parquet"), extra("pyarrow.parquet", "parquet")
    columns = {} if names is None else {"name": list(names)}
    columns |= {} if labels is None else {"label": labels}
    columns |= {f"z{k}": column for k, column in enumerate(codes.T)}
    parquet.write_table(pyarrow.table(columns), path)


WRITERS: dict[str, Callable[[np.ndarray, Path, Names, Labels], None]] = {
    ".npz": _npz,
    ".npy": _npy,
    ".parquet": _parquet,
}
