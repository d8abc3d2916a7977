"""Writing files so that nothing is lost: complete or not at all, and over something else only when
asked.

Half-written files and locks have names that begin with `.narrows-`; no other program's files do. A
process has each of its half-written files open and locked, on whatever machine it runs. So what
killed processes have left is known by its lock, which is free, and the next process that writes into
the folder removes it.
"""

import csv
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import IO

from narrows.errors import ESCAPED, OutputError

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
PREFIX = ".narrows-"  # begins the name of each temporary file and lock
LOCK_SUFFIX = "lock"  # ends the name of each lock
LONGEST_LOCKED = 200  # bytes of a file's name that its lock has too; file systems take 255
LONGEST_ENDING = 32  # bytes of a file's ending that its temporary file has too

_tidied: set[Path] = set()  # folders from which this process has removed what others left


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
    with _temporary(path, _new_file) as temporary:
        try:
            yield temporary
            publish(temporary, path)
        except OSError as error:
            if error.errno not in DISK_ERRORS:
                raise
            left = "its old content is intact" if path.exists() else "nothing was left of it"
            raise _cannot_be_written(path, f"{error.strerror}; {left}") from error


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """A folder next to `path` for files that `publish` gives their names together; it is removed
    with what is left in it.

    Raises `OutputError` if nothing can be written.
    """
    with _temporary(path, _new_folder) as temporary:
        yield temporary


def publish(temporary: Path, path: Path) -> None:
    """Give a finished file its name, once the disk holds it."""
    _sync(temporary)
    temporary.chmod(0o666 & ~_umask())
    temporary.replace(path)
    _sync(path.parent)  # the new name, too


@contextmanager
def _temporary(path: Path, make: Callable[[Path], tuple[int, Path]]) -> Iterator[Path]:
    """What `make` makes next to `path`, locked in the block and removed after it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _tidy(path.parent)
        handle, temporary = make(path)
        while not _lock(handle, temporary):  # another process has taken it for what was left
            os.close(handle)
            handle, temporary = make(path)
    except OSError as error:
        raise _cannot_be_written(path, error.strerror or error) from error
    try:
        yield temporary
    finally:
        _remove(temporary)
        os.close(handle)


def _cannot_be_written(path: Path, reason: object) -> OutputError:
    return OutputError(f"{path} cannot be written: {reason}")


def _new_file(path: Path) -> tuple[int, Path]:
    """A new empty file next to `path`, open, with the same ending and a name of its own."""
    ending = path.suffix if len(os.fsencode(path.suffix)) <= LONGEST_ENDING else ""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=PREFIX, suffix=ending)
    return handle, Path(name)


def _new_folder(path: Path) -> tuple[int, Path]:
    name = tempfile.mkdtemp(dir=path.parent, prefix=PREFIX)
    return os.open(name, os.O_RDONLY), Path(name)


def _remove(temporary: Path) -> None:
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        temporary.unlink(missing_ok=True)


def _tidy(folder: Path) -> None:
    """Once a process, remove from a folder the half-written files of processes that have died."""
    place = folder.resolve()
    if place not in _tidied:
        _tidied.add(place)
        with suppress(OSError), os.scandir(place) as entries:  # if it may be listed
            for name in [entry.name for entry in entries if _is_unfinished(entry.name)]:
                _remove_if_left(place / name)


def _is_unfinished(name: str) -> bool:
    return name.startswith(PREFIX) and not name.endswith(LOCK_SUFFIX)


def _remove_if_left(temporary: Path) -> None:
    """Remove a half-written file or folder unless the process that writes it is alive."""
    with suppress(OSError):  # it is gone, another user's, or on a disk without locks
        handle = os.open(temporary, os.O_RDONLY if temporary.is_dir() else os.O_RDWR)
        try:
            _flock(handle)
            _remove(temporary)
        finally:
            os.close(handle)


def _lock(handle: int, path: Path) -> bool:
    """Lock a new file, which then is removed by no other process; whether it is still there."""
    try:
        _flock(handle)
    except BlockingIOError:
        return False
    except (ImportError, OSError):  # a system or a disk without locks: there, none removes it
        return True
    return path.exists() and os.path.samestat(os.fstat(handle), path.stat())


def _flock(handle: int) -> None:
    """Lock an open file. Raises `BlockingIOError` if another process has locked it."""
    import fcntl  # not on every system

    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


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
    name = path.name
    if len(os.fsencode(name)) > LONGEST_LOCKED:
        name = sha256(os.fsencode(name)).hexdigest()
    return path.parent / f"{PREFIX}{name}.{LOCK_SUFFIX}"


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
    while True:
        file = open(lock, "w")  # noqa: SIM115 (the caller closes it)
        try:
            _flock(file.fileno())
        except OSError:
            file.close()
            raise
        if lock.exists() and os.path.samestat(os.fstat(file.fileno()), lock.stat()):
            return file
        file.close()  # the process that had it removed it in the meantime


def _remove_unfinished(folder: Path) -> None:
    """Remove what killed processes left, except in inner folders that have a lock of their own."""
    for place, inner, names in os.walk(folder):
        if f"{PREFIX}{LOCK_SUFFIX}" in names and Path(place) != folder:
            inner.clear()
            continue
        for name in filter(_is_unfinished, (*names, *inner)):
            _remove_if_left(Path(place, name))


def write_file(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Write text (UTF-8, see `errors.escaped`) or bytes to `path`, atomically."""
    if isinstance(content, str):
        content = content.encode("utf-8", ESCAPED)
    with atomic(path) as temporary:
        temporary.write_bytes(content)
    return Path(path)


def write_csv(
    path: str | os.PathLike[str], columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> Path:
    """Write a table as CSV (UTF-8, see `errors.escaped`) to `path`, atomically, a row at a time."""
    with (
        atomic(path) as temporary,
        open(temporary, "w", encoding="utf-8", errors=ESCAPED, newline="") as file,
    ):
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
