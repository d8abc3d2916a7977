"""Many files of images -> tars with an index.

A folder of a million files is slow to list, to copy and to read, and a small file takes 4 kB on
most disks. A pack is the same images, byte for byte, in one tar or several (shards), in the layout
of WebDataset (see `tar_writer`), with an index by which any image is read without the others (see
`index`):

    set.tar                           set.index        as one file
    set-00000.tar  set-00001.tar ...  set.index        in shards

Tars are written under temporary names and get their own when all is written, the index last: half a
pack has no index.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from glob import escape
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

from narrows.data.packs.tar_headers import all_classes, class_of
from narrows.data.packs.tar_writer import TarWriter
from narrows.data.readers.decode import map_ahead
from narrows.data.readers.folder import SPLIT_FOLDERS, THREADED_FROM, folder_has_splits
from narrows.data.readers.image_files import SUFFIXES, open_picture, reason_of
from narrows.errors import DataError, OutputError, wrong
from narrows.files import refuse_overwrite
from narrows.reading import reading

BYTE_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
BYTE_COUNT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Z]*)\s*", re.IGNORECASE)

PackProgress = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    """Do nothing about progress."""


def pack(
    folder: str | os.PathLike[str],
    path: str | os.PathLike[str],
    shard: int | str | None = None,
    check: bool = True,
    strict: bool = False,
    force: bool = False,
    progress: PackProgress = no_progress,
) -> dict[str, Any]:
    """Write the images of a folder into a pack.

    path: its name, ending in `.tar`.
    shard: the most bytes of one tar, a number or such as "1GB"; None: one tar.
    check: decode each image, and leave out those that cannot be read; without it only those that
        cannot be opened.
    strict: raise at the first that cannot be read.
    force: replace a pack that is there.
    progress: is called with the number of files done and of all, after each.

    Returns "images", "classes", "shards" and "bytes" (numbers), "skipped", (name, reason) of each
    file left out, and "path", what to read it by: the tar, or the index of shards. Raises
    `DataError` for a folder without images,
    `OutputError` if the pack cannot be written.
    """
    folder = Path(folder)
    path = Path(path)
    most = None if shard is None else bytes_of(shard)
    _refuse_overwrite_of_pack(path, force)
    splits = folder_has_splits(folder)
    kinds = Counter(class_of(name, splits) for name in _image_names(folder, splits))
    if not kinds:
        raise DataError(f"{folder} holds no images to pack; known endings: {', '.join(SUFFIXES)}")
    files = _read_files(folder, splits, check)
    try:
        with TarWriter(path, all_classes(kinds), splits, most) as writer:
            for done, (name, content) in enumerate(files, start=1):
                if strict and isinstance(content, str):
                    raise DataError(
                        f"{folder / name} cannot be read: {content}; replace or remove it"
                    )
                writer.add(name, content)
                progress(done, kinds.total())
            writer.finish()
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    return writer.counts()


def bytes_of(size: int | str) -> int:
    """A number of bytes, or text such as "500MB" or "1.5 GB" (a GB is 10⁹ bytes). Raises `BuildError`."""
    match = BYTE_COUNT.fullmatch(str(size))
    if match:
        number, unit = match.groups()
        count = int(float(number) * BYTE_UNITS.get(unit.upper(), 0))
        if count > 0:
            return count
    raise wrong("shard", size, "a number of bytes > 0, such as 500MB or 1GB")


def _refuse_overwrite_of_pack(path: Path, force: bool) -> None:
    if path.suffix != ".tar":
        raise OutputError(
            f"{path} is not a name for a pack; it must end in .tar, such as {path.with_suffix('.tar')}"
        )
    shards = path.parent.glob(f"{escape(path.stem)}-[0-9][0-9][0-9][0-9][0-9].tar")
    for name in (path, path.with_suffix(".index"), *sorted(shards)):
        refuse_overwrite(name, force)


def _image_names(folder: Path, splits: bool) -> Iterator[str]:
    """The names of all images of a folder, in the order of `folder.read_folder`, one folder in
    memory at a time.
    """
    for split in SPLIT_FOLDERS if splits else ("",):
        yield from _image_names_below(folder, split)


def _image_names_below(root: Path, inner: str) -> Iterator[str]:
    """The names of the images in a folder and in those in it; hidden ones and links to folders are
    left out.
    """
    images, folders = _list_folder(root / inner)
    for name in sorted([*images, *folders]):
        below = f"{inner}/{name}" if inner else name
        if name in folders:
            yield from _image_names_below(root, below)
        else:
            yield below


def _list_folder(folder: Path) -> tuple[list[str], set[str]]:
    """The names of the images and of the folders in a folder."""
    images: list[str] = []
    folders: set[str] = set()
    with reading(f"the folder {folder}", fault="cannot be listed"), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or (entry.is_symlink() and entry.is_dir()):
                continue
            if entry.is_dir():
                folders.add(entry.name)
            elif entry.name.lower().endswith(SUFFIXES):
                images.append(entry.name)
    return images, folders


def _read_files(folder: Path, splits: bool, check: bool) -> Iterator[tuple[str, bytes | str]]:
    """Each image's name, and its bytes or why it cannot be read; in threads if files are large."""

    def read_file(name: str) -> tuple[str, bytes | str]:
        try:
            data = (folder / name).read_bytes()
            if check:
                open_picture(BytesIO(data))
            return name, data
        except Exception as error:  # a decoder that is fed broken bytes may raise anything
            return name, reason_of(error)

    names = _image_names(folder, splits)
    first = next(names)
    file = folder / first
    threads = check and file.exists() and file.stat().st_size >= THREADED_FROM
    return map_ahead(read_file, chain([first], names), threads)
