"""Writing files so that nothing is lost: whole or not at all, and never over something else unasked.

Half-written files and locks have names that begin with `.narrows-`; no one else's do.
"""

import csv
import errno
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from narrows.errors import OutputError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
PREFIX, LOCK_SUFFIX = ".narrows-", "lock"  # how names of ours begin, and how those of locks end


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
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{PREFIX}{path.stem}-", suffix=path.suffix)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
        _sync(aside)
        aside.chmod(0o666 & ~_umask())
        aside.replace(path)
        _sync(path.parent)  # the new name, too
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        kept = "what it held is still whole" if path.exists() else "nothing was left of it"
        raise OutputError(f"{path} cannot be written: {error.strerror}; {kept}") from error
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def locked(path: str | os.PathLike[str], folder: bool = False) -> Iterator[None]:
    """The block has `path` for itself, among all processes that ask; the lock ends with the process at the latest.

    folder: it is a folder, with all that is in it; what a killed process has left half written there is removed.
    Raises `OutputError` where another has it.
    """
    path = Path(path)
    lock = path / f"{PREFIX}{LOCK_SUFFIX}" if folder else path.parent / f"{PREFIX}{path.name}.{LOCK_SUFFIX}"
    made = [place for place in (lock.parent, *lock.parent.parents) if not place.exists()]
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = _taken(lock)
    except BlockingIOError as error:
        raise OutputError(f"{path} is being written by another process; wait for it, or choose another") from error
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    with file:
        try:
            if folder:
                _sweep(path)
            yield
        finally:
            with suppress(OSError):  # on a disk that no longer writes, or of a folder with something in it
                lock.unlink()
                for place in made:
                    place.rmdir()


def _sweep(folder: Path) -> None:
    """Remove files that were never finished, but from folders in it that have a lock of their own."""
    for place, below, names in os.walk(folder):
        if f"{PREFIX}{LOCK_SUFFIX}" in names and Path(place) != folder:
            below.clear()
            continue
        for name in names:
            if name.startswith(PREFIX) and not name.endswith(LOCK_SUFFIX):
                Path(place, name).unlink(missing_ok=True)


def _taken(lock: Path) -> IO[str]:
    """The lock's file, open and locked. Raises `BlockingIOError`."""
    import fcntl  # not on every system

    while True:
        file = open(lock, "w")  # noqa: SIM115 (whoever asked closes it)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise
        if lock.exists() and os.path.samestat(os.fstat(file.fileno()), lock.stat()):
            return file
        file.close()  # who had it before has removed it meanwhile


def write_file(path: str | os.PathLike[str], content: str | bytes) -> Path:
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


def refuse_overwrite(path: str | os.PathLike[str], force: bool = False, cure: str = "") -> Path:
    """`path`, if it is free (or an empty folder) or `force` allows to replace it.

    cure: in words, what would do, beside another name. Raises `OutputError` otherwise. Nothing is removed here: what
    is written later replaces file by file.
    """
    path = Path(path)
    taken = any(not p.name.startswith(PREFIX) for p in path.iterdir()) if path.is_dir() else path.exists()
    if taken and not force:
        ways = ", ".join(["choose another name", *filter(None, [cure])])
        raise OutputError(f"{path} exists already; {ways}, or replace it with --force (force=True)")
    folder = path if path.is_dir() else next(p for p in path.parents if p.exists())
    if not folder.is_dir():
        raise OutputError(f"{path} cannot be written: {folder} is a file, not a folder")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{path} cannot be written: the folder {folder} is read-only")
    return path


def _sync(path: Path) -> None:
    """Have the disk hold what was written."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
