"""A pixel model as a file, `.nrwm`: options as JSON and tensors of integers, squeezed and checked.

    0        4     8A 4E 52 4D
    4        1     version, 1
    5        1     the method of the body (`general`)
    6        ..    the length of the body, unpacked (LEB128)
    ..       ..    the body
    end - 4  4     CRC-32 of all bytes before

The body is the length of a JSON object (LEB128), the object in UTF-8, and the values of the tensors, one
after another, each in the order of reading, little-endian. The object has `tensors`, a list of name, type
("int8", "int16" or "int32") and shape, and what else the model needs (`pixel_model`). All integers are
little-endian.
"""

import json
import zlib
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from narrows.codec import general
from narrows.codec.binary import Reader, leb128
from narrows.errors import DataError

MAGIC = b"\x8aNRM"
VERSION = 1
TYPES = ("int8", "int16", "int32")
LARGEST = 1 << 24  # bytes of a body
MOST_DIMENSIONS = 3
NOT_ONE = "this is not a pixel model (.nrwm)"
DAMAGED = "this pixel model is damaged"


def to_bytes(options: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> bytes:
    """The file of a model. The type of each tensor is the smallest that holds its values."""
    narrow = {name: _narrow(tensor) for name, tensor in tensors.items()}
    listed = [[name, tensor.dtype.name, list(tensor.shape)] for name, tensor in narrow.items()]
    text = json.dumps({**options, "tensors": listed}, separators=(",", ":")).encode()
    values = b"".join(
        tensor.astype(tensor.dtype.newbyteorder("<")).tobytes() for tensor in narrow.values()
    )
    body = leb128(len(text)) + text + values
    method, packed = general.pack(body)
    head = MAGIC + bytes([VERSION, method]) + leb128(len(body)) + packed
    return head + zlib.crc32(head).to_bytes(4, "little")


def _narrow(tensor: np.ndarray) -> np.ndarray:
    for name in TYPES:
        info = np.iinfo(name)
        if tensor.size == 0 or (tensor.min() >= info.min and tensor.max() <= info.max):
            return tensor.astype(name)
    raise ValueError("a tensor of a pixel model has values beyond 32 bits")


def from_bytes(data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The options and the tensors (int64) of a model. Raises `DataError`."""
    if data[: len(MAGIC)] != MAGIC:
        raise DataError(NOT_ONE)
    if len(data) < 12 or zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise DataError(f"{DAMAGED}: its checksum is not what it should be")
    reader = Reader(data[:-4])
    reader.bytes(len(MAGIC))
    version, method = reader.fixed(1), reader.fixed(1)
    if version != VERSION:
        raise DataError(
            f"this pixel model is of version {version}; this version of Narrows reads {VERSION}"
        )
    length = reader.integer(LARGEST)
    return _read_body(general.unpack(method, reader.bytes(len(data) - 4 - reader.place), length))


def _read_body(body: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    reader = Reader(body)
    try:
        options = json.loads(reader.bytes(reader.integer(len(body))))
        listed = [
            (str(name), str(dtype), tuple(shape)) for name, dtype, shape in options.pop("tensors")
        ]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DataError(f"{DAMAGED}: {error}") from error
    tensors = {name: _read_tensor(reader, dtype, shape) for name, dtype, shape in listed}
    reader.finish()
    return options, tensors


def _read_tensor(reader: Reader, dtype: str, shape: tuple[Any, ...]) -> np.ndarray:
    is_shape = all(type(side) is int and 0 <= side <= LARGEST for side in shape)
    if dtype not in TYPES or not is_shape or len(shape) > MOST_DIMENSIONS:
        raise DataError(f"{DAMAGED}: a tensor of type {dtype} and shape {shape}")
    data = reader.bytes(prod(shape) * np.dtype(dtype).itemsize)
    return np.frombuffer(data, np.dtype(dtype).newbyteorder("<")).astype(np.int64).reshape(shape)
