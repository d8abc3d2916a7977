"""Arrays that are maps of files: read in parts, whose pages are then given back.

What is read of a map stays in the process until another needs the memory. The system would take it
from the map first, but until then it counts: a training on a file of 6 GB holds 6 GB, and a
container with less may be stopped. What is given back here stays in the system's own cache, from
which it comes again in about 0.001 ms a place.
"""

import mmap
from collections.abc import Iterator
from contextlib import suppress

import numpy as np

AT_ONCE = 32 << 20  # bytes of a part
LEAST = 64 << 20  # bytes of a map whose pages are given back
SCATTERED = (
    64  # images from all over a map that are read at once: the system maps 0.5 MB around each
)
SHARED = ("r", "r+", "w+")  # modes of a map whose every value is in its file


def in_parts(array: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """An array in order, in parts of `AT_ONCE` bytes at most, or of one image: the place of the
    first image, and the images.
    """
    step = max(1, AT_ONCE * len(array) // max(1, array.nbytes))
    for start in range(0, len(array), step):
        yield start, array[start : start + step]
        give_pages_back(array)


def give_pages_back(array: np.ndarray) -> None:
    """Of a large map of a file, hold nothing in this process; its values stay as they are."""
    pages = _large_map(array)
    if pages is not None and hasattr(mmap, "MADV_DONTNEED"):
        with suppress(OSError):  # it is advice
            pages.madvise(mmap.MADV_DONTNEED)


def scattered_parts(array: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """At most `most` images from all over an array, evenly spaced, a few at a time."""
    spaced = array[:: -(-len(array) // most)]
    for start in range(0, len(spaced), SCATTERED):
        yield spaced[start : start + SCATTERED]
        give_pages_back(array)


def is_large_map(array: np.ndarray) -> bool:
    """Whether the pages of an array can be given back."""
    return _large_map(array) is not None


def _large_map(array: np.ndarray) -> mmap.mmap | None:
    """The map that an array is a view of, if it is large and its file has all of its values."""
    is_shared, base = False, array
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap) and base.mode is not None:
            is_shared = base.mode in SHARED
        base = base.base
    is_large = isinstance(base, mmap.mmap) and len(base) >= LEAST
    return base if is_shared and is_large else None
