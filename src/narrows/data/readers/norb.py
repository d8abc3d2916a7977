"""smallNORB's matrices: toys photographed by two cameras, 96 x 96, grey.

    int32    the type of the values: 0x1E3D4C55 uint8 · 54 int32 · 56 int16 · 51 float32 · 53 float64
    int32    number of dimensions, n
    int32    max(n, 3) dimensions
    ...      the values, row by row

All of it is little-endian, gzipped or not. `*-dat.mat` has the images, `(N, 2, 96, 96)`, the left
camera's and the right one's; `*-cat.mat` next to it has the labels, `(N,)`. Each of the two is an
image of its own here: left, right, left, right, ..., and both have the label of their toy.

Reference: Y. LeCun, F. J. Huang, L. Bottou, Learning Methods for Generic Object Recognition, 2004,
https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/
"""

from math import prod
from pathlib import Path

import numpy as np

from narrows.data.image_set import ImageSet, refuse_parts
from narrows.data.readers.idx import GZIP_MAGIC, read_unzipped
from narrows.data.readers.reading import Labels, labels_or_note, set_of, settled
from narrows.errors import DataError

TYPES = {
    0x1E3D4C51: "<f4", 0x1E3D4C53: "<f8", 0x1E3D4C54: "<i4", 0x1E3D4C55: "u1", 0x1E3D4C56: "<i2",
}  # fmt: skip
MOST_DIMENSIONS = 8
CLASSES = ("animal", "human", "airplane", "truck", "car")
BOTH = "Each pair of pictures by two cameras became two images, the left one before the right one."


def read_norb(path: Path, split: str = "all") -> ImageSet:
    """The images of a matrix `(N, 2, H, W)` or `(N, H, W)`, with the labels next to it. Raises
    `DataError`.
    """
    refuse_parts(path, split)
    pictures = read_matrix(path)
    views = pictures.shape[1] if pictures.ndim == 4 else 1
    images = settled(pictures.reshape(-1, *pictures.shape[2:]) if pictures.ndim == 4 else pictures)
    found = Labels()
    label_file = path.with_name(path.name.replace("-dat", "-cat"))
    if label_file != path and label_file.is_file():
        labels = np.repeat(read_matrix(label_file), views, axis=0)
        found = labels_or_note(labels, len(images), label_file.name, path)
    if found.values is not None and 0 <= found.values.min() <= found.values.max() < len(CLASSES):
        found = found._replace(classes=CLASSES)
    notes = (BOTH,) if views == 2 else ()
    return set_of(images, found, path, f"the matrix {path}", notes)


def read_matrix(path: Path) -> np.ndarray:
    """The array in a file; one that is not gzipped is mapped. Raises `DataError`."""
    with open(path, "rb") as file:
        is_gzip = file.read(2) == GZIP_MAGIC
    blob = np.frombuffer(read_unzipped(path), np.uint8) if is_gzip else _mapped(path)
    words = blob[: 4 * (2 + MOST_DIMENSIONS)]
    header = words[: len(words) // 4 * 4].view("<i4").tolist()
    if len(header) < 5 or header[0] not in TYPES or not 1 <= header[1] <= MOST_DIMENSIONS:
        raise DataError(f"{path} is no matrix as smallNORB has them; check the file")
    dtype, count = np.dtype(TYPES[header[0]]), header[1]
    shape, start = tuple(header[2 : 2 + count]), 4 * (2 + max(count, 3))
    if min(shape, default=0) < 0 or start + dtype.itemsize * prod(shape) != len(blob):
        raise DataError(
            f"{path} has {len(blob)} bytes, which are not those of the shape {shape} in its header; "
            "replace it with a complete copy"
        )
    return blob[start:].view(dtype).reshape(shape)


def _mapped(path: Path) -> np.ndarray:
    return np.memmap(path, np.uint8, "r") if path.stat().st_size else np.empty(0, np.uint8)
