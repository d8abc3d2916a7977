"""`tf.train.Example`, a message of protocol buffers: names -> lists of bytes, floats or integers.

    Example    1: Features          Features   1: entries of a map: 1 the name, 2 a Feature
    Feature    1: a list of bytes   2: a list of floats   3: a list of integers; each 1: the values

A field begins with a varint, 8 · number + wire type: 0 a varint, 1 eight bytes, 2 a length and that
many bytes, 5 four bytes. A varint has 7 bits a byte, the lowest first; the last byte has no high bit.

Reference: Protocol Buffers, Encoding, https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

LONGEST_VARINT = 10  # bytes
VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5

Features = dict[str, list[Any]]


def parse_example(message: bytes) -> Features:
    """The features of an Example. Raises `ValueError`."""
    features: Features = {}
    for fields in _inner(message, 1):
        for entry in _inner(fields, 1):
            name = next(_inner(entry, 1), b"").decode()
            features[name] = _values(next(_inner(entry, 2), b""))
    return features


def _values(feature: bytes) -> list[Any]:
    """The values of a Feature, whichever of its three lists it has."""
    for number, kind in enumerate((_bytes, _floats, _integers), start=1):
        for some in _inner(feature, number):
            return kind(some)
    return []


def _bytes(message: bytes) -> list[Any]:
    return list(_inner(message, 1))


def _floats(message: bytes) -> list[Any]:
    """Floats, in one piece or each in a field of its own."""
    pieces = b"".join(value for number, value in _fields(message) if number == 1)
    return np.frombuffer(pieces, "<f4").tolist()


def _integers(message: bytes) -> list[Any]:
    values: list[Any] = []
    for number, value in _fields(message):
        if number == 1 and isinstance(value, int):
            values.append(value)
        elif number == 1:
            place = 0
            while place < len(value):
                integer, place = _varint(value, place)
                values.append(integer)
    return [value - (1 << 64) if value >> 63 else value for value in values]


def _inner(message: bytes, number: int) -> Iterator[bytes]:
    """The messages in the fields of a number."""
    for found, value in _fields(message):
        if found == number and isinstance(value, bytes):
            yield value


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of each field: an integer for a varint, else bytes."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        kind = key & 7
        if kind == VARINT:
            value, place = _varint(message, place)
            yield key >> 3, value
            continue
        size = {EIGHT_BYTES: 8, FOUR_BYTES: 4}.get(kind)
        if kind == LENGTH:
            size, place = _varint(message, place)
        if size is None or place + size > len(message):
            raise ValueError("it is not a message of protocol buffers, or is cut short")
        yield key >> 3, message[place : place + size]
        place += size


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """An integer, and where the next field begins."""
    value = 0
    for k, byte in enumerate(message[place : place + LONGEST_VARINT]):
        value |= (byte & 127) << 7 * k
        if byte < 128:
            return value, place + k + 1
    raise ValueError("it is not a message of protocol buffers, or is cut short")
