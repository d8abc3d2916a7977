"""A block in bytes and back: by the pixel model, or by a general compressor where that is smaller.

What is packed is unpacked again before it is kept; what differs is stored by a general compressor.
"""

import zlib
from typing import NamedTuple

import numpy as np

from narrows.codec import general
from narrows.codec.blocks import Block, Kind
from narrows.codec.index import PIXEL_MODEL, Entry
from narrows.codec.pixel_model import PixelModel
from narrows.errors import DataError

DAMAGED = "this archive is damaged: the checksum of {} is not what it should be"


class Packed(NamedTuple):
    """A block as it is written. saved: bytes that the model saves, at least, if it is the model's."""

    entry: Entry
    data: bytes
    saved: int = 0


def pack_block(item: tuple[Block, list[np.ndarray]], model: PixelModel | None) -> Packed:
    """A block and its tiles as they are written, in the fewest bytes; what was packed has been unpacked, and
    is equal.
    """
    block, tiles = item
    data = _bytes_of(tiles)
    coded = _coded(block, tiles, data, model)
    if coded is None:
        return _packed(data, general.pack(data))
    least, other = general.pack_below(data, len(coded.data))
    if other is None:
        return coded._replace(saved=least - len(coded.data))
    return _packed(data, other)


def _packed(data: bytes, packed: tuple[int, bytes]) -> Packed:
    """A block that a general compressor has packed."""
    method, content = packed
    if general.unpack(method, content, len(data)) != data:
        method, content = general.STORED, data
    return Packed(Entry(method, 0, len(content), zlib.crc32(content), zlib.crc32(data)), content)


def _coded(
    block: Block, tiles: list[np.ndarray], data: bytes, model: PixelModel | None
) -> Packed | None:
    """A block as the model codes it; None if it cannot, or if what it decodes is not the same."""
    if model is None or not model.fits(block.kind, tiles):
        return None
    stream, lanes = model.encode(tiles)
    sizes = [tile.size for tile in block.tiles]
    if _bytes_of(model.decode(stream, lanes, block.kind, sizes)) != data:
        return None
    entry = Entry(PIXEL_MODEL, lanes, len(stream), zlib.crc32(stream), zlib.crc32(data))
    return Packed(entry, stream)


def unpack_block(
    item: tuple[Block, Entry, bytes, str], model: PixelModel | None
) -> tuple[Block, list[np.ndarray]]:
    """A block and its tiles, checked. item: block, entry, bytes, a name for errors. Raises `DataError`."""
    block, entry, packed, name = item
    if zlib.crc32(packed) != entry.packed_crc:
        raise DataError(DAMAGED.format(name))
    sizes = [tile.size for tile in block.tiles]
    if entry.method == PIXEL_MODEL:
        if model is None or not model.knows(block.kind):
            raise DataError("this archive is damaged: its pixel model is for other images")
        tiles = model.decode(packed, entry.lanes, block.kind, sizes)
        data = _bytes_of(tiles)
    else:
        data = general.unpack(entry.method, packed, block.length)
        tiles = _cut(data, block.kind, sizes)
    if entry.method != general.STORED and zlib.crc32(data) != entry.crc:
        raise DataError(DAMAGED.format(f"the pixels of {name}"))
    return block, tiles


def _bytes_of(tiles: list[np.ndarray]) -> bytes:
    """The values of tiles, little-endian, tile after tile."""
    little = tiles[0].dtype.newbyteorder("<")
    return b"".join(np.ascontiguousarray(tile, little).tobytes() for tile in tiles)


def _cut(data: bytes, kind: Kind, sizes: list[tuple[int, int]]) -> list[np.ndarray]:
    """The tiles in the bytes of a block. Raises `DataError` for bits that are neither 0 nor 1."""
    values = np.frombuffer(data, np.dtype(kind.dtype).newbyteorder("<"))
    values = values.astype(kind.dtype, copy=False)
    if kind.dtype == "bool" and values.view(np.uint8).max(initial=0) > 1:
        raise DataError("this archive is damaged: it has bits that are neither 0 nor 1")
    ends = np.cumsum([height * width * kind.channels for height, width in sizes])[:-1]
    parts = np.split(values, ends)
    return [part.reshape(*size, kind.channels) for part, size in zip(parts, sizes)]
