"""Pixels of training images, with their neighbours, in random batches.

Most pixels teach little: where the nearest neighbours all have the value of the pixel, as in the background,
the model is soon sure. Of these flat pixels one in `FLAT` is drawn, and counts `FLAT` times, so that the
weighted mean of the loss is that of all pixels.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from narrows.codec.blocks import tiles_of
from narrows.codec.groups import Groups
from narrows.codec.wavefront import Layout, pixels_of
from narrows.errors import ImageError

FLAT = 8
NEAREST = 12  # neighbours that say whether a pixel is flat
DRAWN = 1 << 18  # pixels at once, before flat ones are left out
NEVER = 65535  # beyond all steps


class Batch(NamedTuple):
    """Pixels.

    x: `(n, K)` or `(n, K, channels)` neighbours, the nearest first.
    value: `(n,)` or `(n, channels)`.
    row, column, image, step: `(n,)` where it is, int64.
    weight: `(n,)` how many pixels each stands for, float32.
    """

    x: np.ndarray
    value: np.ndarray
    row: np.ndarray
    column: np.ndarray
    image: np.ndarray
    step: np.ndarray
    weight: np.ndarray

    def take(self, some: np.ndarray | slice) -> "Batch":
        return Batch(*(field[some] for field in self))


class Samples:
    """Pixels of images `(rows, columns)` or `(rows, columns, channels)`.

    flat: the images in one array (`narrows.codec.wavefront`).
    """

    def __init__(self, images: Sequence[np.ndarray], radius: int):
        self.layout = Layout([image.shape[:2] for image in images], radius)
        self.flat = self.layout.lay_out(images)
        self.offsets = self.layout.offsets
        self.widths = np.array([width for _, width in self.layout.sizes])
        self.ends = np.cumsum([height * width for height, width in self.layout.sizes])

    def batches(self, count: int, generator: np.random.Generator) -> Iterator[Batch]:
        """Batches of `count` pixels without end."""
        pool = self._drawn(generator)
        while True:
            while len(pool.value) < count:
                more = self._drawn(generator)
                pool = Batch(*(np.concatenate(pair) for pair in zip(pool, more)))
            yield pool.take(slice(count))
            pool = pool.take(slice(count, None))

    def some(self, count: int, generator: np.random.Generator) -> Batch:
        """Pixels with replacement, all as likely."""
        return self._pixels(np.sort(generator.integers(0, self.ends[-1], count)))

    def every_pixel(self) -> Batch:
        """All of them, image by image."""
        return self._pixels(np.arange(self.ends[-1]))

    def _drawn(self, generator: np.random.Generator) -> Batch:
        numbers = np.sort(generator.integers(0, self.ends[-1], DRAWN))
        weight = self._weights(self._where(numbers)[0])
        kept = np.flatnonzero(generator.random(DRAWN, np.float32) * weight < 1)
        generator.shuffle(kept)
        return self._pixels(numbers[kept])._replace(weight=weight[kept])

    def _where(self, numbers: np.ndarray) -> tuple[np.ndarray, ...]:
        """Place, row, column and image of pixels, counted over all images."""
        image = np.searchsorted(self.ends, numbers, side="right")
        row, column = np.divmod(numbers - np.append(0, self.ends)[image], self.widths[image])
        return self.layout.starts[image] + row * self.layout.stride + column, row, column, image

    def _weights(self, place: np.ndarray) -> np.ndarray:
        """How many pixels each stands for, if it is drawn."""
        near = self.flat.take(place[:, None] + self.offsets[:NEAREST], axis=0)
        is_flat = (near == self.flat[place][:, None]).reshape(len(place), -1).all(1)
        return np.where(is_flat, FLAT, 1).astype(np.float32)

    def _pixels(self, numbers: np.ndarray) -> Batch:
        place, row, column, image = self._where(numbers)
        x = self.flat.take(place[:, None] + self.offsets, axis=0)
        step = column + (self.layout.radius + 1) * row
        weight = np.ones(len(numbers), np.float32)
        return Batch(x, self.flat[place], row, column, image, step, weight)


def tiles_in(images: Sequence[np.ndarray], tile: int) -> list[np.ndarray]:
    """Images as they will be coded, in tiles of at most 2^tile rows and columns. Raises `ImageError` if there
    are no pixels.
    """
    tiles = [
        image[part.top : part.bottom, part.left : part.right]
        for image in images
        for part in tiles_of(0, *image.shape[:2], most=1 << tile)
    ]
    if not tiles:
        raise ImageError("a pixel model is trained on images: got none, or none that has pixels")
    return tiles


class GreySamples(Samples):
    """Pixels of images `(rows, columns)`, uint8, and which values these images have had.

    since: `(images, values)` the step of the first pixel of each value (`first_steps`).
    """

    def __init__(self, images: Sequence[np.ndarray], radius: int, values: int):
        super().__init__(images, radius)
        self.since = np.stack([first_steps(image, radius, values) for image in images])

    def had(self, batch: Batch, groups: Groups) -> np.ndarray:
        """`(n, P)` whether the image of a pixel has had the value of each place of the pixel's group, in an
        earlier step, 0 or 1.
        """
        first = groups.first[groups.group[batch.value]]
        values = first[:, None] + np.arange(len(groups.valid))
        at = batch.image[:, None] * len(groups.group) + np.minimum(values, len(groups.group) - 1)
        since = self.since.reshape(-1).take(at)
        return since < batch.step[:, None]

    def _pixels(self, numbers: np.ndarray) -> Batch:
        batch = super()._pixels(numbers)
        return batch._replace(value=batch.value.astype(np.int64))


def first_steps(image: np.ndarray, radius: int, values: int) -> np.ndarray:
    """`(values,)` the step of the first pixel of each value, uint16; `NEVER` if there is none."""
    order, step = _backwards(*image.shape[:2], radius)
    since = np.full(values, NEVER, np.uint16)
    since[image.reshape(-1)[order]] = step  # of pixels of one value the last is kept
    return since


@lru_cache(maxsize=16)
def _backwards(height: int, width: int, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """The pixels from the last step to the first, and their steps."""
    _, _, step = pixels_of(height, width, radius)
    order = np.argsort(step, kind="stable")[::-1]
    return order, step[order]
