"""IDX, the format of MNIST: a header, then the values, big-endian, in row order.

    bytes 0, 1     0
    byte  2        type of the values: 8 uint8 · 9 int8 · 11 int16 · 12 int32 · 13 float32 · 14 float64
    byte  3        number of dimensions, n
    4 n bytes      the dimensions, as uint32
    the rest       the values

A file may be gzipped, whatever its ending says. Labels are found beside images by the usual pair of names,
`*-images-idx3-ubyte` and `*-labels-idx1-ubyte` (gzipped or not).
"""

import gzip
import zlib
from math import prod
from pathlib import Path

import numpy as np

from narrows.data.image_set import ImageSet, check_images, check_labels, one_split
from narrows.errors import DataError

TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
GZIP = b"\x1f\x8b"
PIECE = 2**20


def read_idx(path: Path, split: str = "all") -> ImageSet:
    """The images of an IDX file, with the labels that lie beside it. Raises `DataError`."""
    one_split(path, split)
    images = decode(unpack(path), path)
    if images.ndim == 1:
        raise DataError(f"{path} holds one value an item, so these are labels; give the path of the images")
    check_images(images, path)
    beside = labels_beside(path)
    labels = check_labels(decode(unpack(beside), beside), len(images), beside)[0] if beside else None
    return ImageSet(images, labels, source=f"the IDX file {path}")


def unpack(path: Path) -> bytearray:
    """The bytes of a file, un-gzipped if they are gzipped. Raises `DataError`."""
    blob = bytearray()
    try:
        with open(path, "rb") as file:
            stream = gzip.GzipFile(fileobj=file) if file.peek(2).startswith(GZIP) else file
            while piece := stream.read(PIECE):  # bit by bit, so that the whole is held once
                blob += piece
        return blob
    except EOFError as error:
        raise DataError(f"{path} is cut short: its gzip stream has no end; replace it with a whole copy") from error
    except (OSError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}); replace it with a whole copy") from error


def decode(blob: bytes | bytearray, path: Path) -> np.ndarray:
    """The array in the bytes of an IDX file, in this machine's byte order. Raises `DataError`, naming `path`."""
    if len(blob) < 4 or blob[:2] != b"\0\0" or blob[2] not in TYPES:
        raise DataError(f"{path} is no IDX file: it begins with {blob[:4].hex(' ') or 'nothing'}; check the file")
    dtype, start = np.dtype(TYPES[blob[2]]), 4 + 4 * blob[3]
    shape = tuple(int.from_bytes(blob[k : k + 4], "big") for k in range(4, start, 4))
    wanted = start + dtype.itemsize * prod(shape)
    if len(blob) != wanted:
        fault = "is cut short" if len(blob) < wanted else "is too long"
        raise DataError(
            f"{path} {fault}: its header tells of shape {shape}, which takes {wanted} bytes, "
            f"and it holds {len(blob)}; replace it with a whole copy"
        )
    values = np.frombuffer(blob, dtype, offset=start).reshape(shape)
    values = values.astype(dtype.newbyteorder("="), copy=False)
    return values if values.flags.writeable else values.copy()


def labels_beside(path: Path) -> Path | None:
    """The file of labels that belongs to a file of images, if there is one."""
    head, found, tail = path.name.removesuffix(".gz").rpartition("images")
    if not found:
        return None
    name = head + "labels" + tail.replace("idx3", "idx1").replace("idx4", "idx1")
    pair = (path.with_name(name), path.with_name(name + ".gz"))
    return next((beside for beside in pair if beside.is_file()), None)
