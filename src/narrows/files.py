"""Writing files so that nothing is lost: complete or not at all, and over something else only when
asked.

Half-written files and locks have names that begin with `.narrows-`; no other program's files do.
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

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
PREFIX = ".narrows-"  # begins the name of each temporary file and lock
LOCK_SUFFIX = "lock"  # ends the name of each lock


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path next to `path`, renamed to `path` when the block succeeds and removed when
    it fails.

    The file is synced before the rename, so that after a crash `path` holds either the old bytes or
    the new. Raises `OutputError` if nothing can be written.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"{path} is a folder; a file's name is needed")
    temporary = _temporary_file(path)
    try:
        yield temporary
        _sync(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        _sync(path.parent)  # the new name, too
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        left = "its old content is intact" if path.exists() else "nothing was left of it"
        raise _cannot_be_written(path, f"{error.strerror}; {left}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _cannot_be_written(path: Path, reason: object) -> OutputError:
    return OutputError(f"{path} cannot be written: {reason}")


def _temporary_file(path: Path) -> Path:
    """A new empty file next to `path`, with the same ending."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f"{PREFIX}{path.stem}-"
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=path.suffix)
    except OSError as error:
        raise _cannot_be_written(path, error.strerror or error) from error
    os.close(handle)
    return Path(name)


@contextmanager
def locked(path: str | os.PathLike[str], folder: bool = False) -> Iterator[None]:
    """The block has `path` for itself, among all processes that ask; the lock ends with the
    process.

    folder: `path` is a folder, locked with all that is in it; what a killed process left half
        written is removed.
    Raises `OutputError` if another process has it.
    """
    path = Path(path)
    lock = _lock_of(path, folder)
    new_folders = [place for place in (lock.parent, *lock.parent.parents) if not place.exists()]
    with _open_lock(lock, path):
        try:
            if folder:
                _remove_unfinished(path)
            yield
        finally:
            with suppress(OSError):  # a disk that no longer writes, or a folder that is not empty
                lock.unlink()
                for place in new_folders:
                    place.rmdir()


def _lock_of(path: Path, folder: bool) -> Path:
    """Where the lock is: in the folder, or next to the file."""
    if folder:
        return path / f"{PREFIX}{LOCK_SUFFIX}"
    return path.parent / f"{PREFIX}{path.name}.{LOCK_SUFFIX}"


def _open_lock(lock: Path, path: Path) -> IO[str]:
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        return _locked_file(lock)
    except BlockingIOError as error:
        raise OutputError(
            f"{path} is being written by another process; wait for it, or choose another"
        ) from error
    except OSError as error:
        raise _cannot_be_written(path, error.strerror or error) from error


def _locked_file(lock: Path) -> IO[str]:
    """The lock's file, open and locked. Raises `BlockingIOError` if another process has it."""
    import fcntl  # not on every system

    while True:
        file = open(lock, "w")  # noqa: SIM115 (the caller closes it)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise
        if lock.exists() and os.path.samestat(os.fstat(file.fileno()), lock.stat()):
            return file
        file.close()  # the process that had it removed it in the meantime


def _remove_unfinished(folder: Path) -> None:
    """Remove unfinished files, except in inner folders that have a lock of their own."""
    for place, inner, names in os.walk(folder):
        if f"{PREFIX}{LOCK_SUFFIX}" in names and Path(place) != folder:
            inner.clear()
            continue
        for name in names:
            if name.startswith(PREFIX) and not name.endswith(LOCK_SUFFIX):
                Path(place, name).unlink(missing_ok=True)


def write_file(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Write text (UTF-8) or bytes to `path`, atomically."""
    if isinstance(content, str):
        content = content.encode()
    with atomic(path) as temporary:
        temporary.write_bytes(content)
    return Path(path)


def write_csv(
    path: str | os.PathLike[str], columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> Path:
    """Write a table as CSV to `path`, atomically, a row at a time."""
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(columns)
        lines.writerows(rows)
    return Path(path)


def refuse_overwrite(path: str | os.PathLike[str], force: bool = False, cure: str = "") -> Path:
    """`path`, if it is free (or an empty folder), or if `force` allows replacing it.

    cure: in words, what else would do apart from another name. Raises `OutputError` otherwise.
    Nothing is removed here: what is written later replaces file by file.
    """
    path = Path(path)
    if _is_taken(path) and not force:
        cures = "choose another name"
        if cure:
            cures = f"{cures}, {cure}"
        raise OutputError(
            f"{path} exists already; {cures}, or replace it with --force (force=True)"
        )
    _validate_folder(path)
    return path


def _validate_folder(path: Path) -> None:
    """Refuse a path whose folder, or the lowest one that exists, cannot be written to."""
    folder = path if path.is_dir() else next(place for place in path.parents if place.exists())
    if not folder.is_dir():
        raise _cannot_be_written(path, f"{folder} is a file, not a folder")
    if not os.access(folder, os.W_OK):
        raise _cannot_be_written(path, f"the folder {folder} is read-only")


def _is_taken(path: Path) -> bool:
    """Whether there is a file, or a folder with more in it than what killed processes left."""
    if path.is_dir():
        return any(not inner.name.startswith(PREFIX) for inner in path.iterdir())
    return path.exists()


def _sync(path: Path) -> None:
    """Wait until the disk holds what was written."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
