"""Any tar of images that has no index: where its images are, and what is known of them, from its
headers.

It is read as the folder that it would be unpacked into: first-level folders are classes, `train/`
and `test/` splits. If there are small files next to the images, as in WebDataset (see
`tar_writer`), these win:

    a/7.png  a/7.cls     the class of the image of the same key (a/7): a number or a word
    a/7.png  a/7.json    its name and class, if Narrows made the pack
"""

import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from sys import intern
from typing import IO, Any, NamedTuple, cast

import numpy as np

from narrows.data.image_set import check_labels
from narrows.data.packs.index import ENTRY, Index, join_words
from narrows.data.readers.folder import SPLIT_FOLDERS
from narrows.data.readers.image_files import SUFFIXES
from narrows.errors import DataError
from narrows.reading import reading

TAR_BLOCK = 512
GET_AGAIN = "get it again, or pack its images again"
MOST_FACTS = 1 << 20  # bytes of a file that says something of an image
MOST_CLASSES = 1 << 16  # that are given names

Classes = tuple[str, ...] | None


class TarMember(NamedTuple):
    """A file in a tar."""

    name: str
    offset: int
    size: int


class TarImage(NamedTuple):
    """An image in a tar: its name and place, and what `.cls` and `.json` say of it."""

    name: str
    offset: int
    size: int
    label: str | None
    kind: str | None


def read_headers(path: Path) -> Index:
    """The index of a tar that has none, from its headers; only small files next to the images are
    read.

    Raises `DataError` if it is not a tar, is cut short or damaged, or holds no images.
    """
    images = list(_images_in_tar(path))
    splits = set(SPLIT_FOLDERS) <= {_first_folder(image) for image in images}
    if splits:
        images = [image for image in images if _first_folder(image) in SPLIT_FOLDERS]
    if not images:
        raise DataError(f"{path} holds no images; known endings: {', '.join(SUFFIXES)}")
    labels, classes = _labels_of_tar(images, splits, path)
    entries = np.zeros(len(images), ENTRY)
    entries["offset"] = [image.offset for image in images]
    entries["size"] = [image.size for image in images]
    entries["label"] = -1 if labels is None else labels
    return Index(
        folder=path.parent,
        shards=(path.name,),
        bytes=(path.stat().st_size,),
        entries=entries,
        blob=join_words(image.name for image in images),
        classes=classes,
        splits=splits,
        labelled=labels is not None,
        summed=False,
    )


def _first_folder(image: TarImage) -> str | None:
    folder, slash, _ = image.name.partition("/")
    return folder if slash else None


def class_of(name: str, splits: bool) -> str | None:
    """The class of an image by its name: the first folder, below train/ and test/ if these are splits."""
    parts = name.split("/")[splits:]
    return parts[0] if len(parts) > 1 else None


def all_classes(kinds: Iterable[str | None]) -> Classes:
    """All classes, by name, from that of each image; None unless every image has one."""
    known = set(kinds)
    if None in known:
        return None
    return tuple(sorted(kind for kind in known if kind))


def _labels_of_tar(
    images: Sequence[TarImage], splits: bool, path: Path
) -> tuple[np.ndarray | None, Classes]:
    """The label of each image, and the classes: by `.cls` if all images have one, else by the folders."""
    words = [image.label for image in images if image.label is not None]
    if len(words) == len(images):
        return _labels_by_words(words, images, path)
    kinds = [class_of(image.name, splits) for image in images]
    classes = all_classes(kinds)
    if not classes:
        return None, classes
    place = {kind: k for k, kind in enumerate(classes)}
    return np.array([place[kind or ""] for kind in kinds]), classes


