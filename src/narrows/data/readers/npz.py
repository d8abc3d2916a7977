"""NumPy arrays with names, `.npz`: several `.npy` files in a zip.

These names are searched for, in this order; {} is `train`, `val` or `test`:

              one set                          of a split
    images    images, X, x, data, arr_0        x_{}, X_{}, {}_images
    labels    labels, y, Y, targets            y_{}, Y_{}, {}_labels

so MedMNIST's files are read as they are. Any other name is given by the option `array`. Labels may
be integers, words or one-hot rows; others are left out with a note (`reading`). Nothing is ever
unpickled.

Reference: J. Yang et al., MedMNIST v2, Scientific Data 10, 2023.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from narrows.data.image_set import ImageSet, join_sets, refuse_parts
from narrows.data.numpy_files import Npz
from narrows.data.readers.npy_stream import read_member
from narrows.data.readers.reading import Labels, labels_or_note, left_out, readable, set_of
from narrows.errors import DataError, did_you_mean

WHAT = "NumPy arrays"
CURE = "write it again with np.save or np.savez"
ONE_SET = "one set"
SPLITS = ("train", "val", "test")
IMAGE_KEYS = {
    ONE_SET: ("images", "X", "x", "data", "arr_0"),
    **{part: (f"x_{part}", f"X_{part}", f"{part}_images") for part in SPLITS},
}
LABEL_KEYS = {
    ONE_SET: ("labels", "y", "Y", "targets"),
    **{part: (f"y_{part}", f"Y_{part}", f"{part}_labels") for part in SPLITS},
}


def read_npz(path: Path, split: str = "all", array: str = "") -> ImageSet:
    """The images and labels of an `.npz` file. array: the name of the images; by default see the
    module. Raises `DataError`.
    """
    with _opened(path) as stored:
        keys = list(stored)
        if array:
            return _read_named(path, stored, array, split)
        parts = _chosen_parts(path, keys, split)
        return join_sets([_read_part(path, stored, part) for part in parts])


def npz_has_split(path: Path, split: str) -> bool:
    """Whether an `.npz` file has images under the names of that split. Raises `DataError`."""
    with _opened(path) as stored:
        present = _present_parts(list(stored))
    return ONE_SET not in present and split in present


@contextmanager
def _opened(path: Path) -> Iterator[Npz]:
    with readable(path, WHAT, CURE), Npz(path) as stored:
        yield stored


def _present_parts(keys: Sequence[str]) -> list[str]:
    return [part for part, known in IMAGE_KEYS.items() if _first_key(known, keys)]


def _first_key(known: Iterable[str], keys: Sequence[str]) -> str:
    """The first known name that is there; empty if none is."""
    return next((key for key in known if key in keys), "")


def _chosen_parts(path: Path, keys: Sequence[str], split: str) -> list[str]:
    """Which parts of the file to read: the one set, or its splits."""
    present = _present_parts(keys)
    if not present:
        known = ", ".join(sum(IMAGE_KEYS.values(), ()))
        raise DataError(
            f"{path} holds no images under a known key: it has {', '.join(keys) or 'none'}; "
            f"known: {known}; or name them: array='...' (--array)"
        )
    if ONE_SET in present:
        refuse_parts(path, split)
        return [ONE_SET]
    chosen = present if split == "all" else [part for part in present if part == split]
    if not chosen:
        raise DataError(
            f"{path} has no {split} split: it has {', '.join(keys)}; read it with split='all'"
        )
    return chosen


def _read_part(path: Path, stored: Npz, part: str) -> ImageSet:
    keys = list(stored)
    images = read_member(path, stored, _first_key(IMAGE_KEYS[part], keys))
    return _with_labels(path, stored, images, _first_key(LABEL_KEYS[part], keys))


def _read_named(path: Path, stored: Npz, key: str, split: str) -> ImageSet:
    """The images under a name that is given, with the labels that belong to it by their names."""
    keys = list(stored)
    if key not in keys:
        raise DataError(f"{path} has no array {key!r}; {did_you_mean(key, keys)}")
    part = next((part for part, known in IMAGE_KEYS.items() if key in known), ONE_SET)
    if part != split:
        refuse_parts(path, split)
    images = read_member(path, stored, key)
    return _with_labels(path, stored, images, _first_key(LABEL_KEYS[part], keys))


def _with_labels(path: Path, stored: Npz, images: np.ndarray, key: str) -> ImageSet:
    """A set of images `(N, ...)` with the labels under a name, if that is one."""
    labels = Labels()
    if key and stored.header(key).dtype.hasobject:
        labels = left_out(key, path, "Python objects, which are never unpickled")
    elif key:
        labels = labels_or_note(
            read_member(path, stored, key), len(np.atleast_1d(images)), key, path
        )
    return set_of(images, labels, path, f"the arrays in {path}")
