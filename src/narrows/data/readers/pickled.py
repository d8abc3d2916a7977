"""Sets of images in pickles of Python, read without running any code (`closed_pickle`).

    dict             images under data, images, X or x (or the option `array`), labels under labels,
                     fine_labels, targets or y; rows of 3,072 values are CIFAR's, all red, all green,
                     all blue values
    (train, val, test), (train, test)   each a pair of images and labels: mnist.pkl.gz
    an array         images

Rows of values become square images, or of the option `shape`. A pickle may be gzipped.
"""

from pathlib import Path
from typing import Any

import numpy as np

from narrows.data.image_set import ImageSet, join_sets, refuse_parts
from narrows.data.readers.closed_pickle import unpickled
from narrows.data.readers.idx import read_unzipped
from narrows.data.readers.reading import (
    Labels,
    Shape,
    images_of_rows,
    labels_or_note,
    left_out,
    readable,
    set_of,
    settled,
)
from narrows.errors import DataError, did_you_mean

IMAGE_KEYS = ("data", "images", "X", "x")
LABEL_KEYS = ("labels", "fine_labels", "targets", "y")
PARTS = {2: ("train", "test"), 3: ("train", "val", "test")}
CIFAR_PIXELS = 3072
COARSE = "The labels are the fine ones; the coarse ones are left out."


def read_pickle(path: Path, split: str = "all", array: str = "", shape: Shape = None) -> ImageSet:
    """The images in a pickle. array: the key of the images. shape: (H, W) or (H, W, C), if images are
    rows. Raises `DataError`.
    """
    content = _content(path)
    with readable(path, "a pickled set of images"):
        if not _has_parts(content):
            refuse_parts(path, split)
            return _read_one(content, array, shape, path)
        parts = PARTS[len(content)]
        chosen = [part for part in parts if split in (part, "all")]
        if not chosen:
            raise DataError(f"{path} has no {split} split: it has {', '.join(parts)}")
        sets = [_read_one(content[parts.index(part)], array, shape, path) for part in chosen]
        return join_sets(sets)


def pickle_has_split(path: Path, split: str) -> bool:
    """Whether a pickle has several parts, and that one. Raises `DataError`."""
    content = _content(path)
    return _has_parts(content) and split in PARTS[len(content)]


def _content(path: Path) -> Any:
    with readable(path, "a pickle of plain data"):
        return unpickled(bytes(read_unzipped(path)))


def _has_parts(content: Any) -> bool:
    return (
        isinstance(content, list)
        and len(content) in PARTS
        and all(isinstance(part, list) and len(part) == 2 for part in content)
    )


def _read_one(content: Any, array: str, shape: Shape, path: Path) -> ImageSet:
    """One set: a dict, a pair of images and labels, or images."""
    if isinstance(content, dict):
        named = {_text(key): value for key, value in content.items()}
        return _read_dict(named, array, shape, path)
    if isinstance(content, list) and len(content) == 2:
        return _set(content[0], content[1], "labels", shape, path)
    return _set(content, None, "", shape, path)


def _read_dict(content: dict[str, Any], array: str, shape: Shape, path: Path) -> ImageSet:
    key = array or next((key for key in IMAGE_KEYS if key in content), "")
    if key not in content:
        asked = f"no {array!r}" if array else f"no images under {', '.join(IMAGE_KEYS)}"
        raise DataError(f"{path} holds {asked}; {did_you_mean(array, content)}; choose by array")
    label_key = next((name for name in LABEL_KEYS if name in content), "")
    notes = (COARSE,) if "coarse_labels" in content else ()
    return _set(content[key], content.get(label_key), label_key, shape, path, notes)


def _set(
    images: Any,
    labels: Any,
    label_key: str,
    shape: Shape,
    path: Path,
    notes: tuple[str, ...] = (),
) -> ImageSet:
    if not isinstance(images, np.ndarray):
        raise DataError(f"{path} holds a {type(images).__name__} in place of an array of images")
    found = _labels(labels, len(images), label_key, path) if label_key else Labels()
    more: tuple[str, ...] = ()
    if images.ndim == 2 and images.shape[1] == CIFAR_PIXELS and shape is None:
        images = settled(images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    elif images.ndim == 2:
        images, more = images_of_rows(settled(images), shape, path)
    return set_of(images, found, path, f"the pickle {path}", (*notes, *more))


def _labels(labels: Any, count: int, key: str, path: Path) -> Labels:
    if isinstance(labels, list) and all(isinstance(label, (int, str)) for label in labels):
        labels = np.array(labels)
    if isinstance(labels, np.ndarray):
        return labels_or_note(labels, count, key, path)
    return left_out(key, path, f"a {type(labels).__name__} of other values")


def _text(word: Any) -> str:
    return word.decode("latin-1") if isinstance(word, bytes) else str(word)