def _labels_by_words(
    words: list[str], images: Sequence[TarImage], path: Path
) -> tuple[np.ndarray, Classes]:
    labels, classes = check_labels(_as_integers(words), len(words), path)
    kinds = {int(label): image.kind for label, image in zip(labels, images) if image.kind}
    if classes is None and kinds and labels.min() >= 0 and labels.max() < MOST_CLASSES:
        classes = tuple(kinds.get(k, str(k)) for k in range(labels.max() + 1))
    return labels, classes


def _as_integers(words: list[str]) -> np.ndarray:
    """Words as integers if all are that."""
    try:
        return np.array(words).astype(np.int64)
    except ValueError:
        return np.array(words)


def _images_in_tar(path: Path) -> Iterator[TarImage]:
    """The images of a tar, with what the files next to them say."""
    with open(path, "rb") as tar:
        for _, group in groupby(_members(path), key=lambda member: _key_and_ending(member.name)[0]):
            members = list(group)
            facts = _facts_of(tar.fileno(), members)
            images = [member for member in members if member.name.lower().endswith(SUFFIXES)]
            for name, offset, size in images:
                if len(images) == 1:
                    name = facts.get("file", name)
                yield TarImage(name, offset, size, facts.get("cls"), facts.get("class"))


def _key_and_ending(name: str) -> tuple[str, str]:
    """Key and ending of a file's name, separated at the first dot after the folders."""
    folder, slash, last = name.rpartition("/")
    key, _, ending = last.partition(".")
    return folder + slash + key, ending.lower()


def _facts_of(tar: int, members: Iterable[TarMember]) -> dict[str, str]:
    """What the small files next to an image say of it."""
    facts: dict[str, str] = {}
    for name, offset, size in members:
        if size > MOST_FACTS:
            continue
        _, ending = _key_and_ending(name)
        if ending == "cls":
            word = os.pread(tar, size, offset).decode("utf-8", "replace").strip()
            facts["cls"] = intern(word)
        elif ending == "json":
            facts |= _facts_in_json(os.pread(tar, size, offset))
    return facts


def _facts_in_json(text: bytes) -> dict[str, str]:
    """The file and class that `tar_writer` writes into a `.json`; empty for any other content."""
    try:
        stored = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(stored, dict):
        return {}
    file = stored.get("file")
    kind = stored.get("class")
    if not (isinstance(file, str) and _is_safe(file) and file.lower().endswith(SUFFIXES)):
        return {}
    if isinstance(kind, str):
        return {"file": file, "class": intern(kind)}
    return {"file": file}


def _is_safe(name: str) -> bool:
    """Whether a name leads to a file in the folder that is not hidden."""
    return "\0" not in name and not any(part[:1] in ("", ".") for part in name.split("/"))


def _members(path: Path) -> Iterator[TarMember]:
    """The files of a tar, hidden ones left out. Raises `DataError`."""
    with (
        reading(path, GET_AGAIN, "cannot be read as a tar"),
        open(path, "rb") as file,
        tarfile.open(fileobj=cast(Any, BoundedFile(file)), mode="r:") as tar,
    ):
        while (member := tar.next()) is not None:
            cast(Any, tar).members.clear()  # they would pile up, 1 kB for each
            name = member.name.removeprefix("./")
            if member.isreg() and not member.issparse() and _is_safe(name):
                yield TarMember(name, member.offset_data, member.size)
        _check_end(path, tar.offset)


class BoundedFile:
    """A file of which never more is read than there is: space for what is asked for is made first,
    and a forged header of a long name asks for as much as it likes.
    """

    def __init__(self, file: IO[bytes]):
        self.file = file
        self.length = os.fstat(file.fileno()).st_size
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        return self.file.read(max(0, min(size, self.length - self.tell())))


def _check_end(path: Path, offset: int) -> None:
    """Refuse a tar whose last header is not that of its end."""
    with open(path, "rb") as file:
        file.seek(offset)
        if file.read(TAR_BLOCK) != bytes(TAR_BLOCK):
            raise DataError(f"{path} is cut short or damaged at byte {offset:,}; {GET_AGAIN}")
