"""The index of a pack: where in which tar each image is, so that any one is read without the
others.

`set.index`, next to `set.tar` or `set-00000.tar`, ..., is an `.npz` file by another name, with the arrays

    about     JSON: format (1), bytes (the length of each shard), splits, labelled
    shards    the names of the tars, next to the index
    entries   one an image: shard, offset (of its first byte), size (bytes), crc (CRC-32 of these), label
    names     the file name of each image
    classes   the name of each class; empty if there are none

Names are bytes, each ended by a zero. The zip around them has a checksum of each array and its
table of contents at the end, so that a damaged index or half of one is noticed.
"""

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from narrows.data.numpy_files import Npz
from narrows.data.readers.parts import UNDIVIDED, Division, division_of_names
from narrows.errors import escaped
from narrows.files import atomic
from narrows.reading import reading

INDEX_FORMAT = 1
ENTRY = np.dtype(
    [("shard", "<u4"), ("offset", "<u8"), ("size", "<u8"), ("crc", "<u4"), ("label", "<i8")]
)
# in names, each after a zero: one that leaves its folder
LEADS_OUT = re.compile(rb"[\0/]\.\.[\0/]|\0[\0/]")
CURE = "pack the folder again, or remove the index to read the tar without it"
Length = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]


class About(msgspec.Struct, forbid_unknown_fields=True):
    """What the index says of the complete pack."""

    format: int
    bytes: list[Length]
    splits: bool
    labelled: bool


@dataclass
class Index:
    """Where the images of a pack are, and what is known of each.

    folder: of the shards. shards, bytes: their names and lengths. entries: `ENTRY`, one an image.
    blob: the names, each ended by a zero byte, uint8. classes: None if there are none.
    splits: the first folders of names are parts, such as train/ and test/.
    labelled: `entries["label"]` says something.
    summed: `entries["crc"]` does, as in a pack; not in a tar without an index.
    skipped, notes: what was left out of a tar without an index, and what else to say, see `ImageSet`.
    """

    folder: Path
    shards: tuple[str, ...]
    bytes: tuple[int, ...]
    entries: np.ndarray
    blob: np.ndarray
    classes: tuple[str, ...] | None = None
    splits: bool = False
    labelled: bool = False
    summed: bool = True
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @cached_property
    def ends(self) -> np.ndarray:
        """Where each name ends in the blob."""
        return np.flatnonzero(self.blob == 0)

    @cached_property
    def division(self) -> Division:
        """How the images are divided into parts."""
        if not self.splits:
            return UNDIVIDED
        return division_of_names(self.name(k) for k in range(len(self.entries)))

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names of the classes, as text can hold them."""
        return self.classes and tuple(map(escaped, self.classes))

    def notes_of(self, split: str, path: Path) -> tuple[str, ...]:
        """What is to say of reading a split."""
        return (*self.division.notes(split, path), *self.notes)

    def name(self, k: int) -> str:
        """The file name of an image."""
        start = self.ends[k - 1] + 1 if k else 0
        return os.fsdecode(self.blob[start : self.ends[k]].tobytes())

    def write(self, path: Path) -> None:
        """Write it to `path`, atomically."""
        about = {
            "format": INDEX_FORMAT,
            "bytes": self.bytes,
            "splits": self.splits,
            "labelled": self.labelled,
        }
        with atomic(path) as temporary, open(temporary, "wb") as file:
            np.savez(
                file,
                about=np.frombuffer(json.dumps(about).encode(), np.uint8),
                shards=join_words(self.shards),
                entries=self.entries,
                names=self.blob,
                classes=join_words(self.classes or ()),
            )


def read_index(path: Path) -> Index:
    """The index in a file. Raises `DataError` if it is damaged, or says what cannot be."""
    with reading(f"the index {path}", CURE, "cannot be used, it is damaged or not that of a pack"):
        index = _load_index(path)
        for check in (_check_arrays, _check_names, _check_places, _check_classes):
            check(index)
        return index


def _load_index(path: Path) -> Index:
    with Npz(path) as stored:
        arrays = {name: stored[name] for name in ("about", "shards", "entries", "names", "classes")}
    about = msgspec.json.decode(arrays["about"].tobytes(), type=About)
    if about.format != INDEX_FORMAT:
        raise ValueError(
            f"it has format {about.format}, and this version of Narrows knows format {INDEX_FORMAT}"
        )
    return Index(
        folder=path.parent,
        shards=split_words(arrays["shards"]),
        bytes=tuple(about.bytes),
        entries=arrays["entries"],
        blob=arrays["names"],
        classes=split_words(arrays["classes"]) or None,
        splits=about.splits,
        labelled=about.labelled,
    )


def join_words(words: Iterable[str]) -> np.ndarray:
    """Words as bytes, each ended by a zero."""
    return np.frombuffer(b"".join(os.fsencode(word) + b"\0" for word in words), np.uint8)


def split_words(blob: np.ndarray) -> tuple[str, ...]:
    """The words that `join_words` was given."""
    return tuple(os.fsdecode(blob.tobytes()).split("\0")[:-1])


# What is wrong is a `ValueError`, to which `read_index` adds the file.


def _check_arrays(index: Index) -> None:
    entries = index.entries
    blob = index.blob
    if entries.dtype != ENTRY or entries.ndim != 1 or blob.dtype != np.uint8 or blob.ndim != 1:
        raise ValueError("its arrays are not those of an index")
    if not len(entries) or len(index.ends) != len(entries) or blob[-1] != 0:
        raise ValueError(f"it has {len(index.ends)} names for {len(entries)} images")


def _check_names(index: Index) -> None:
    are_files = all(Path(name).name == name for name in index.shards)
    if len(index.shards) != len(index.bytes) or not are_files:
        raise ValueError("the names of its tars are not names of files next to it")
    if LEADS_OUT.search(b"\0" + index.blob.tobytes()):
        raise ValueError("it has names that lead out of their folder")


def _check_places(index: Index) -> None:
    entries = index.entries
    if entries["shard"].max() >= len(index.shards):
        raise ValueError("it places images in tars that it does not name")
    length = np.array(index.bytes, np.uint64)[entries["shard"]]
    offset = entries["offset"]
    if (offset > length).any() or (entries["size"] > length - offset).any():
        raise ValueError("it places images beyond the end of their tar")


def _check_classes(index: Index) -> None:
    if not index.classes:
        return
    label = index.entries["label"]
    if not index.labelled or label.min() < 0 or label.max() >= len(index.classes):
        raise ValueError("it has labels without a class")
