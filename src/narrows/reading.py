"""Reading files that may hold anything, with libraries that may raise anything.

    with reading(path, "write it again with np.save"):
        array = np.load(path)

What a library raises because of a file becomes a `DataError` that names the file and the cause. If
the machine has run out of memory, open files or disk space, no file is to blame: that is a
`Shortage`, which ends the work, since all further files would only seem to be damaged.
"""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from narrows.errors import DataError, NarrowsError, Shortage

FREE_MEMORY = "the memory is full; close other programs, or use smaller images or batches"
SHORTAGES = {
    errno.EMFILE: "this process has too many files open; raise its limit, such as by `ulimit -n 4096`",
    errno.ENFILE: "this machine has too many files open; close other programs",
    errno.ENOMEM: FREE_MEMORY,
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
}
TORCH_HAS_NO_MEMORY = ("can't allocate memory", "out of memory")  # of a RuntimeError
LONGEST_CAUSE = 300  # characters
# in a MemoryError: 100 TB and more, which no machine lacks, but a damaged file asks for
ABSURD_SIZE = re.compile(r"\b\d{15,}\b|[PE]iB\b")


@contextmanager
def reading(
    what: str | os.PathLike[str], cure: str = "", fault: str = "cannot be read"
) -> Iterator[None]:
    """The block reads a file with a library.

    Raises `DataError`, in words "{what} {fault}: {cause}; {cure}", and `Shortage`.
    """
    try:
        yield
    except NarrowsError:
        raise
    except Exception as error:  # a library that is fed broken bytes may raise anything
        cause = cause_of(error)
        advice = f"; {cure}" if cure else ""
        raise DataError(f"{what} {fault}: {cause}{advice}") from error


def cause_of(error: Exception) -> str:
    """What an error says, in a line. Raises `Shortage` if it is due to one."""
    shortage = shortage_of(error)
    if shortage is not None:
        raise shortage from error
    words = str(error)
    if isinstance(error, NarrowsError):
        return words
    if isinstance(error, OSError) and error.strerror:
        words = error.strerror
    elif isinstance(error, KeyError):
        words = f"it lacks {error}"
    elif error.args and isinstance(error.args[0], str):  # others follow it in some errors
        words = error.args[0]
    words = " ".join(words.split())
    return words[:LONGEST_CAUSE] or type(error).__name__


def shortage_of(error: BaseException) -> Shortage | None:
    """The error for the shortage that an exception is due to; None if it is due to none."""
    if isinstance(error, Shortage):
        return error
    if isinstance(error, MemoryError) and not ABSURD_SIZE.search(str(error)):
        return Shortage(FREE_MEMORY)
    if _is_of_torch(error):
        return Shortage(FREE_MEMORY)
    if isinstance(error, OSError) and error.errno in SHORTAGES:
        return Shortage(SHORTAGES[error.errno])
    return None


def _is_of_torch(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in TORCH_HAS_NO_MEMORY
    )
