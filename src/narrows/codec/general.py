"""General compressors: what takes over where a model does not pay.

    0  as they are
    1  DEFLATE (RFC 1951), without a header
    2  bzip2, without its first four bytes "BZh9"
    3  LZMA2 without a header: dictionary of 8 MiB, lc 4, lp 0, pb 0

All are in Python's standard library. What they give back is bounded by the length that is expected,
so that a few bytes cannot fill the memory.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from narrows.errors import DataError

BZIP2_HEAD = b"BZh9"
LZMA2: list[dict[str, Any]] = [
    {"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": 1 << 23, "lc": 4, "lp": 0, "pb": 0}
]
FAST: dict[str, Any] = {"mode": lzma.MODE_FAST, "mf": lzma.MF_HC3, "nice_len": 273, "depth": 1}
FAST_LZMA2 = [{**LZMA2[0], **FAST}]
BETTER = (
    0.85  # the best of all is no smaller part of what fast LZMA2 and bzip2 leave (.90 of noise)
)
ENOUGH = 1 << 12  # bytes that these leave, up to which the others may leave any part of them
SMALL = 1 << 17  # bytes, up to which DEFLATE may be the best
DAMAGED = "a part of this archive is damaged: it cannot be unpacked"


class Method(NamedTuple):
    """One way to store bytes. unpack: (packed, length) -> at most length + 1 bytes."""

    name: str
    pack: Callable[[bytes], bytes]
    unpack: Callable[[bytes, int], bytes]


def _deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def _inflate(packed: bytes, length: int) -> bytes:
    unpacker = zlib.decompressobj(-15)
    return _ended(unpacker, unpacker.decompress(packed, length + 1))


def _unpack_bzip2(packed: bytes, length: int) -> bytes:
    unpacker = bz2.BZ2Decompressor()
    return _ended(unpacker, unpacker.decompress(BZIP2_HEAD + packed, length + 1))


def _pack_lzma(data: bytes, filters: list[dict[str, Any]] = LZMA2) -> bytes:
    return lzma.compress(data, format=lzma.FORMAT_RAW, filters=filters)


def _unpack_lzma(packed: bytes, length: int) -> bytes:
    unpacker = lzma.LZMADecompressor(format=lzma.FORMAT_RAW, filters=LZMA2)
    return _ended(unpacker, unpacker.decompress(packed, length + 1))


def _ended(unpacker: Any, data: bytes) -> bytes:
    if not unpacker.eof or unpacker.unused_data:
        raise DataError(DAMAGED)
    return data


STORED, DEFLATE, BZIP2, LZMA = range(4)
METHODS = (
    Method("stored", bytes, lambda packed, length: packed),
    Method("deflate", _deflate, _inflate),
    Method("bzip2", lambda data: bz2.compress(data, 9)[len(BZIP2_HEAD) :], _unpack_bzip2),
    Method("lzma", _pack_lzma, _unpack_lzma),
)


def pack(data: bytes) -> tuple[int, bytes]:
    """The number of the method that leaves the fewest bytes, and these."""
    numbers = [STORED, DEFLATE, BZIP2, LZMA] if len(data) <= SMALL else [STORED, BZIP2, LZMA]
    packed = {number: METHODS[number].pack(data) for number in numbers}
    number = min(packed, key=lambda number: len(packed[number]))
    return number, packed[number]


def pack_below(data: bytes, length: int) -> tuple[int, tuple[int, bytes] | None]:
    """How many bytes `pack` leaves, at least; and what it gives, if that is fewer bytes than `length`.

    Two fast ones go first: the slow one is not tried if it would have to leave less than 0.85 of theirs.
    """
    fast = min(len(METHODS[BZIP2].pack(data)), len(_pack_lzma(data, FAST_LZMA2)), len(data))
    least = int(BETTER * fast) if fast > ENOUGH else 0
    if least >= length:
        return least, None
    number, packed = pack(data)
    return len(packed), (number, packed) if len(packed) < length else None


def unpack(method: int, packed: bytes, length: int) -> bytes:
    """The `length` bytes that were packed. Raises `DataError`."""
    if method >= len(METHODS):
        raise DataError(f"{DAMAGED}, since there is no method {method}")
    try:
        data = METHODS[method].unpack(packed, length)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise DataError(DAMAGED) from error
    if len(data) != length:
        raise DataError(DAMAGED)
    return data
