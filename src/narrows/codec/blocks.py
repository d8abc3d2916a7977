"""How images are cut into tiles and gathered into blocks, by rules that a reader repeats.

An image of more than T rows or columns is cut into tiles as equal as can be: n = ceil(H / T) bands of
ceil(H / n) rows, the last of what is left, and columns alike; tiles are in the order of reading. Tiles,
image after image, are gathered into blocks: a block takes the next tile as long as all its tiles have
one type and number of channels, and

    (sum of rows + 8 a tile) (most columns + 8) <= A

since that is about the area of the flat array in which a block is coded (`wavefront`). A tile that is
larger than this is a block by itself.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

BORDER = 8  # rows and columns that are counted with each tile


class Tile(NamedTuple):
    """A part of an image: the place of the image in the archive, and rows and columns."""

    image: int
    top: int
    bottom: int
    left: int
    right: int

    @property
    def size(self) -> tuple[int, int]:
        return self.bottom - self.top, self.right - self.left


class Kind(NamedTuple):
    """What the tiles of a block have in common."""

    dtype: str
    channels: int


class Block(NamedTuple):
    """Tiles that are coded together."""

    kind: Kind
    tiles: list[Tile]

    @property
    def length(self) -> int:
        """Bytes of its pixels."""
        pixels = sum(rows * columns for rows, columns in (tile.size for tile in self.tiles))
        return pixels * self.kind.channels * np.dtype(self.kind.dtype).itemsize


def tiles_of(image: int, height: int, width: int, most: int) -> Iterator[Tile]:
    """The tiles of an image of that size, none larger than `most` rows or columns."""
    for top, bottom in _cuts(height, most):
        for left, right in _cuts(width, most):
            yield Tile(image, top, bottom, left, right)


def _cuts(length: int, most: int) -> list[tuple[int, int]]:
    if not length:
        return []
    count = -(-length // most)
    step = -(-length // count)
    return [(first, min(first + step, length)) for first in range(0, length, step)]


def gather(tiles: Iterable[tuple[Kind, Tile]], area: int) -> Iterator[Block]:
    """Tiles with their kinds, as blocks."""
    block: Block | None = None
    rows = columns = 0
    for kind, tile in tiles:
        height, width = tile.size
        rows, columns = rows + height + BORDER, max(columns, width + BORDER)
        if block is not None and (kind != block.kind or rows * columns > area):
            yield block
            block = None
        if block is None:
            block, rows, columns = Block(kind, []), height + BORDER, width + BORDER
        block.tiles.append(tile)
    if block is not None:
        yield block
