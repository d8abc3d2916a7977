"""IDX, the format of MNIST: a header, then the values, big-endian, row by row.

    bytes 0, 1     0
    byte  2        type of the values: 8 uint8 · 9 int8 · 11 int16 · 12 int32 · 13 float32 · 14 float64
    byte  3        number of dimensions, n
    4 n bytes      the dimensions, as uint32
    the rest       the values

A file may be gzipped, whatever its ending says. Labels are found next to images by the usual pair
of names, `*-images-idx3-ubyte` and `*-labels-idx1-ubyte` (gzipped or not).
"""

import gzip
import zlib
from math import prod
from pathlib import Path

import numpy as np

from narrows.data.image_set import ImageSet, check_images, check_labels, refuse_parts
from narrows.errors import DataError

TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
GZIP_MAGIC = b"\x1f\x8b"
READ_AT_ONCE = 2**20  # bytes


def read_idx(path: Path, split: str = "all") -> ImageSet:
    """The images of an IDX file, with the labels next to it. Raises `DataError`."""
    refuse_parts(path, split)
    images = parse_idx(read_unzipped(path), path)
    if images.ndim == 1:
        raise DataError(
            f"{path} holds one value an item, so these are labels; give the path of the images"
        )
    check_images(images, path)
    labels = None
    label_file = labels_path(path)
    if label_file is not None:
        values = parse_idx(read_unzipped(label_file), label_file)
        labels, _ = check_labels(values, len(images), label_file)
    return ImageSet(images, labels, source=f"the IDX file {path}")


def read_unzipped(path: Path) -> bytearray:
    """The bytes of a file, un-gzipped if they are gzipped. Raises `DataError`."""
    blob = bytearray()
    try:
        with open(path, "rb") as file:
            is_gzip = file.peek(2).startswith(GZIP_MAGIC)
            stream = gzip.GzipFile(fileobj=file) if is_gzip else file
            # in pieces, so that memory holds the bytes once
            while piece := stream.read(READ_AT_ONCE):
                blob += piece
        return blob
    except EOFError as error:
        raise DataError(
            f"{path} is cut short: its gzip stream has no end; replace it with a complete copy"
        ) from error
    except (OSError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read ({error}); replace it with a complete copy"
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
    name = head + "labels" + tail.replace("idx3", "idx1").replace("idx4", "idx1")
    for candidate in (path.with_name(name), path.with_name(f"{name}.gz")):
        if candidate.is_file():
            return candidate
    return None
