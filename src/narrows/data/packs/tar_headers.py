"""Any tar of images that has no index: where its images are, and what is known of them, from its
headers.

It is read as the folder that it would be unpacked into: first-level folders are classes, or parts
and classes below them (`readers.parts`). Links to files are followed; of a file that is in it twice
the later counts. If there are small files next to the images, as in WebDataset (see `tar_writer`),
these win:

    a/7.png    a/7.cls      the class of the image of the same name: a number or a word
    a/7.l.png  a/7.cls      or of the same key, the name up to its first dot
    a/7.png    a/7.json     its name and class, if Narrows made the pack
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from sys import intern
from typing import Any, NamedTuple

import numpy as np

from narrows.data.image_set import check_labels
from narrows.data.packs.index import ENTRY, Index, join_words
from narrows.data.packs.tar_members import TarContents, is_safe, read_members
from narrows.data.readers.image_files import SUFFIXES
from narrows.data.readers.parts import Division, class_of, division_of_names, is_mask
from narrows.errors import DataError, counted

MOST_FACTS = 1 << 20  # bytes of a file that says something of an image
MOST_CLASSES = 1 << 16  # that are given names

Classes = tuple[str, ...] | None


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
    contents = read_members(path)
    every = list(_images_in_tar(path, contents))
    division = division_of_names(image.name for image in every)
    images, skipped, notes = _without_strays(every, division)
    if not images:
        raise DataError(f"{path} holds no images; known endings: {', '.join(SUFFIXES)}")
    labels, classes, words = _labels_of_tar(images, bool(division), path)
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
        splits=bool(division),
        labelled=labels is not None,
        summed=False,
        skipped=(*contents.skipped, *skipped),
        notes=(*contents.notes(path), *notes, *words),
    )


def _without_strays(
    every: Sequence[TarImage], division: Division
) -> tuple[list[TarImage], list[tuple[str, str]], list[str]]:
    """The images that are no masks and in some part, (name, reason) of others, and what to say."""
    masks = [image.name for image in every if is_mask(image.name, bool(division))]
    folders = {*division.all_folders()}
    images, skipped = [], []
    for image in every:
        if is_mask(image.name, bool(division)):
            continue
        if division and image.name.partition("/")[0] not in folders:
            skipped.append((image.name, f"it is in none of the parts {division.names()}"))
        else:
            images.append(image)
    notes = [counted("masks, which are used in folders alone", masks)] if masks else []
    return images, skipped, notes


def all_classes(kinds: Iterable[str | None]) -> Classes:
    """All classes, by name, from that of each image; None unless every image has one."""
    known = set(kinds)
    if None in known:
        return None
    return tuple(sorted(kind for kind in known if kind))


def _labels_of_tar(
    images: Sequence[TarImage], splits: bool, path: Path
) -> tuple[np.ndarray | None, Classes, list[str]]:
    """The label of each image, the classes, and what to say: by `.cls` if all images have one, else
    by the folders.
    """
    words = [image.label for image in images if image.label is not None]
    if len(words) == len(images):
        return *_labels_by_words(words, images, path), []
    notes = []
    if words:
        missing = [image.name for image in images if image.label is None]
        notes = [counted("images have no .cls, so none is used", missing)]
    kinds = [class_of(image.name, splits) for image in images]
    classes = all_classes(kinds)
    if not classes:
        return None, classes, notes
    place = {kind: k for k, kind in enumerate(classes)}
    return np.array([place[kind or ""] for kind in kinds]), classes, notes


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


def _images_in_tar(path: Path, contents: TarContents) -> Iterator[TarImage]:
    """The images of a tar, with what the files next to them say."""
    images = [name for name in contents.files if name.lower().endswith(SUFFIXES)]
    with open(path, "rb") as tar:
        facts_of = _facts_by_key(tar.fileno(), contents)
        keys = [_key_of(name, facts_of) for name in images]
        alone = Counter(keys)
        for name, key in zip(images, keys):
            facts = facts_of.get(key, {})
            shown = facts.get("file", name) if alone[key] == 1 else name
            yield TarImage(shown, *contents.files[name], facts.get("cls"), facts.get("class"))


def _key_of(name: str, facts_of: Mapping[str, Any]) -> str:
    """The key by which something is said of an image: its name without the ending, or up to the
    first dot after the folders.
    """
    stem = name.rpartition(".")[0]
    folder, slash, last = name.rpartition("/")
    return stem if stem in facts_of else folder + slash + last.partition(".")[0]


def _facts_by_key(tar: int, contents: TarContents) -> dict[str, dict[str, str]]:
    """What the small files of a tar say, by their names without endings."""
    facts_of: dict[str, dict[str, str]] = {}
    for name, (offset, size) in contents.files.items():
        key, _, ending = name.rpartition(".")
        if ending.lower() not in ("cls", "json") or size > MOST_FACTS:
            continue
        facts = facts_of.setdefault(key, {})
        data = os.pread(tar, size, offset)
        if ending.lower() == "cls":
            facts["cls"] = intern(data.decode("utf-8", "replace").strip())
        else:
            facts |= _facts_in_json(data)
    return facts_of


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
    if not (isinstance(file, str) and is_safe(file) and file.lower().endswith(SUFFIXES)):
        return {}
    if isinstance(kind, str):
        return {"file": file, "class": intern(kind)}
    return {"file": file}
