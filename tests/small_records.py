"""TFRecords, written by the letter of the format."""

import struct

from narrows.data.readers.crc32c import crc32c, masked


def varint(value):
    value %= 1 << 64
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, content):
    return varint(8 * number + 2) + varint(len(content)) + content


def feature(value):
    if isinstance(value, bytes):
        return field(1, field(1, value))
    if isinstance(value, float):
        return field(2, field(1, struct.pack("<f", value)))
    return field(3, field(1, varint(value)))


def example(**features):
    """An Example; `__` in a name is a slash."""
    entries = [
        field(1, field(1, name.replace("__", "/").encode()) + field(2, feature(value)))
        for name, value in features.items()
    ]
    return field(1, b"".join(entries))


def checksum(content):
    return struct.pack("<I", int(masked(crc32c([content]))[0]))


def record(content):
    length = struct.pack("<Q", len(content))
    return length + checksum(length) + content + checksum(content)


def write_records(path, *examples):
    path.write_bytes(b"".join(map(record, examples)))
    return path
