"""Many files of images -> tars with an index.

A folder of a million files is slow to list, to copy and to read, and a small file takes 4 kB on
most disks. A pack is the same images, byte for byte, in one tar or several (shards), in the layout
of WebDataset (see `tar_writer`), with an index by which any image is read without the others (see
`index`):

    set.tar                           set.index        as one file
    set-00000.tar  set-00001.tar ...  set.index        in shards

Classes are those of the folder, by its sub-folders or by a list in a CSV file (`readers.listing`).
Masks of anomalous regions stay where they are, which is said.

Tars are written under temporary names and get their own when all is written, the index last: half a
pack has no index.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from glob import escape
from itertools import chain
from pathlib import Path
from typing import Any

from narrows.data.packs.tar_headers import all_classes
from narrows.data.packs.tar_writer import UNLABELLED, Labelling, TarWriter
from narrows.data.readers.class_lists import find_class_list
from narrows.data.readers.decode import map_ahead
from narrows.data.readers.folder import THREADED_FROM
from narrows.data.readers.image_files import first_page, reason_of
from narrows.data.readers.listing import Listing, division_of, list_folder, no_images, passed_over
from narrows.data.readers.parts import Division, class_of
from narrows.data.readers.walk import Walk
from narrows.errors import DataError, OutputError, wrong
from narrows.files import refuse_overwrite

BYTE_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
BYTE_COUNT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Z]*)\s*", re.IGNORECASE)

PackProgress = Callable[[int, int], None]
NamedFiles = Iterator[tuple[str, bytes | str]]  # names, and bytes or why they cannot be read


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
    labels: str = "",
) -> dict[str, Any]:
    """Write the images of a folder into a pack.

    path: its name, ending in `.tar`.
    shard: the most bytes of one tar, a number or such as "1GB"; None: one tar.
    check: decode each image, and leave out those that cannot be read; without it only those that
        cannot be opened.
    strict: raise at the first that cannot be read.
    force: replace a pack that is there.
    progress: is called with the number of files done and of all, after each.
    labels: a CSV file of names and classes, see `readers.class_lists`.

    Returns "images", "classes", "shards" and "bytes" (numbers), "skipped", (name, reason) of each
    file left out, "notes", what else to say of the folder, and "path", what to read it by: the
    tar, or the index of shards. Raises `DataError` for a folder without images, `OutputError` if
    the pack cannot be written.
    """
    folder = Path(folder)
    path = Path(path)
    most = None if shard is None else bytes_of(shard)
    refuse_overwrite_of_pack(path, force)
    division = division_of(folder)
    kinds, left_out = _survey(folder, division)
    labelling, notes = _labelling(folder, kinds, bool(division), labels)
    files = _files_of(folder, division, check, strict)
    writer = TarWriter(path, labelling, bool(division), most)
    _write_files(writer, files, lambda done: progress(done, kinds.total()))
    counts = writer.counts()
    counts["skipped"] = (*left_out.skipped, *counts["skipped"])
    return {**counts, "notes": (*left_out.notes, *notes)}


def _survey(folder: Path, division: Division) -> tuple[Counter[str | None], Listing]:
    """How many images each folder has, and what is left out. Raises `DataError` if there are none."""
    walk = Walk(folder)
    kinds = Counter(class_of(name, bool(division)) for name in _image_names(walk, division))
    left_out = passed_over(folder, division, [walk])
    if not kinds:
        raise no_images(f"{folder} holds no images to pack", left_out)
    return kinds, left_out


def _files_of(folder: Path, division: Division, check: bool, strict: bool) -> NamedFiles:
    """All files, in a second pass over their names, so that memory holds few of these."""
    files = _read_files(folder, _image_names(Walk(folder), division), check)
    return _refuse_unreadable(folder, files) if strict else files


def _labelling(
    folder: Path, kinds: Counter[str | None], divided: bool, labels: str
) -> tuple[Labelling, tuple[str, ...]]:
    """How images are labelled, and what is to be said of it. kinds: their classes by their folders."""
    classes = all_classes(kinds)
    if classes and not labels:
        label = {name: k for k, name in enumerate(classes)}
        return Labelling(lambda name: class_of(name, divided), label, classes), ()
    if not labels and not find_class_list(folder):
        return UNLABELLED, ()
    listing = list_folder(folder, "all", labels)
    notes = tuple(note for note in listing.notes if "class" in note or "label" in note)
    if listing.labels is None:
        return UNLABELLED, notes
    kind_of = dict(zip(listing.names, listing.kinds))
    label = dict(zip(listing.kinds, listing.labels.tolist()))
    return Labelling(kind_of.get, label, listing.classes), notes


def _write_files(writer: TarWriter, files: NamedFiles, progress: Callable[[int], None]) -> None:
    """Write all files. Raises `OutputError`."""
    with writer:
        for done, (name, content) in enumerate(files, start=1):
            writer.add(name, content)
            progress(done)
        writer.finish()


def _refuse_unreadable(folder: Path, files: NamedFiles) -> NamedFiles:
    """The files. Raises `DataError` at the first that cannot be read."""
    for name, content in files:
        if isinstance(content, str):
            raise DataError(f"{folder / name} cannot be read: {content}; replace or remove it")
        yield name, content


def bytes_of(size: int | str) -> int:
    """A number of bytes, or text such as "500MB" or "1.5 GB" (a GB is 10⁹ bytes). Raises `BuildError`."""
    match = BYTE_COUNT.fullmatch(str(size))
    if match:
        number, unit = match.groups()
        count = int(float(number) * BYTE_UNITS.get(unit.upper(), 0))
        if count > 0:
            return count
    raise wrong("shard", size, "a number of bytes > 0, such as 500MB or 1GB")


def refuse_overwrite_of_pack(path: Path, force: bool) -> None:
    """Refuse a name that no pack has, or that of one that is there. Raises `OutputError`."""
    if path.suffix != ".tar":
        raise OutputError(
            f"{path} is not a name for a pack; it must end in .tar, such as {path.with_suffix('.tar')}"
        )
    shards = path.parent.glob(f"{escape(path.stem)}-[0-9][0-9][0-9][0-9][0-9].tar")
    for name in (path, path.with_suffix(".index"), *sorted(shards)):
        refuse_overwrite(name, force)


def _image_names(walk: Walk, division: Division) -> Iterator[str]:
    """The names of all images of a folder, in the order of `listing`."""
    for top in division.all_folders() or ("",):
        yield from walk.images(top)


def _read_files(folder: Path, names: Iterator[str], check: bool) -> NamedFiles:
    """Each image's name, and its bytes or why it cannot be read; in threads if files are large."""

    def read_file(name: str) -> tuple[str, bytes | str]:
        try:
            data = (folder / name).read_bytes()
            if check:
                first_page(data)
            return name, data
        except Exception as error:  # a decoder that is fed broken bytes may raise anything
            return name, reason_of(error)

    first = next(names)
    file = folder / first
    threads = check and file.exists() and file.stat().st_size >= THREADED_FROM
    return map_ahead(read_file, chain([first], names), threads)
