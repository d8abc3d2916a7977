"""Arrays with names inside one file (HDF5, MATLAB 7.3, Zarr): which are images, which are labels.

    images, x_train, train/data, train         images: by the last part of the path, less the split
    targets, y_train, train/labels             labels of the images next to them, of the same split
    anything, if it is the only array          of numbers with two to four axes

`file.h5::/group/data` names the array, or the group that holds it. Splits are known by the words
train, val and test in a path.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np

from narrows.data.image_set import refuse_parts
from narrows.data.readers.reading import Labels, labels_or_note, left_out
from narrows.errors import DataError, did_you_mean, several

PARTS = ("train", "val", "test")
SPLIT_WORDS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
IMAGE_NAMES = ("images", "image", "imgs", "img", "x", "data", "")
LABEL_NAMES = ("labels", "label", "y", "targets", "target", "classes", "class")
WORDS = re.compile(r"[_\W]+")


@dataclass(frozen=True)
class Entry:
    """An array inside a file: its path there, without a leading slash, its shape and type."""

    key: str
    shape: tuple[int, ...]
    dtype: np.dtype

    @cached_property
    def words(self) -> list[list[str]]:
        """The words of each part of its path, in lower case."""
        return [WORDS.split(part) for part in self.key.lower().split("/")]

    @cached_property
    def split(self) -> str:
        """The split that its path names; empty if it names none."""
        return split_of(self.key)

    @cached_property
    def place(self) -> tuple[str, ...]:
        """Its path, less the words that name a split: folders, then the name."""
        parts = (
            "_".join(word for word in words if word not in SPLIT_WORDS) for words in self.words
        )
        return tuple(part for part in parts if part)

    @property
    def name(self) -> str:
        return self.place[-1] if self.place else ""

    @property
    def may_be_images(self) -> bool:
        numbers = self.dtype.kind in "biuf" and prod(self.shape) > 0
        return numbers and len(self.shape) in (2, 3, 4)

    def __str__(self) -> str:
        return f"{self.key} {self.shape} {self.dtype}"


def split_of(name: str) -> str:
    """The split that a word of a path names; empty if none does."""
    words = WORDS.split(name.lower())
    return next((SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS), "")


class Part(NamedTuple):
    """Images inside a file, and their labels if it has any."""

    images: Entry
    labels: Entry | None


def choose_parts(path: Path, entries: Sequence[Entry], split: str, array: str = "") -> list[Part]:
    """Which arrays of a file to read: those of a split, or of all.

    array: the path inside of the images, or of the group that holds them; empty: found by name.
    Raises `DataError`.
    """
    candidates = _candidates(path, entries, array.strip("/"))
    by_split: dict[str, list[Entry]] = {}
    for entry in candidates:
        by_split.setdefault(entry.split, []).append(entry)
    if array and len(by_split) == 1:  # the path says all, so it is one set
        by_split = {"": candidates}
    chosen = [_images(path, by_split[part]) for part in wanted_splits(path, by_split, split)]
    return [Part(images, _labels_of(images, entries)) for images in chosen]


def splits_inside(entries: Sequence[Entry], array: str = "") -> set[str]:
    """The splits that the images of a file are divided into; empty if it is one set.

    array: see `choose_parts`; what it names is one set, unless it is a group with several splits.
    """
    array = array.strip("/")
    inside = [entry for entry in entries if not array or entry.key.startswith(f"{array}/")]
    splits = {entry.split for entry in inside if entry.may_be_images}
    return splits - {""} if not array or len(splits) > 1 else set()


def _candidates(path: Path, entries: Sequence[Entry], array: str) -> list[Entry]:
    """The arrays that may be images, among those that `array` names."""
    chosen = [entry for entry in entries if entry.key == array]
    if not chosen:
        below = f"{array}/" if array else ""
        found = [entry for entry in entries if entry.key.startswith(below)]
        chosen = [entry for entry in found if entry.name not in LABEL_NAMES]
    if array and not chosen:
        keys = [entry.key for entry in entries]
        raise DataError(f"{path} has no array called {array!r}; {did_you_mean(array, keys)}")
    candidates = [entry for entry in chosen if entry.may_be_images]
    if not candidates:
        raise DataError(
            f"{path} has no images, numbers of shape (N, D), (N, H, W) or (N, H, W, C), in "
            f"{several(chosen) or 'it'}"
        )
    return candidates


def wanted_splits(path: Path, by_split: Mapping[str, object], split: str) -> Sequence[str]:
    """Which splits to read, of those that there are; the empty one is a set that has none.

    Raises `DataError` if the one that is asked for is not there.
    """
    splits = [part for part in PARTS if part in by_split]
    if not splits:
        refuse_parts(path, split)
        return [""]
    if split != "all" and split not in splits:
        raise DataError(f"{path} has no {split} split, only {' and '.join(splits)}")
    return splits if split == "all" else [split]


def _images(path: Path, candidates: Sequence[Entry]) -> Entry:
    """The array of images: the only one, or the one with a known name."""
    named = [entry for entry in candidates if entry.name in IMAGE_NAMES]
    if len(candidates) == 1:
        return candidates[0]
    if not named:
        raise DataError(
            f"{path} has several arrays that may be images: {several(candidates)}; say which, "
            f"such as '{path}::/{candidates[0].key}'"
        )
    return min(named, key=lambda entry: IMAGE_NAMES.index(entry.name))


def _labels_of(images: Entry, entries: Sequence[Entry]) -> Entry | None:
    near = [
        entry
        for entry in entries
        if entry.name in LABEL_NAMES
        and entry.place[:-1] == images.place[:-1]
        and entry.split == images.split
        and entry is not images
    ]
    return min(near, key=lambda entry: LABEL_NAMES.index(entry.name), default=None)


def take_labels(
    entry: Entry | None, count: int, path: Path, read: Callable[[str], np.ndarray]
) -> Labels:
    """Labels of `count` images. Those that are not one an image, or cannot be read, are left out with
    a note.
    """
    if entry is None:
        return Labels()
    if prod(entry.shape) != count and entry.shape[:1] != (count,):
        return left_out(entry.key, path, f"of shape {entry.shape} for {count} images")
    try:
        values = read(entry.key)
    except DataError as error:
        return left_out(entry.key, path, str(error))
    flat = values.reshape(count) if values.size == count else values
    return labels_or_note(flat, count, entry.key, path)
