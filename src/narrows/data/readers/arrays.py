"""NumPy's own files: `.npy` (one array, read as a memory map) and `.npz` (several arrays with names).

An `.npz` is searched for these keys, in this order:

              one set                       train                             test
    images    images, X, x, data, arr_0     x_train, X_train, train_images    x_test, X_test, test_images
    labels    labels, y, Y, targets         y_train, Y_train, train_labels    y_test, Y_test, test_labels

Labels may be whole numbers or words. Nothing is ever unpickled.
"""

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from narrows.data.image_set import ImageSet, check_images, check_labels, join, one_split
from narrows.errors import DataError

IMAGES = {
    "whole": ("images", "X", "x", "data", "arr_0"),
    "train": ("x_train", "X_train", "train_images"),
    "test": ("x_test", "X_test", "test_images"),
}
LABELS = {
    "whole": ("labels", "y", "Y", "targets"),
    "train": ("y_train", "Y_train", "train_labels"),
    "test": ("y_test", "Y_test", "test_labels"),
}
NPZ_ERRORS = (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


def read_npy(path: Path, split: str = "all") -> ImageSet:
    """The images of an `.npy` file: a read-only memory map, whatever its size. Raises `DataError`."""
    one_split(path, split)
    images = _open(path, mmap_mode="r")
    if not isinstance(images, np.ndarray):
        raise DataError(f"{path} holds several arrays, as an .npz does; rename it to {path.stem}.npz")
    check_images(images, path)
    return ImageSet(images, source=f"the array in {path}")


def read_npz(path: Path, split: str = "all") -> ImageSet:
    """The images and labels of an `.npz` file (keys: see the module). Raises `DataError`."""
    stored = _open(path)
    if isinstance(stored, np.ndarray):
        raise DataError(f"{path} holds one array, as an .npy does; rename it to {path.stem}.npy")
    with stored:
        return join([_part(path, stored, part) for part in _parts(path, stored.files, split)])


def _parts(path: Path, keys: list[str], split: str) -> list[str]:
    """Which parts of the file to read: the whole, or its splits."""
    present = [part for part, known in IMAGES.items() if _first(known, keys)]
    wanted = {"train": ["train"], "test": ["test"], "all": ["train", "test"]}[split]
    if "whole" in present:
        one_split(path, split)
        return ["whole"]
    if not present:
        known = ", ".join(key for part in IMAGES.values() for key in part)
        raise DataError(
            f"{path} holds no images under a known key: it has {', '.join(keys) or 'none'}; known: {known}"
        )
    if not (found := [part for part in wanted if part in present]):
        raise DataError(f"{path} has no {split} split: it has {', '.join(keys)}; read it with split='all'")
    return found


def _part(path: Path, stored: Any, part: str) -> ImageSet:
    images = _array(path, stored, _first(IMAGES[part], stored.files))
    check_images(images, path)
    key = _first(LABELS[part], stored.files)
    labels, classes = check_labels(_array(path, stored, key), len(images), path) if key else (None, None)
    return ImageSet(images, labels, classes=classes, source=f"the arrays in {path}")


def _first(known: Iterable[str], keys: list[str]) -> str | None:
    return next((key for key in known if key in keys), None)


def _open(path: Path, **options: Any) -> Any:
    try:
        return np.load(path, allow_pickle=False, **options)
    except NPZ_ERRORS as error:
        raise _broken(path, error) from error


def _array(path: Path, stored: Any, key: str | None) -> np.ndarray:
    try:
        return np.atleast_1d(stored[key])
    except NPZ_ERRORS as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> DataError:
    pickled = "allow_pickle" in str(error) or "Python objects" in str(error)
    why = "it holds pickled objects, or no array" if pickled else str(error)
    return DataError(f"{path} cannot be read as NumPy arrays ({why}); write it again with np.save or np.savez")
