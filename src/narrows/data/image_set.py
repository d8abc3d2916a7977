"""What every reader gives: images with all that is known about them.

The fingerprint is the first 16 hex digits of

    SHA-256( "<type> <shape>" | values, little-endian, row by row )

so that it names the pixels, whatever file, compression or machine they came from.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from narrows.errors import DataError

STEP = 4096  # images hashed in one go, so that a memory map is never loaded whole


@dataclass(frozen=True)
class Span:
    """Rows `first` up to `stop` of a whole of `total` inputs; `inputs` are 16 hex digits that name these."""

    first: int
    stop: int
    total: int
    inputs: str

    @property
    def rows(self) -> slice:
        return slice(self.first, self.stop)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images and what is known about them.

    images: `(N, H, W)` or `(N, H, W, C)` (or `(N, D)`, a table), uint8 0..255 or the file's own type.
    labels: int64 `(N,)`, places in `classes`; None where there are none.
    names: the file name of each image, relative to its folder; None where they are no files.
    classes: the name of each class; None where they have none.
    source: where the images came from, in words.
    skipped: (file name, reason) for each file that could not be read.
    span: which rows of the whole these are, where a share of it was asked for (`share`); then there may be none.
    noisy: the same images as they were spoilt, of the same shape, where they are pairs (`pairs`).
    """

    images: np.ndarray
    labels: np.ndarray | None = None
    names: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None
    source: str = ""
    skipped: tuple[tuple[str, str], ...] = ()
    span: Span | None = None
    noisy: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def pair(self) -> tuple[np.ndarray, np.ndarray | None]:
        """The images, and the noisy ones where they are pairs."""
        return self.images, self.noisy

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that name these pixels (see the module), of both of a pair. Computed when first asked for."""
        own = fingerprint(self.images)
        if self.noisy is None:
            return own
        return hashlib.sha256(f"{own} {fingerprint(self.noisy)}".encode()).hexdigest()[:16]


def fingerprint(images: np.ndarray) -> str:
    """16 hex digits that name the values, type and shape of an array (see the module).

    Reads every value: about 0.1 s for 60,000 images of 28 x 28.
    """
    digest = hashlib.sha256(f"{images.dtype.name} {images.shape}".encode())
    little = images.dtype.newbyteorder("<")
    for start in range(0, len(images), STEP):
        digest.update(np.ascontiguousarray(images[start : start + STEP], dtype=little).data)
    return digest.hexdigest()[:16]


def join(sets: Sequence[ImageSet]) -> ImageSet:
    """Several sets of the same kind, one after the other."""
    if len(sets) == 1:
        return sets[0]
    labels = [s.labels for s in sets if s.labels is not None]
    names = [s.names for s in sets if s.names is not None]
    return ImageSet(
        images=np.concatenate([s.images for s in sets]),
        labels=np.concatenate(labels) if len(labels) == len(sets) else None,
        names=sum(names, ()) if len(names) == len(sets) else None,
        classes=sets[0].classes,
        source="; ".join(dict.fromkeys(s.source for s in sets)),
        skipped=sum((s.skipped for s in sets), ()),
    )


def check_images(images: Any, path: Path) -> None:
    """Refuse an array that is no batch of images: `DataError`."""
    if images.dtype.kind not in "biuf":
        raise DataError(f"{path} holds values of type {images.dtype}; expected numbers")
    if images.ndim not in (2, 3, 4) or 0 in images.shape:
        raise DataError(
            f"{path} holds an array of shape {images.shape}; "
            "expected at least one image as (N, D), (N, H, W) or (N, H, W, C)"
        )


def check_labels(labels: np.ndarray, count: int, path: Path) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Labels as int64 `(N,)`, and the classes where the labels were words. Raises `DataError`."""
    if labels.size != count or labels.shape[0] != count:
        raise DataError(
            f"{path} holds labels of shape {labels.shape} for {count} images; expected one label an image, ({count},)"
        )
    flat = labels.reshape(count)
    if flat.dtype.kind in "US":
        classes, index = np.unique(flat.astype(str), return_inverse=True)
        return index.astype(np.int64), tuple(map(str, classes))
    with np.errstate(invalid="ignore"):  # NaN is refused below, in words
        whole = flat.astype(np.int64) if flat.dtype.kind in "biuf" else None
    if whole is None or not np.array_equal(flat, whole):
        raise DataError(f"{path} holds labels of type {flat.dtype}; expected whole numbers or words")
    return whole, None


def one_split(path: Path, split: str) -> None:
    """Refuse "test" of a file that is one set: `DataError`."""
    if split == "test":
        raise DataError(
            f"{path} has no test split, it is one set; read it with split='all', "
            "or give the path of the test images themselves"
        )
