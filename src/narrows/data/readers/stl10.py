"""STL-10 as it is published: 96 x 96 colour images in a file without a header.

    X    27,648 bytes an image: all red, all green, all blue values, each *column by column*
    y    a byte an image, 1 to 10, in the file of the same name with y in place of X

`train_X.bin`, `test_X.bin` and `unlabeled_X.bin` (2.8 GB, mapped) are one set each; the folder has
the splits train and test. Labels become 0 to 9; `class_names.txt` names them.

Reference: A. Coates, H. Lee, A. Ng, An Analysis of Single Layer Networks in Unsupervised Feature
Learning, 2011, https://cs.stanford.edu/~acoates/stl10/
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from narrows.data.image_set import ImageSet, join_sets, refuse_parts
from narrows.data.readers.reading import Labels, set_of, settled
from narrows.errors import DataError

SIDE = 96
IMAGE = 3 * SIDE * SIDE  # bytes
CLASSES = 10
CLASS_FILE = "class_names.txt"


def read_stl10(path: Path, split: str = "all") -> ImageSet:
    """The images of one file of STL-10, or of its folder. Raises `DataError`."""
    if not path.is_dir():
        refuse_parts(path, split)
        return _read_file(path)
    parts = [part for part in ("train", "test") if split in (part, "all")]
    files = [path / f"{part}_X.bin" for part in parts if (path / f"{part}_X.bin").is_file()]
    if not files:
        raise DataError(f"{path} has no {split} split; it has train_X.bin or test_X.bin")
    joined = join_sets([_read_file(file) for file in files])
    return replace(joined, source=f"the STL-10 files in {path}")


def stl10_has_split(path: Path, split: str) -> bool:
    return all((path / f"{part}_X.bin").is_file() for part in ("train", "test", split))


def _read_file(path: Path) -> ImageSet:
    size = path.stat().st_size
    if not size or size % IMAGE:
        raise DataError(
            f"{path} has {size} bytes, which are no images of {IMAGE} bytes; replace it with a "
            "complete copy"
        )
    planes = np.memmap(path, np.uint8, "r").reshape(-1, 3, SIDE, SIDE)
    images = settled(planes.transpose(0, 3, 2, 1))
    labels = Labels()
    label_file = path.with_name(path.name.replace("_X", "_y"))
    if label_file != path and label_file.is_file():
        labels = _read_labels(label_file, len(images))
    return set_of(images, labels, path, f"the STL-10 file {path}")


def _read_labels(path: Path, count: int) -> Labels:
    if path.stat().st_size != count:
        raise DataError(
            f"{path} has {path.stat().st_size} bytes for {count} images; expected one a label"
        )
    values = np.fromfile(path, np.uint8).astype(np.int64) - 1
    if values.min() < 0 or values.max() >= CLASSES:
        raise DataError(
            f"{path} holds labels beyond 1 to {CLASSES}; replace it with a complete copy"
        )
    names = path.with_name(CLASS_FILE)
    classes = tuple(names.read_text().split()) if names.is_file() else ()
    return Labels(values, classes if len(classes) == CLASSES else None)
