"""What another library raises about a file, as our error: the file, and the cause in its words."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from narrows.errors import DataError, NarrowsError

SHORTAGES = (errno.ENOMEM, errno.ENOSPC, errno.EMFILE, errno.ENFILE)
LONGEST = 300  # characters of a library's message
# a size that no machine has, so that a damaged file claims it: 10 TB and more, as libraries say it
ABSURD_SIZE = re.compile(r"\b\d{14,}\b|[TPE]iB")


@contextmanager
def refused_as(path: Path, what: str) -> Iterator[None]:
    """The block reads `path`; what a library raises there becomes `DataError`.

    what: what the file was taken for, such as "HDF5".
    A shortage of memory, of file descriptors or of disk is not the file's fault: it passes.
    """
    try:
        yield
    except NarrowsError:
        raise
    except Exception as error:  # a decoder that is fed broken bytes may raise anything
        if is_shortage(error):
            raise
        raise DataError(f"{path} cannot be read as {what}: {cause_of(error)}") from error


def is_shortage(error: BaseException) -> bool:
    """Whether the machine lacks memory, file descriptors or disk, so that no file is to blame."""
    if isinstance(error, OSError):
        return error.errno in SHORTAGES
    return isinstance(error, MemoryError) and not ABSURD_SIZE.search(str(error))


def cause_of(error: BaseException) -> str:
    """What a library says, in one line."""
    words = " ".join(str(error).split())
    return words[:LONGEST] or type(error).__name__
