"""Caffe's `Datum`, a message of Protocol Buffers that LMDB files of Caffe hold:

    1 channels   2 height   3 width   4 data   5 label   6 float_data   7 encoded

`data` is uint8 `(C, H, W)`, the colours as blue, green, red (Caffe's tools read by OpenCV), or an
encoded file. A message is pairs of a number 8 field + type and a value: type 0 is a number of
7 bits a byte, lowest first, 2 is a length and as many bytes.
References: https://protobuf.dev/programming-guides/encoding, `caffe.proto`.
"""

from typing import Any, NamedTuple

import numpy as np

CHANNELS, HEIGHT, WIDTH, DATA, LABEL, FLOATS, ENCODED = range(1, 8)
NUMBERS = (CHANNELS, HEIGHT, WIDTH, LABEL, ENCODED)
NUMBER, BYTES = 0, 2


class Datum(NamedTuple):
    """An encoded file, or pixels; and its label if it has one."""

    image: bytes | np.ndarray
    label: int | None


def parse_datum(message: bytes) -> Datum | None:
    """The message as a datum; None if it is something else."""
    try:
        fields = _fields(message)
    except (IndexError, ValueError):
        return None
    data = fields.get(DATA, b"")
    label = fields.get(LABEL)
    if label is not None and label >= 1 << 63:
        label -= 1 << 64
    if fields.get(ENCODED):
        return Datum(data, label)
    shape = tuple(fields.get(side, 0) for side in (CHANNELS, HEIGHT, WIDTH))
    channels, height, width = shape
    if not data or channels * height * width != len(data):
        return None
    pixels = np.frombuffer(data, np.uint8).reshape(shape)
    if channels == 1:
        return Datum(pixels[0], label)
    if channels in (3, 4):
        pixels = pixels[[2, 1, 0, 3][:channels]]
    return Datum(np.ascontiguousarray(pixels.transpose(1, 2, 0)), label)


def _fields(message: bytes) -> dict[int, Any]:
    """The fields of a message, of which nothing else may be in it: `ValueError`, `IndexError`."""
    fields: dict[int, Any] = {}
    place = 0
    while place < len(message):
        key, place = _number(message, place)
        value, place = _number(message, place)
        field, kind = key >> 3, key & 7
        if kind == BYTES and field == DATA:
            fields[field] = message[place : place + value]
            place += value
        elif kind == NUMBER and field in NUMBERS:
            fields[field] = value
        else:
            raise ValueError("not a datum")
    if place != len(message):
        raise ValueError("cut off")
    return fields


def _number(message: bytes, place: int) -> tuple[int, int]:
    """A number, and the place after it."""
    value = shift = 0
    while True:
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, place
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
