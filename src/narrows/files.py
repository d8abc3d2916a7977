"""Writing files so that nothing is lost: whole or not at all, and never over something else unasked."""

import csv
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from narrows.errors import OutputError


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside `path`; renamed to `path` when the block ends well, removed when it does not.

    The file is synced before the rename, so that after a crash `path` holds either the old bytes or the new.
    Raises `OutputError` where nothing can be written.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"{path} is a folder; a file's name is needed")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
        with open(aside, "rb+") as file:
            os.fsync(file.fileno())
        aside.chmod(0o666 & ~_umask())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Write text (UTF-8) or bytes to `path`, atomically."""
    with atomic(path) as aside:
        aside.write_bytes(content.encode() if isinstance(content, str) else content)
    return Path(path)


def write_csv(path: str | os.PathLike[str], columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    """Write a table as CSV to `path`, atomically, a row at a time."""
    with atomic(path) as aside, open(aside, "w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(columns)
        lines.writerows(rows)
    return Path(path)


def may_write(path: str | os.PathLike[str], force: bool = False) -> Path:
    """`path`, if it is free (or an empty folder) or `force` allows to replace it.

    Raises `OutputError` otherwise. Nothing is removed here: what is written later replaces file by file.
    """
    path = Path(path)
    taken = any(path.iterdir()) if path.is_dir() else path.exists()
    if taken and not force:
        raise OutputError(f"{path} exists already; choose another name, or replace it with --force (force=True)")
    folder = next(p for p in path.parents if p.exists())
    if not folder.is_dir():
        raise OutputError(f"{path} cannot be written: {folder} is a file, not a folder")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{path} cannot be written: the folder {folder} is read-only")
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
