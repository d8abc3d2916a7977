"""Whether an archive is intact, from its first byte to its last."""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from narrows.codec.archive import HEAD, MAGIC, Archive, index_of
from narrows.codec.index import APART, Index
from narrows.codec.packing import DAMAGED
from narrows.errors import DataError
from narrows.reading import reading


def is_archive(path: str | os.PathLike[str]) -> bool:
    """Whether there is a file that begins as an archive does."""
    if not Path(path).is_file():
        return False
    with reading(path), open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def verify_archive(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read an archive through, and unpack it, unless its pixel model is apart.

    Returns "images", "blocks", "bytes", and how it was "checked". Raises `DataError` with what is wrong.
    """
    with reading(path), open(path, "rb") as file:
        index = index_of(file)
        if index.model == APART:
            checked = "the bytes of each block; its pixels need the model, which is apart"
            count = sum(1 for _ in checked_blocks(file, index))
        else:
            checked = "the bytes and the pixels of each block"
            count = len(index.blocks)
            for _ in Archive(file).images():
                pass
    size = Path(path).stat().st_size
    return {"images": index.count, "blocks": count, "bytes": size, "checked": checked}


def checked_blocks(file: BinaryIO, index: Index) -> Iterator[bytes]:
    """The bytes of each block, packed; the file is then behind the last. Raises `DataError`."""
    file.seek(HEAD)
    for number, entry in enumerate(index.blocks, start=1):
        block = file.read(entry.length)
        if zlib.crc32(block) != entry.packed_crc:
            raise DataError(DAMAGED.format(f"block {number}"))
        yield block
