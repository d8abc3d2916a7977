"""NumPy's own files: `.npy` (one array, read as a memory map) and `.npz` (several arrays with
names).

An `.npz` is searched for these keys, in this order:

              one set                       train                             test
    images    images, X, x, data, arr_0     x_train, X_train, train_images    x_test, X_test, test_images
    labels    labels, y, Y, targets         y_train, Y_train, train_labels    y_test, Y_test, test_labels

Labels may be integers or words. Nothing is ever unpickled.
"""

import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from narrows.data.image_set import (
    ImageSet,
    check_images,
    check_labels,
    join_sets,
    refuse_parts,
)
from narrows.errors import DataError

ONE_SET = "one set"
IMAGE_KEYS = {
    ONE_SET: ("images", "X", "x", "data", "arr_0"),
    "train": ("x_train", "X_train", "train_images"),
    "test": ("x_test", "X_test", "test_images"),
}
LABEL_KEYS = {
    ONE_SET: ("labels", "y", "Y", "targets"),
    "train": ("y_train", "Y_train", "train_labels"),
    "test": ("y_test", "Y_test", "test_labels"),
}
PARTS_OF = {"train": ("train",), "test": ("test",), "all": ("train", "test")}
NPZ_ERRORS = (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


def read_npy(path: Path, split: str = "all") -> ImageSet:
    """The images of an `.npy` file: a read-only memory map, whatever its size. Raises `DataError`."""
    refuse_parts(path, split)
    images = _load(path, mapped=True)
    if not isinstance(images, np.ndarray):
        raise DataError(
            f"{path} holds several arrays, as an .npz does; rename it to {path.stem}.npz"
        )
    check_images(images, path)
    return ImageSet(images, source=f"the array in {path}")


def read_npz(path: Path, split: str = "all") -> ImageSet:
    """The images and labels of an `.npz` file (keys: see the module). Raises `DataError`."""
    with _load_npz(path) as stored:
        parts = _chosen_parts(path, stored.files, split)
        return join_sets([_read_part(path, stored, part) for part in parts])


def npz_has_split(path: Path, split: str) -> bool:
    """Whether an `.npz` file has images under the keys of that split. Raises `DataError`."""
    with _load_npz(path) as stored:
        present = _present_parts(stored.files)
    return ONE_SET not in present and split in present


def _present_parts(keys: Sequence[str]) -> list[str]:
    return [part for part, known in IMAGE_KEYS.items() if _first_key(known, keys)]


def _chosen_parts(path: Path, keys: Sequence[str], split: str) -> list[str]:
    """Which parts of the file to read: the one set, or its splits."""
    present = _present_parts(keys)
    if not present:
        known = ", ".join(sum(IMAGE_KEYS.values(), ()))
        raise DataError(
            f"{path} holds no images under a known key: it has {', '.join(keys) or 'none'}; known: {known}"
        )
    if ONE_SET in present:
        refuse_parts(path, split)
        return [ONE_SET]
    chosen = [part for part in PARTS_OF[split] if part in present]
    if not chosen:
        raise DataError(
            f"{path} has no {split} split: it has {', '.join(keys)}; read it with split='all'"
        )
    return chosen


def _read_part(path: Path, stored: NpzFile, part: str) -> ImageSet:
    images = _read_array(path, stored, _first_key(IMAGE_KEYS[part], stored.files))
    check_images(images, path)
    source = f"the arrays in {path}"
    key = _first_key(LABEL_KEYS[part], stored.files)
    if not key:
        return ImageSet(images, source=source)
    labels, classes = check_labels(_read_array(path, stored, key), len(images), path)
    return ImageSet(images, labels, classes=classes, source=source)


def _first_key(known: Iterable[str], keys: Sequence[str]) -> str:
    """The first known key that is there; empty if none is."""
    return next((key for key in known if key in keys), "")


def _load_npz(path: Path) -> NpzFile:
    stored = _load(path)
    if isinstance(stored, np.ndarray):
        raise DataError(f"{path} holds one array, as an .npy does; rename it to {path.stem}.npy")
    return stored


def _load(path: Path, mapped: bool = False) -> np.ndarray | NpzFile:
    try:
        return np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except NPZ_ERRORS as error:
        raise _unreadable(path, error) from error


def _read_array(path: Path, stored: NpzFile, key: str) -> np.ndarray:
    try:
        return np.atleast_1d(stored[key])
    except NPZ_ERRORS as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = str(error)
    if "allow_pickle" in reason or "Python objects" in reason:
        reason = "it holds pickled objects, or no array"
    return DataError(
        f"{path} cannot be read as NumPy arrays ({reason}); write it again with np.save or np.savez"
    )
