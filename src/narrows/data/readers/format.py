"""What the table of formats knows of one: its reader, and how a file of it is known.

A reader is imported when its first file is met, so the table has only its place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np

from narrows.data.image_set import ImageSet, check_images, check_labels
from narrows.data.readers.recognise import Recognise

Reader = Callable[..., ImageSet]
HasSplit = Callable[[Path, str], bool]


@dataclass(frozen=True)
class Format:
    """One format of files.

    title: what it is, for a message.
    reader: the function that reads it, or where it is: "readers.npz:read_npz", below
        `narrows.data`.
    recognise: whether a file or a folder is of this format, by its path and its first bytes (see
        `recognise`).
    endings: patterns of names that files of this format usually have; they decide only about files
        that nothing recognises.
    splits: whether a file has the split "train", "val" or "test", a function of path and split, or
        where that is; None: a file is one set.
    shares: whether the reader can read a share of many files alone (`share`, `mode`: see
        `load.read_data`).
    """

    title: str
    reader: Reader | str
    recognise: Recognise
    endings: tuple[str, ...] = ()
    splits: HasSplit | str | None = None
    shares: bool = False

    @property
    def read(self) -> Reader:
        return _resolve(self.reader)

    def has_split(self, path: Path, split: str, array: str = "") -> bool:
        """Whether a file has a split. An array that is named inside of one is one set, unless
        `splits` says otherwise.
        """
        if self.splits is None:
            return False
        has_split = _resolve(self.splits)
        if not array:
            return has_split(path, split)
        return "array" in signature(has_split).parameters and has_split(path, split, array=array)


def _resolve(function: Callable[..., Any] | str) -> Callable[..., Any]:
    if not isinstance(function, str):
        return function
    module, name = function.split(":")
    return getattr(import_module(f"narrows.data.{module}"), name)


def as_image_set(result: Any, path: Path) -> ImageSet:
    """What a reader returned as a set. A registered one may return images alone, or images and
    labels. Raises `DataError`.
    """
    if isinstance(result, ImageSet):
        return result
    images, labels = result if isinstance(result, tuple) else (result, None)
    images = np.asarray(images)
    check_images(images, path)
    if labels is None:
        return ImageSet(images, source=f"the file {path}")
    labels, classes = check_labels(np.asarray(labels), len(images), path)
    return ImageSet(images, labels, classes=classes, source=f"the file {path}")
