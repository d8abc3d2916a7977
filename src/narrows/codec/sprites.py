"""Sprites: all images of one shape as one picture, a grid of them, so that they share one header.

N images of H x W pixels make a grid of columns x rows tiles, as square as can be, with black tiles at its
end. A picture has at most `most` pixels a side, by default WebP's limit of 16,383 (the other formats take
larger ones), so that there are more than one if there are many images. Images of other shapes have
sprites of their own. The grids follow from the shapes alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isqrt

import numpy as np

MOST_SIDE = 16383  # pixels, of WebP
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Grid:
    """The places in the set of the images of a sprite, their shape, and the numbers of rows and columns
    of the grid.
    """

    places: tuple[int, ...]
    shape: Shape
    rows: int
    columns: int

    @property
    def picture(self) -> Shape:
        """The shape of the sprite."""
        height, width, *channels = self.shape
        return (self.rows * height, self.columns * width, *channels)


def grids(shapes: Sequence[Shape], most: int = MOST_SIDE) -> list[Grid]:
    """The grids of images `(H, W)` or `(H, W, C)` of these shapes; none is wider or higher than `most`
    pixels, unless one image is.
    """
    of_shape: dict[Shape, list[int]] = {}
    for place, shape in enumerate(shapes):
        of_shape.setdefault(tuple(shape), []).append(place)
    found = []
    for shape, places in of_shape.items():
        widest, highest = max(1, most // shape[1]), max(1, most // shape[0])
        step = min(widest, highest) ** 2
        for start in range(0, len(places), step):
            found.append(_grid(tuple(places[start : start + step]), shape))
    return found


def _grid(places: tuple[int, ...], shape: Shape) -> Grid:
    columns = isqrt(len(places) - 1) + 1
    return Grid(places, shape, ceil(len(places) / columns), columns)


def sprites(images: Sequence[np.ndarray], most: int = MOST_SIDE) -> list[np.ndarray]:
    """The pictures of the grids of the images, each `(rows H, columns W)` or with C."""
    return [_joined(images, grid) for grid in grids([image.shape for image in images], most)]


def from_sprites(
    pictures: Sequence[np.ndarray], shapes: Sequence[Shape], most: int = MOST_SIDE
) -> list[np.ndarray]:
    """The images of these shapes, in their order, from what `sprites` gave."""
    images: list[np.ndarray] = [np.empty(0)] * len(shapes)
    for picture, grid in zip(pictures, grids(shapes, most), strict=True):
        for place, tile in zip(grid.places, _tiles(picture, grid)):
            images[place] = tile
    return images


def _joined(images: Sequence[np.ndarray], grid: Grid) -> np.ndarray:
    first = images[grid.places[0]]
    tiles = np.zeros((grid.rows * grid.columns, *grid.shape), first.dtype)
    tiles[: len(grid.places)] = [images[place] for place in grid.places]
    across = tiles.reshape(grid.rows, grid.columns, *grid.shape).swapaxes(1, 2)
    return across.reshape(grid.picture)


def _tiles(picture: np.ndarray, grid: Grid) -> np.ndarray:
    """`(rows columns, H, W)` or with C."""
    height, width, *channels = grid.shape
    across = picture.reshape(grid.rows, height, grid.columns, width, *channels).swapaxes(1, 2)
    return across.reshape(-1, *grid.shape)
