"""The pictures of a folder one after another, each in its own size, mode and depth, for a verb that
hands them back.

A set to train on is one array, in which all pictures have one size and one mode (`folder`). What a
model is used on need not be: here each picture keeps its own, and only one is in memory.

    pixels   `(H, W)` or `(H, W, C)` with C of 2 (grey, alpha), 3 or 4, in the depth of the file
    levels   black and white, if the file says them
    mode     the file's own, in Pillow's words, to be written back in: "L", "RGB", "CMYK", ...
    page     the number of a page of a stack, from 1; 0 for the only one of a file
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from narrows.data.readers.folder import image_files, relative_name
from narrows.data.readers.image_files import Axis, numbered, picture_opener, reason_of
from narrows.data.readers.pixels import Page
from narrows.errors import DataError
from narrows.levels import Levels


@dataclass(frozen=True)
class Picture:
    """One picture: its name and its file's name below the folder, and what the module lists.

    profile: the file's colour profile.
    """

    name: str
    pixels: np.ndarray
    mode: str
    profile: bytes | None = None
    levels: Levels | None = None
    file: str = ""
    page: int = 0


def ignore_skipped(name: str, reason: str) -> None:
    """Do nothing about a file that cannot be read."""


def stream_pictures(
    path: Path,
    size: Any = None,
    fit: str = "crop",
    grey: bool = False,
    strict: bool = False,
    axis: Axis = None,
    skip: Callable[[str, str], None] = ignore_skipped,
    files: Sequence[Path] | None = None,
) -> Iterator[Picture]:
    """The pictures of a folder, in the order of their names, or the one of a file.

    size, fit, grey, axis: see `folder.read_folder`.
    skip: is called with the name of each file that cannot be read, and why; with `strict` the first
        one raises.
    files: only these of the folder; then it is no error if none can be read.
    Raises `DataError`, also if none of all files can be read.
    """
    open_file = picture_opener(size, fit, grey, axis)
    wanted = image_files(path) if files is None else files
    root = path if path.is_dir() else path.parent
    sources = ((relative_name(file, root), partial(open_file, file)) for file in wanted)
    count = 0
    for picture in pictures_of(sources, root, strict, skip):
        count += 1
        yield picture
    if not count and files is None:
        raise DataError(f"none of the {len(wanted)} images in {root} can be read")


def pictures_of(
    sources: Iterable[tuple[str, Callable[[], Iterator[Page]]]],
    root: Path,
    strict: bool,
    skip: Callable[[str, str], None],
) -> Iterator[Picture]:
    """The pictures of files, given by name and what opens them; root: where they are, for errors."""
    for name, open_source in sources:
        try:
            yield from _pictures(name, open_source())
        except Exception as error:  # a decoder that is fed broken bytes may raise anything
            reason = reason_of(error)
            if strict:
                file = root / name
                raise DataError(f"{file} cannot be read: {reason}; replace or remove it") from error
            skip(name, reason)


def _pictures(file: str, pages: Iterator[Page]) -> Iterator[Picture]:
    """The pages of a file as pictures."""
    for name, page in numbered(file, pages):
        number = int(name[len(file) + 1 :] or 0)
        yield Picture(name, page.pixels, page.mode, page.profile, page.levels, file, number)
