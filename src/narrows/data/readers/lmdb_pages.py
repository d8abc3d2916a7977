"""The keys and values of an LMDB file, in order, without its library: that follows whatever a file
says, and a file that is cut off ends the process.

A file is pages of P bytes, which form a B+ tree. Numbers are little-endian, pages count from 0.

    pages 0, 1    16 bytes, then magic, version, ..., P, ..., root, ...; the later transaction counts
    any page      number, flags (1 branch, 2 leaf), end of the places, then the places of its nodes
    a node        of a branch: a page; of a leaf: size, flags, size of the key, key, value
    flag 1        of a node: the value is in pages of its own, whose number the node holds

Each place is compared with the length of the file before it is read, and no page is read twice.
References: `mdb.c` of LMDB 0.9, https://git.openldap.org/openldap/openldap.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from struct import Struct, error, unpack_from
from typing import NamedTuple

from narrows.errors import DataError

MAGIC = b"\xde\xc0\xef\xbe"
HEADER = 16  # bytes of a page, before all else
META = Struct("<II16xI84xQQQ")  # magic, version; P; root of the main tree, last page, transaction
PAGE = Struct("<QHHH")  # number; flags, end of the places
NODE = Struct("<HHHH")
NUMBER = Struct("<Q")
BRANCH, LEAF = 1, 2
IN_OWN_PAGES, NOT_A_VALUE = 1, 6
NO_PAGE = 2**64 - 1
VERSION = 1


class Value(NamedTuple):
    """A key, and where its value is in the file."""

    key: bytes
    start: int
    stop: int


class LmdbFile:
    """The file, mapped into memory. Raises `DataError` for what is damaged."""

    def __init__(self, path: Path):
        self.path = path
        with open(path, "rb") as file:
            if path.stat().st_size < 2 * HEADER:
                raise DataError(f"{path} is too short to be LMDB")
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.page_size, self.root = self._newest_meta()
        self.pages_read: set[int] = set()

    def __getitem__(self, value: Value) -> bytes:
        return self.bytes[value.start : value.stop]

    def __iter__(self) -> Iterator[Value]:
        """All keys in their order, with their values."""
        self.pages_read = set()
        if self.root == NO_PAGE:
            return
        try:
            yield from self._below(self.root)
        except error as cause:
            raise self._damaged("a node leads out of the file") from cause

    def _newest_meta(self) -> tuple[int, int]:
        """The size of a page, and the root of the tree."""
        metas = []
        first = self._meta(HEADER)
        second = self._meta(first[2] + HEADER) if first else None
        metas = [meta for meta in (first, second) if meta]
        if not metas:
            raise DataError(f"{self.path} is not LMDB of version {VERSION} with 64 bits")
        _, _, page_size, root, last_page, _ = max(metas, key=lambda meta: meta[-1])
        if (last_page + 1) * page_size > len(self.bytes):
            raise self._damaged(
                f"it has {len(self.bytes):,} bytes, of {(last_page + 1) * page_size:,}: cut off"
            )
        return page_size, root

    def _meta(self, place: int) -> tuple[int, ...] | None:
        if place + META.size > len(self.bytes):
            return None
        if self.bytes[place : place + len(MAGIC)] != MAGIC:
            return None
        meta = META.unpack_from(self.bytes, place)
        return meta if meta[1] == VERSION and meta[2] >= 256 else None

    def _below(self, number: int) -> Iterator[Value]:
        """The values below a page."""
        start = number * self.page_size
        if number in self.pages_read or start + self.page_size > len(self.bytes):
            raise self._damaged(f"page {number} does not belong where it is")
        self.pages_read.add(number)
        _, _, flags, end = PAGE.unpack_from(self.bytes, start)
        count = (min(end, self.page_size) - HEADER) // 2
        places = unpack_from(f"<{max(0, count)}H", self.bytes, start + HEADER)
        if flags & LEAF:
            yield from (self._leaf(start + place) for place in places)
        elif flags & BRANCH and len(self.pages_read) < len(self.bytes):
            for place in places:
                low, middle, high, _ = NODE.unpack_from(self.bytes, start + place)
                yield from self._below(low | middle << 16 | high << 32)
        else:
            raise self._damaged(f"page {number} is neither a branch nor a leaf")

    def _leaf(self, place: int) -> Value:
        low, high, flags, key_size = NODE.unpack_from(self.bytes, place)
        size = low | high << 16
        start = place + NODE.size + key_size
        key = self.bytes[place + NODE.size : start]
        if flags & NOT_A_VALUE:
            raise DataError(
                f"{self.path}: {key!r} is a database inside or has several values; expected one "
                "value for each key"
            )
        if flags & IN_OWN_PAGES:
            start = NUMBER.unpack_from(self.bytes, start)[0] * self.page_size + HEADER
        if start + size > len(self.bytes):
            raise self._damaged(f"the value of {key!r} ends beyond the file")
        return Value(key, start, start + size)

    def _damaged(self, how: str) -> DataError:
        return DataError(f"{self.path} is damaged or cut off: {how}")
