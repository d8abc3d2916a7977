"""IDX, the format of MNIST: a header, then the values, big-endian, row by row.

    bytes 0, 1     0
    byte  2        type of the values: 8 uint8 · 9 int8 · 11 int16 · 12 int32 · 13 float32 · 14 float64
    byte  3        number of dimensions, n
    4 n bytes      the dimensions, as uint32
    the rest       the values

A file may be gzipped, whatever its ending says; a large one that is not is mapped. Labels are found
next to images by the usual pair of names, `*-images-idx3-ubyte` and `*-labels-idx1-ubyte`, with a
dot in place of the last hyphen but one too, gzipped or not. QMNIST's `*-labels-idx2-int` have eight
numbers an image, of which the first is the class. EMNIST's images are stored column by column, so
those of files that are called `emnist-...` are transposed.

References: Y. LeCun, C. Cortes, C. Burges, The MNIST database; C. Yadav, L. Bottou, Cold Case: The
Lost MNIST Digits, 2019 (QMNIST); G. Cohen et al., EMNIST: Extending MNIST to handwritten letters,
2017.
"""

import gzip
import zlib
from math import inf, prod
from pathlib import Path

import numpy as np

from narrows.data.image_set import ImageSet, check_images, refuse_parts
from narrows.data.readers.reading import Labels, labels_or_note, refuse_size, set_of, settled
from narrows.errors import DataError
from narrows.reading import cause_of, reading

TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
MOST_DIMENSIONS = 8
GZIP_MAGIC = b"\x1f\x8b"
READ_AT_ONCE = 2**20  # bytes
TRANSPOSED = "EMNIST's images are stored column by column; they were transposed."
FIRST_OF_MANY = "Of QMNIST's eight numbers an image the first, the class, is the label."


def read_idx(path: Path, split: str = "all") -> ImageSet:
    """The images of an IDX file, with the labels next to it. Raises `DataError`."""
    refuse_parts(path, split)
    images = read_array(path)
    if images.ndim == 1:
        raise DataError(
            f"{path} holds one value an item, so these are labels; give the path of the images"
        )
    check_images(images, path)
    notes = ()
    if path.name.lower().startswith("emnist-") and images.ndim == 3:
        images, notes = settled(images.transpose(0, 2, 1)), (TRANSPOSED,)
    label_file = labels_path(path)
    labels = _read_labels(label_file, len(images)) if label_file else Labels()
    return set_of(images, labels, path, f"the IDX file {path}", notes)


def read_array(path: Path) -> np.ndarray:
    """The array in an IDX file, in this machine's byte order. Raises `DataError`."""
    dtype, shape, start = header_of(path)
    if _is_gzipped(path):
        return parse_idx(read_unzipped(path, start + dtype.itemsize * prod(shape)), path)
    refuse_size(path, start + dtype.itemsize * prod(shape), f"the shape {shape} in its header")
    if 0 in shape:
        return np.empty(shape, dtype)
    return settled(np.memmap(path, dtype, "r", start, shape))


def header_of(path: Path) -> tuple[np.dtype, tuple[int, ...], int]:
    """The type of the values of a file, their shape, and where they begin. Raises `DataError`."""
    if _is_gzipped(path):
        return _parse_header(read_unzipped(path, most=0), path)
    with reading(path), open(path, "rb") as file:
        return _parse_header(file.read(4 + 4 * MOST_DIMENSIONS), path)


def _is_gzipped(path: Path) -> bool:
    with reading(path), open(path, "rb") as file:
        return file.read(2) == GZIP_MAGIC


def _read_labels(path: Path, count: int) -> Labels:
    values = read_array(path)
    if values.ndim == 2 and values.shape[1] > 1 and "idx2-int" in path.name:
        labels = labels_or_note(values[:, 0], count, path.name, path)
        return labels._replace(notes=(*labels.notes, FIRST_OF_MANY))
    return labels_or_note(values, count, path.name, path)


def read_unzipped(path: Path, most: float = inf) -> bytearray:
    """The bytes of a file, un-gzipped if they are gzipped. Raises `DataError`.

    most: of more bytes than these a few are read, no matter how many there are.
    """
    blob = bytearray()
    try:
        with open(path, "rb") as file:
            is_gzip = file.peek(2).startswith(GZIP_MAGIC)
            stream = gzip.GzipFile(fileobj=file) if is_gzip else file
            # in pieces, so that memory holds the bytes once
            while piece := stream.read(READ_AT_ONCE):
                blob += piece
                if len(blob) > most:
                    break
        return blob
    except EOFError as error:
        raise DataError(
            f"{path} is cut short: its gzip stream has no end; replace it with a complete copy"
        ) from error
    except (OSError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read ({cause_of(error)}); replace it with a complete copy"
        ) from error


def parse_idx(blob: bytes | bytearray, path: Path) -> np.ndarray:
    """The array in the bytes of an IDX file, in this machine's byte order. Raises `DataError`,
    naming `path`.
    """
    dtype, shape, start = _parse_header(blob, path)
    expected = start + dtype.itemsize * prod(shape)
    if len(blob) != expected:
        fault = "is cut short" if len(blob) < expected else "is too long"
        raise DataError(
            f"{path} {fault}: its header gives the shape {shape}, which takes {expected} bytes, "
            f"and it holds {len(blob)}; replace it with a complete copy"
        )
    values = np.frombuffer(blob, dtype, offset=start).reshape(shape)
    values = values.astype(dtype.newbyteorder("="), copy=False)
    if not values.flags.writeable:
        values = values.copy()
    return values


def _parse_header(blob: bytes | bytearray, path: Path) -> tuple[np.dtype, tuple[int, ...], int]:
    """The type of the values, the shape, and where the values begin."""
    if len(blob) < 4 or blob[:2] != b"\0\0" or blob[2] not in TYPES:
        begin = blob[:4].hex(" ") or "nothing"
        raise DataError(f"{path} is not an IDX file: it begins with {begin}; check the file")
    dtype = np.dtype(TYPES[blob[2]])
    start = 4 + 4 * blob[3]
    shape = tuple(int.from_bytes(blob[k : k + 4], "big") for k in range(4, start, 4))
    return dtype, shape, start


def labels_path(path: Path) -> Path | None:
    """The file of labels that belongs to a file of images, if there is one."""
    head, images, tail = path.name.removesuffix(".gz").rpartition("images")
    if not images:
        return None
    usual = head + "labels" + tail.replace("idx3", "idx1").replace("idx4", "idx1")
    for name in (usual, usual.replace("idx1-ubyte", "idx2-int")):
        in_a_folder = path.parent.with_name(name) / name  # as Kaggle's zip unpacks
        for candidate in (path.with_name(name), path.with_name(f"{name}.gz"), in_a_folder):
            if candidate.is_file():
                return candidate
    return None
