"""Space for an array: in memory or, if it is large, on the disk.

A large array is a temporary file, mapped into memory: the system keeps in memory what is in use and
writes the rest to the disk, so that a set of 100 GB needs a few hundred MB. The file has no name:
it goes when the array goes, and when the process ends in whatever way. `TMPDIR` says on which disk
it is.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC
from math import prod

import numpy as np
from numpy.typing import DTypeLike

from narrows.errors import OutputError

MOST_IN_MEMORY = 512 << 20  # bytes; larger arrays are on the disk


def scratch(shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """An array to be filled, its values not yet set.

    Up to `MOST_IN_MEMORY` bytes a plain one, else a map of a temporary file. Raises `OutputError`
    if the disk has no space for it.
    """
    size = prod(shape) * np.dtype(dtype).itemsize
    if size <= MOST_IN_MEMORY:
        return np.empty(shape, dtype)
    with disk_space(size), tempfile.TemporaryFile() as file:
        reserve(file.fileno(), size)
        return np.memmap(file, dtype, "r+", shape=shape)


@contextmanager
def disk_space(size: int) -> Iterator[None]:
    """The block makes a temporary file of `size` bytes. Raises `OutputError` if the disk has no
    space for it.
    """
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    try:
        if size > free:  # asked first, so that the disk is not full for others while this fails
            raise OSError(ENOSPC, os.strerror(ENOSPC))
        yield
    except OSError as error:
        raise OutputError(
            f"{folder} has no space for {size / 1e9:.1f} GB of images ({error.strerror or error}; "
            f"{free / 1e9:.1f} GB are free); free some, or let TMPDIR name a folder on a larger disk"
        ) from error


def reserve(file: int, size: int) -> None:
    """Give the file its size, and its place on the disk now: a map of a full disk would end the
    process later.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        os.truncate(file, size)
