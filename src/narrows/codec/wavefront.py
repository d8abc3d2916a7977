"""The order in which the pixels of a block are coded, and the neighbours that each may use.

A block is a stack of images, each above the next, in one flat array of rows of `stride` places. Zeros
surround each image, so that the neighbours of a pixel are at constant distances from it:

    neighbours of (r, c)   (r + dy, c + dx) with -R <= dy < 0, |dx| <= R, and with dy = 0,
                           -R <= dx < 0; K = 2 R (R + 1) in all, by dy^2 + dx^2, dy, dx
    step of (r, c)         t = c + (R + 1) r

All neighbours of a pixel have earlier steps: the nearest are (r, c - 1) and (r - 1, c + R), both of
step t - 1. So the pixels of a step, of all images of the block, are coded at once: W + (R + 1)(H - 1)
steps instead of W H. In a step they are ordered by image, then by row.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

Size = tuple[int, int]  # rows, columns
CHUNK = 1 << 12  # pixels whose distributions an encoder computes at once, at least


def neighbour_count(radius: int) -> int:
    """K."""
    return 2 * radius * (radius + 1)


class Layout:
    """The places of images in a flat array.

    sizes: (rows, columns) of the images.
    stride: places from one row to the next.
    length: places in all.
    starts: `(images,)` the place of the first pixel of each image.
    """

    def __init__(self, sizes: Sequence[Size], radius: int):
        self.radius = radius
        self.sizes = sizes
        heights = np.array([height for height, _ in sizes])
        self.stride = max(width for _, width in sizes) + radius
        above = np.cumsum(heights + radius) - heights  # rows over each image
        self.starts = above * self.stride + radius
        self.length = int(heights.sum() + radius * (len(sizes) + 1)) * self.stride + radius

    @property
    def offsets(self) -> np.ndarray:
        """The distances of the neighbours, `(K,)`, the nearest first; all are negative."""
        return np.array(
            [dy * self.stride + dx for dy, dx in neighbours(self.radius)], dtype=np.int64
        )

    def lay_out(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Images `(rows, columns, channels)` of those sizes as the flat array `(length, channels)`."""
        flat = np.zeros((self.length, *images[0].shape[2:]), images[0].dtype)
        for view, image in zip(self.views(flat), images):
            view[:] = image
        return flat

    def views(self, flat: np.ndarray) -> list[np.ndarray]:
        """Each image inside of the flat array."""
        views = []
        for start, (height, width) in zip(self.starts, self.sizes):
            rows = flat[start : start + height * self.stride]
            views.append(rows.reshape(height, self.stride, *flat.shape[1:])[:, :width])
        return views


class Wavefront(Layout):
    """The pixels of a block in coding order.

    places: `(pixels,)` in the flat array.
    rows, columns: the same pixels in their images, uint16. images: in which, int32.
    bounds: where each step begins, and the end.
    """

    def __init__(self, sizes: Sequence[Size], radius: int):
        super().__init__(sizes, radius)
        each = [pixels_of(height, width, self.radius) for height, width in self.sizes]
        rows, columns, step = (np.concatenate(parts) for parts in zip(*each))
        order = np.argsort(step, kind="stable")
        self.rows, self.columns = rows[order], columns[order]
        pixels = [height * width for height, width in self.sizes]
        self.images = np.repeat(np.arange(len(pixels), dtype=np.int32), pixels)[order]
        self.places = (
            self.starts[self.images] + self.rows.astype(np.int64) * self.stride + self.columns
        )
        counts = np.bincount(step)
        self.bounds = np.concatenate([[0], np.cumsum(counts[counts > 0])])

    def steps(self) -> list[slice]:
        """The pixels of each step, in `places`."""
        return [slice(int(a), int(b)) for a, b in zip(self.bounds[:-1], self.bounds[1:])]


def is_warm(flat: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Whether a pixel has a neighbour that is not zero, `(length,)`."""
    warm, is_more = np.zeros(len(flat), bool), flat != 0
    for offset in offsets:
        warm[-offset:] |= is_more[:offset]
    return warm


def chunks(steps: list[slice]) -> Iterator[list[slice]]:
    """Steps in groups of at least `CHUNK` pixels, but for the last."""
    chunk: list[slice] = []
    for step in steps:
        chunk.append(step)
        if step.stop - chunk[0].start >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


@lru_cache(maxsize=1)
def wavefront(sizes: tuple[Size, ...], radius: int) -> Wavefront:
    """The wavefront of images of these sizes; the last is kept, since blocks are much alike."""
    return Wavefront(sizes, radius)


@lru_cache(maxsize=16)
def pixels_of(height: int, width: int, radius: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, column and step of each pixel of an image, row by row."""
    row = np.repeat(np.arange(height, dtype=np.uint16), width)
    column = np.tile(np.arange(width, dtype=np.uint16), height)
    return row, column, column + (radius + 1) * row


def neighbours(radius: int) -> list[tuple[int, int]]:
    """(dy, dx) of each neighbour, the nearest first."""
    above = [(dy, dx) for dy in range(-radius, 0) for dx in range(-radius, radius + 1)]
    left = [(0, dx) for dx in range(-radius, 0)]
    return sorted(above + left, key=lambda place: (place[0] ** 2 + place[1] ** 2, place))
