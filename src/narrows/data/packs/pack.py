"""Many files of images -> tars with an index.

A folder of a million files is slow to list, to copy and to read, and a small file takes 4 kB on most disks. A
pack is the same images, byte for byte, in one tar or several (shards), in the layout of WebDataset (see
`tar_writer`), with an index by which any image is read without the others (see `index`):

    set.tar                           set.index        as one file
    set-00000.tar  set-00001.tar ...  set.index        in shards

Tars are written aside and get their names when all is written, the index last: half a pack has no index.
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

from narrows.data.packs.tar_headers import class_of, classes_of
from narrows.data.packs.tar_writer import Writer
from narrows.data.readers.decode import each
from narrows.data.readers.folder import LARGE, SPLITS
from narrows.data.readers.image_files import SUFFIXES, open_picture, reason_of
from narrows.errors import DataError, OutputError, wrong
from narrows.files import refuse_overwrite

UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Z]*)\s*", re.IGNORECASE)

Told = Callable[[int, int], None]


def pack(
    folder: str | os.PathLike[str],
    path: str | os.PathLike[str],
    shard: int | str | None = None,
    check: bool = True,
    strict: bool = False,
    force: bool = False,
    told: Told = lambda done, total: None,
) -> dict[str, Any]:
    """Write the images of a folder into a pack.

    path: its name, ending in `.tar`. shard: the most bytes of one tar, a number or such as "1GB"; None: one tar.
    check: decode each image, and leave out those that cannot be read; without it only those that cannot be opened.
    strict: raise at the first that cannot be read. force: replace a pack that is there. told: is given the number of
    files done and of all, after each.

    Returns "images", "classes", "shards" and "bytes" (numbers), "skipped", (name, reason) of each file left out, and
    "path", what to read it by: the tar, or the index of shards. Raises `DataError` for a folder without images,
    `OutputError` where the pack cannot be written.
    """
    folder, path = Path(folder), Path(path)
    most = bytes_of(shard) if shard is not None else None
    _may_write(path, force)
    splits = all((folder / split).is_dir() for split in SPLITS)
    kinds = Counter(class_of(name, splits) for name in _names(folder, splits))
    total = kinds.total()
    if not total:
        raise DataError(f"{folder} holds no images to pack; known endings: {', '.join(SUFFIXES)}")
    try:
        with Writer(path, classes_of(kinds), splits, most) as writer:
            for done, (name, result) in enumerate(_taken(folder, splits, check), 1):
                if strict and isinstance(result, str):
                    raise DataError(f"{folder / name} cannot be read: {result}; replace or remove it")
                writer.add(name, result)
                told(done, total)
            writer.finish()
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    return writer.counts()


def bytes_of(size: int | str) -> int:
    """A number of bytes, or text such as "500MB" or "1.5 GB" (a GB is 10⁹ bytes). Raises `BuildError`."""
    found = SIZE.fullmatch(str(size))
    unit = UNITS.get(found[2].upper()) if found else None
    count = int(float(found[1]) * unit) if found and unit else 0
    if not (count > 0):
        raise wrong("shard", size, "a number of bytes > 0, such as 500MB or 1GB")
    return count


def _may_write(path: Path, force: bool) -> None:
    if path.suffix != ".tar":
        raise OutputError(f"{path} is no name for a pack; it must end in .tar, such as {path.with_suffix('.tar')}")
    shards = path.parent.glob(f"{escape(path.stem)}-[0-9][0-9][0-9][0-9][0-9].tar")
    for name in (path, path.with_suffix(".index"), *sorted(shards)):
        refuse_overwrite(name, force)


def _names(folder: Path, splits: bool) -> Iterator[str]:
    """The names of all images of a folder, in the order of `folder.read_folder`, one folder in memory at a time."""
    for split in SPLITS if splits else ("",):
        yield from _below(folder, split)


def _below(root: Path, inner: str) -> Iterator[str]:
    """The names of the images in a folder and those in it; hidden ones and links to folders left out."""
    names, folders = [], set()
    try:
        with os.scandir(root / inner) as entries:
            for entry in entries:
                if entry.name.startswith(".") or (entry.is_symlink() and entry.is_dir()):
                    continue
                if entry.is_dir():
                    folders.add(entry.name)
                elif entry.name.lower().endswith(SUFFIXES):
                    names.append(entry.name)
    except OSError as error:
        raise DataError(f"the folder {root / inner} cannot be listed: {error.strerror or error}") from error
    for name in sorted([*names, *folders]):
        below = f"{inner}/{name}" if inner else name
        yield from _below(root, below) if name in folders else (below,)


def _taken(folder: Path, splits: bool, check: bool) -> Iterator[tuple[str, bytes | str]]:
    """Each image's name, and its bytes or why it cannot be read; in threads where files are large."""

    def take(name: str) -> tuple[str, bytes | str]:
        try:
            data = (folder / name).read_bytes()
            if check:
                open_picture(BytesIO(data))
            return name, data
        except Exception as error:  # a decoder that is fed broken bytes may raise anything
            return name, reason_of(error)

    names = _names(folder, splits)
    first = next(names)
    large = check and (folder / first).exists() and (folder / first).stat().st_size >= LARGE
    return each(take, chain([first], names), large)
