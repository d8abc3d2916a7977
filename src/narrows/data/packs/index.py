"""The index of a pack: where in which tar each image lies, so that any one is read without the others.

`set.index`, beside `set.tar` or `set-00000.tar`, ..., is an `.npz` file by another name, with the arrays

    about     JSON: format (1), bytes (the length of each shard), splits, labelled
    shards    the names of the tars, beside the index
    entries   one an image: shard, offset (of its first byte), size (bytes), crc (CRC-32 of these), label
    names     the file name of each image
    classes   the name of each class; none where there are none

Names are bytes, each closed by a zero. The zip around them has a checksum of each array and its table of contents at
the end, so a damaged index or half of one is noticed.
"""

import json
import os
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from narrows.data.readers.arrays import NPZ_ERRORS as BROKEN_ARRAYS
from narrows.errors import DataError
from narrows.files import atomic

FORMAT = 1
ENTRY = np.dtype([("shard", "<u4"), ("offset", "<u8"), ("size", "<u8"), ("crc", "<u4"), ("label", "<i8")])
ASTRAY = re.compile(rb"[\0/]\.\.[\0/]|\0[\0/]")  # in names, each with a zero before it: one that leaves its folder
BROKEN = (*BROKEN_ARRAYS, msgspec.MsgspecError, AttributeError, TypeError, NotImplementedError, MemoryError)
Length = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]


class About(msgspec.Struct, forbid_unknown_fields=True):
    """What the index says of the pack as a whole."""

    format: int
    bytes: list[Length]
    splits: bool
    labelled: bool


@dataclass
class Index:
    """Where the images of a pack are, and what is known of each.

    folder: of the shards. shards, bytes: their names and lengths. entries: `ENTRY`, one an image.
    blob: the names, each closed by a zero byte, uint8. classes: None where there are none.
    splits: names begin with train/ or test/. labelled: `entries["label"]` says something.
    summed: `entries["crc"]` does, as in a pack; not in a tar without an index.
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

    @cached_property
    def ends(self) -> np.ndarray:
        """Where each name ends in the blob."""
        return np.flatnonzero(self.blob == 0)

    def name(self, k: int) -> str:
        """The file name of an image."""
        start = self.ends[k - 1] + 1 if k else 0
        return os.fsdecode(self.blob[start : self.ends[k]].tobytes())

    def write(self, path: Path) -> None:
        """Write it to `path`, whole or not at all."""
        about = json.dumps({"format": FORMAT, "bytes": self.bytes, "splits": self.splits, "labelled": self.labelled})
        with atomic(path) as aside, open(aside, "wb") as file:
            np.savez(
                file,
                about=np.frombuffer(about.encode(), np.uint8),
                shards=blob_of(self.shards),
                entries=self.entries,
                names=self.blob,
                classes=blob_of(self.classes or ()),
            )


def read_index(path: Path) -> Index:
    """The index in a file. Raises `DataError` where it is damaged, or says what cannot be."""
    try:
        return _checked(path)
    except BROKEN as error:
        plain = isinstance(error, (DataError, OSError, zipfile.BadZipFile))
        told = error if plain else "it is not that of a pack"
        raise DataError(
            f"the index {path} cannot be used: {told}; pack the folder again, or remove the index to read the tar "
            "without it"
        ) from error


def _checked(path: Path) -> Index:
    with np.load(path, allow_pickle=False) as stored:
        found = {name: stored[name] for name in ("about", "shards", "entries", "names", "classes")}
    about = msgspec.json.decode(found["about"].tobytes(), type=About)
    if about.format != FORMAT:
        raise DataError(f"it has format {about.format}, and this version of Narrows knows format {FORMAT}")
    index = Index(
        path.parent, words_of(found["shards"]), tuple(about.bytes), found["entries"], found["names"],
        words_of(found["classes"]) or None, about.splits, about.labelled,
    )  # fmt: skip
    if fault := _fault(index):
        raise DataError(fault)
    return index


def blob_of(words: Iterable[str]) -> np.ndarray:
    """Words as bytes, each closed by a zero."""
    return np.frombuffer(b"".join(os.fsencode(word) + b"\0" for word in words), np.uint8)


def words_of(blob: np.ndarray) -> tuple[str, ...]:
    """The words that `blob_of` was given."""
    return tuple(os.fsdecode(blob.tobytes()).split("\0")[:-1])


def _fault(index: Index) -> str:
    """What cannot be, in words; nothing where all is well."""
    entries, blob = index.entries, index.blob
    if entries.dtype != ENTRY or entries.ndim != 1 or blob.dtype != np.uint8 or blob.ndim != 1:
        return "its arrays are not those of an index"
    if not len(entries) or len(index.ends) != len(entries) or blob[-1] != 0:
        return f"it has {len(index.ends)} names for {len(entries)} images"
    if len(index.shards) != len(index.bytes) or any(Path(name).name != name for name in index.shards):
        return "the names of its tars are not names of files beside it"
    if ASTRAY.search(b"\0" + blob.tobytes()):
        return "it has names that lead out of their folder"
    return _lost(index)


def _lost(index: Index) -> str:
    """As `_fault`, for places and labels that lie outside."""
    entries, label = index.entries, index.entries["label"]
    if entries["shard"].max() >= len(index.shards):
        return "it places images in tars that it does not name"
    room = np.array(index.bytes, np.uint64)[entries["shard"]]
    if (entries["offset"] > room).any() or (entries["size"] > room - entries["offset"]).any():
        return "it places images beyond the end of their tar"
    if index.classes and not (index.labelled and label.min() >= 0 and label.max() < len(index.classes)):
        return "it has labels without a class"
    return ""
