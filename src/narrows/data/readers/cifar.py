"""CIFAR-10 and CIFAR-100 as they are published: batches of 32 x 32 colour images, binary or pickled.

    binary   one record an image: the label (CIFAR-100: coarse, then fine label), a byte each, then
             3,072 bytes: all red, all green, all blue values, row by row
    pickle   a dict: data, uint8 (N, 3072) in the same order; labels or fine_labels (`pickled`)

    train    data_batch_1 to data_batch_5, or train          test    test_batch, or test
    classes  batches.meta(.txt), or meta and fine_label_names.txt

A file is one set; the folder of all has the splits train and test. The labels of CIFAR-100 are the
fine ones.

Reference: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009,
https://www.cs.toronto.edu/~kriz/cifar.html
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from narrows.data.image_set import ImageSet, join_sets, refuse_parts
from narrows.data.readers.closed_pickle import unpickled
from narrows.data.readers.pickled import COARSE, read_pickle
from narrows.data.readers.reading import Labels, readable, set_of, settled
from narrows.errors import DataError

PIXELS = 3072
RECORDS = {1: PIXELS + 1, 2: PIXELS + 2}  # bytes by labels of an image
FILES = {
    "train": (*(f"data_batch_{k}" for k in range(1, 6)), "train"),
    "test": ("test_batch", "test"),
}
CLASS_FILES = ("batches.meta.txt", "fine_label_names.txt", "batches.meta", "meta")
CLASS_KEYS = ("fine_label_names", "label_names")


def read_cifar(path: Path, split: str = "all") -> ImageSet:
    """The images of a batch, or of the folder of all batches. Raises `DataError`."""
    if not path.is_dir():
        refuse_parts(path, split)
        return _with_classes(_read_batch(path), path.parent)
    files = cifar_files(path)
    chosen = [file for part, some in files.items() if split in (part, "all") for file in some]
    if not chosen:
        raise DataError(f"{path} has no {split} split: it has {', '.join(files)}")
    joined = join_sets([_read_batch(file) for file in chosen])
    return _with_classes(replace(joined, source=f"the batches in {path}"), path)


def cifar_files(folder: Path) -> dict[str, list[Path]]:
    """The batches in a folder, by split."""
    files = {}
    for part, names in FILES.items():
        candidates = [folder / f"{name}{ending}" for name in names for ending in ("", ".bin")]
        if present := [file for file in candidates if file.is_file()]:
            files[part] = present
    return files


def cifar_has_split(path: Path, split: str) -> bool:
    files = cifar_files(path) if path.is_dir() else {}
    return len(files) > 1 and split in files


def _read_batch(path: Path) -> ImageSet:
    """A batch of either form; a pickle begins with a byte that is no label."""
    with open(path, "rb") as file:
        is_pickle = file.read(1) == b"\x80"
    return read_pickle(path) if is_pickle else _read_binary(path)


def _read_binary(path: Path) -> ImageSet:
    size = path.stat().st_size
    labels = next((n for n, record in RECORDS.items() if size and size % record == 0), None)
    if labels is None:
        raise DataError(
            f"{path} has {size} bytes, which are no records of {RECORDS[1]} or {RECORDS[2]} bytes; "
            "replace it with a complete copy"
        )
    records = np.memmap(path, np.uint8, "r").reshape(-1, RECORDS[labels])
    images = records[:, labels:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    found = Labels(records[:, labels - 1].astype(np.int64), None, (COARSE,) * (labels - 1))
    return set_of(settled(images), found, path, f"the batch {path}")


def _with_classes(images: ImageSet, folder: Path) -> ImageSet:
    """The set with the names of the classes, if they are there and are enough."""
    for name in CLASS_FILES:
        if (folder / name).is_file():
            classes = _classes(folder / name)
            if images.labels is not None and len(classes) > images.labels.max():
                return replace(images, classes=classes)
    return images


def _classes(path: Path) -> tuple[str, ...]:
    with readable(path, "names of classes"):
        if path.suffix == ".txt":
            return tuple(path.read_text().split())
        stored = unpickled(path.read_bytes())
        names = [name for key in CLASS_KEYS for name in stored.get(key, ())]
        return tuple(map(str, names))
