"""Any tar of images that has no index: where its images lie, and what is known of them, from its headers.

It is read as the folder that it would be unpacked into: first-level folders are classes, `train/` and `test/` splits.
Where small files stand beside the images, as in WebDataset (see `tar_writer`), these win:

    a/7.png  a/7.cls     the class of the image of the same key (a/7): a number or a word
    a/7.png  a/7.json    its name and class, where a pack was made here
"""

import json
import os
import tarfile
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from sys import intern
from typing import Any, NamedTuple, cast

import numpy as np

from narrows.data.image_set import check_labels
from narrows.data.packs.index import ENTRY, Index, blob_of
from narrows.data.readers.folder import SPLITS
from narrows.data.readers.image_files import SUFFIXES
from narrows.errors import DataError

BLOCK = 512
CURE = "get it again, or pack its images again"
SMALL = 1 << 20  # bytes of a file that says something of an image
MOST = 1 << 16  # classes that are given names
Member = tuple[str, int, int]  # name, offset, size


class Found(NamedTuple):
    """An image in a tar: its name and place, and what `.cls` and `.json` say of it."""

    name: str
    offset: int
    size: int
    label: str | None
    kind: str | None


def read_headers(path: Path) -> Index:
    """The index of a tar that has none, from its headers; only small files beside the images are read.

    Raises `DataError` where it is no tar, cut short or damaged, or holds no images.
    """
    found = list(_images(path))
    splits = set(SPLITS) <= {one.name.split("/")[0] for one in found if "/" in one.name}
    if splits:
        found = [one for one in found if one.name.split("/")[0] in SPLITS]
    if not found:
        raise DataError(f"{path} holds no images; known endings: {', '.join(SUFFIXES)}")
    labels, classes = _labels(found, splits, path)
    entries = np.zeros(len(found), ENTRY)
    entries["offset"], entries["size"] = [one.offset for one in found], [one.size for one in found]
    entries["label"] = -1 if labels is None else labels
    return Index(
        path.parent, (path.name,), (path.stat().st_size,), entries, blob_of(one.name for one in found), classes,
        splits, labelled=labels is not None, summed=False,
    )  # fmt: skip


def class_of(name: str, splits: bool) -> str | None:
    """The class of an image by its name: the first folder, below train/ and test/ where these are splits."""
    parts = name.split("/")[splits:]
    return parts[0] if len(parts) > 1 else None


def classes_of(kinds: Iterable[str | None]) -> tuple[str, ...] | None:
    """All classes, by name, from that of each image; None unless every image has one."""
    found = set(kinds)
    return None if None in found else tuple(sorted(kind for kind in found if kind))


def _labels(found: list[Found], splits: bool, path: Path) -> tuple[np.ndarray | None, tuple[str, ...] | None]:
    """The label of each image, and the classes: by `.cls` where all have one, else by the folders."""
    if any(one.label is None for one in found):
        classes = classes_of(class_of(one.name, splits) for one in found)
        place = {kind: k for k, kind in enumerate(classes or ())}
        labels = np.array([place[class_of(one.name, splits) or ""] for one in found]) if classes else None
        return labels, classes
    labels, classes = check_labels(_numbers([one.label or "" for one in found]), len(found), path)
    named = {int(label): one.kind for label, one in zip(labels, found) if one.kind}
    if classes is None and named and labels.min() >= 0 and labels.max() < MOST:
        classes = tuple(named.get(k, str(k)) for k in range(labels.max() + 1))
    return labels, classes


def _numbers(words: list[str]) -> np.ndarray:
    """Words as whole numbers where they are that."""
    try:
        return np.array(words).astype(np.int64)
    except ValueError:
        return np.array(words)


def _images(path: Path) -> Iterator[Found]:
    """The images of a tar, with what stands beside them."""
    with open(path, "rb") as tar:
        for _, members in groupby(_members(path), key=lambda member: _split(member[0])[0]):
            group = list(members)
            beside = _beside(tar.fileno(), group)
            images = [member for member in group if member[0].lower().endswith(SUFFIXES)]
            for name, offset, size in images:
                name = beside.get("file", name) if len(images) == 1 else name
                yield Found(name, offset, size, beside.get("cls"), beside.get("class"))


def _split(name: str) -> tuple[str, str]:
    """Key and ending of a file's name, parted at the first dot behind the folders."""
    folder, slash, last = name.rpartition("/")
    key, _, ending = last.partition(".")
    return folder + slash + key, ending.lower()


def _beside(tar: int, group: list[Member]) -> dict[str, str]:
    """What the small files beside an image say of it."""
    facts: dict[str, str] = {}
    for name, offset, size in group:
        if size > SMALL:
            continue
        match _split(name)[1]:
            case "cls":
                facts["cls"] = intern(os.pread(tar, size, offset).decode("utf-8", "replace").strip())
            case "json":
                facts |= _facts(os.pread(tar, size, offset))
    return facts


def _facts(text: bytes) -> dict[str, str]:
    """Of a `.json` what we write there, if it is that."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    file, kind = (told.get("file"), told.get("class")) if isinstance(told, dict) else (None, None)
    if not (isinstance(file, str) and _stays(file) and file.lower().endswith(SUFFIXES)):
        return {}
    return {"file": file, "class": intern(kind)} if isinstance(kind, str) else {"file": file}


def _stays(name: str) -> bool:
    """Whether a name leads to a file in the folder that is not hidden."""
    return "\0" not in name and not any(part[:1] in ("", ".") for part in name.split("/"))


def _members(path: Path) -> Iterator[Member]:
    """The files of a tar, hidden ones left out. Raises `DataError`."""
    try:
        with tarfile.open(path, "r:") as tar:
            while (member := tar.next()) is not None:
                cast(Any, tar).members.clear()  # they would pile up, 1 kB for each
                name = member.name.removeprefix("./")
                if member.isreg() and not member.issparse() and _stays(name):
                    yield name, member.offset_data, member.size
            _check_end(path, tar.offset)
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} cannot be read as a tar ({error}); {CURE}") from error


def _check_end(path: Path, offset: int) -> None:
    """Refuse a tar whose last header is not that of its end."""
    with open(path, "rb") as file:
        file.seek(offset)
        if file.read(BLOCK) != bytes(BLOCK):
            raise DataError(f"{path} is cut short or damaged at byte {offset:,}; {CURE}")
