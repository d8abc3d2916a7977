"""What readers of sets have in common: faults of a library become ours, labels that are no labels
are left out with a note, and rows of values become images.

A model needs no labels, so labels that are not one number or word an image stop nothing: they are
left out, and a note says under which name they are kept. Rows in which one value is 1 and the
others 0 ("one-hot") are the class of the place of the 1.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from math import isqrt, prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from narrows.data.image_set import ImageSet, Span, check_images, check_labels
from narrows.data.scratch import MOST_IN_MEMORY, scratch
from narrows.errors import DataError, wrong
from narrows.mapped import give_pages_back, in_parts
from narrows.reading import reading

REPLACE = "replace it with a complete copy"
ROWS_CHECKED = 4096  # at once

Shape = Sequence[int] | None


class Labels(NamedTuple):
    """Labels int64 `(N,)` with their classes, or None, and what there is to say of them."""

    values: np.ndarray | None = None
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    def of(self, span: Span | None) -> "Labels":
        """Those of some of the images."""
        if span is None or self.values is None:
            return self
        return self._replace(values=self.values[span.rows])


def readable(path: Path, what: str, cure: str = REPLACE) -> AbstractContextManager[None]:
    """The block reads `path` as `what`: see `narrows.reading.reading`."""
    return reading(path, cure, f"cannot be read as {what}")


def refuse_size(path: Path, expected: int, what: str) -> None:
    """Refuse a file that has not the bytes that its header gives: `DataError`."""
    got = path.stat().st_size
    if got != expected:
        fault = "is cut short" if got < expected else "is too long"
        raise DataError(
            f"{path} {fault}: {what} takes {expected} bytes, and it holds {got}; {REPLACE}"
        )


def set_of(
    images: np.ndarray,
    labels: Labels,
    path: Path,
    source: str,
    notes: Sequence[str] = (),
) -> ImageSet:
    """Images and labels of a file as a set. Raises `DataError` for what is not images."""
    check_images(images, path)
    return ImageSet(
        images,
        labels.values,
        classes=labels.classes,
        source=source,
        notes=(*notes, *labels.notes),
    )


def settled(images: np.ndarray) -> np.ndarray:
    """Images in this machine's byte order: as a plain array if they are small, else mapped as they
    are, or copied to the disk in pieces (`scratch`) if their bytes must be changed.
    """
    native = images.dtype.newbyteorder("=")
    if images.nbytes <= MOST_IN_MEMORY:
        return np.array(images, native, order="C", copy=isinstance(images, np.memmap) or None)
    if images.dtype == native:
        return images
    changed = scratch(images.shape, native)
    for start, part in in_parts(images):
        changed[start : start + len(part)] = part
        give_pages_back(changed)
    return changed


def labels_or_note(labels: np.ndarray, count: int, key: str, path: Path) -> Labels:
    """The labels of `count` images, kept in `path` under `key`, if they are one an image.

    Raises `DataError` for labels of another number of images.
    """
    if labels.dtype.kind != "O" and (labels.ndim == 0 or len(labels) != count):
        raise DataError(
            f"{path} holds labels of shape {labels.shape} for {count} images, under {key!r}; "
            "expected one label an image, or none"
        )
    if labels.ndim == 2 and labels.shape[1] > 1 and _is_one_hot(labels):
        note = f"The labels {key!r} in {path} are one-hot rows; the class is the place of the 1."
        return Labels(labels.argmax(axis=1).astype(np.int64), None, (note,))
    if labels.size == count and _is_integer_or_word(labels):
        return Labels(*check_labels(labels, count, path))
    return left_out(key, path, f"of type {labels.dtype} and shape {labels.shape}")


def left_out(key: str, path: Path, what: str) -> Labels:
    """No labels, and a note that says why."""
    note = f"The labels {key!r} in {path} are not one number or word an image ({what}); they are left out."
    return Labels(notes=(note,))


def _is_one_hot(labels: np.ndarray) -> bool:
    if labels.dtype.kind not in "biuf":
        return False
    for start in range(0, len(labels), ROWS_CHECKED):
        rows = labels[start : start + ROWS_CHECKED]
        if not (((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all()):
            return False
    return True


def _is_integer_or_word(labels: np.ndarray) -> bool:
    if labels.dtype.kind != "f":
        return labels.dtype.kind in "biuUS"
    return bool(np.isfinite(labels).all() and (labels == np.rint(labels)).all())


def as_shape(shape: Any) -> tuple[int, ...]:
    """The option `shape`: (H, W) or (H, W, C). Raises `BuildError`."""
    sides = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    if len(sides) not in (2, 3) or not all(type(side) is int and side > 0 for side in sides):
        raise wrong("shape", shape, "height and width, and channels if there are several")
    return sides


def images_of_rows(
    rows: np.ndarray, shape: Shape, path: Path
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Rows of values `(N, D)` as images of that shape, or square ones, and what is to be said of it.

    Rows that are no square stay a table.
    """
    count, width = rows.shape
    side = isqrt(width)
    if shape is not None:
        sides = as_shape(shape)
        if prod(sides) != width:
            raise wrong("shape", shape, f"the {width} values of a row in {path}")
        return rows.reshape(count, *sides), ()
    if side * side == width and side > 1:
        return rows.reshape(count, side, side), ()
    note = (
        f"The rows of {path} have {width} values, which are no square image; they are read as a "
        "table. If they are images, say of which height, width and channels: shape (--shape)."
    )
    return rows, (note,)
