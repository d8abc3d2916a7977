"""Few grey levels instead of all: a palette of Q values, of which each pixel takes the nearest.

Of all palettes v_1 < ... < v_Q of integers, the one of the least squared error over the histogram n(x):

    min  sum_x n(x) (x - v_q(x))^2,    q(x) = arg min_q |x - v_q|

which is k-means in one dimension, after Lloyd and Max. The cells of neighbouring values in an optimum are
intervals, so it is found exactly by dynamic programming over their ends, for up to 512 different values:

    D(q, j) = min_i D(q - 1, i - 1) + c(i, j),   c(i, j): error of one level for the i-th to the j-th

For more (16 bits) the levels begin where they would be dense as n(x)^(1/3), which is optimal for many
levels, and move to the means of their cells until they rest. Images of at most Q values keep all of them.

References: S. P. Lloyd, "Least squares quantization in PCM", 1982, https://doi.org/10.1109/TIT.1982.1056489;
P. F. Panter, W. Dite, "Quantization distortion in pulse-count modulation with nonuniform spacing of
levels", 1951, https://doi.org/10.1109/JRPROC.1951.230419.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from narrows.errors import DataError, ImageError

LOWEST = {"bool": 0, "uint8": 0, "uint16": 0, "int16": -32768}  # value of each type
COUNTS = {"bool": 2, "uint8": 256, "uint16": 65536, "int16": 65536}  # values of each type
MOST = 65536  # levels
MOST_EXACT = 512  # different values
MOST_ROUNDS = 100
CELLS = 1024  # of the histogram by which levels begin


@dataclass(frozen=True)
class Palette:
    """Levels in ascending order, of a type of images in `LOWEST`.

    error: mean squared error of the images that it was made for; 0 if they are kept as they are.
    """

    dtype: str
    values: tuple[int, ...]
    error: float = 0.0

    def __len__(self) -> int:
        return len(self.values)

    def as_json(self) -> dict[str, Any]:
        return {"type": self.dtype, "values": list(self.values), "error": self.error}

    def indices(self, image: np.ndarray) -> np.ndarray:
        """For each value of an image the number of the nearest level, uint8, or uint16 if there are more
        than 256 levels.
        """
        return self._nearest[_counted(image)]

    def image(self, indices: np.ndarray) -> np.ndarray:
        """The levels of these numbers, in the type of the images. Raises `DataError` if there is no such
        level.
        """
        if indices.dtype.kind != "u" or indices.max(initial=0) >= max(1, len(self)):
            raise DataError("this archive is damaged: its images have values beyond its palette")
        return self._levels[indices]

    @cached_property
    def _levels(self) -> np.ndarray:
        return np.array(self.values).astype(self.dtype)

    @cached_property
    def _nearest(self) -> np.ndarray:
        """The number of the level for each value of the type, counted from the lowest."""
        values = np.arange(COUNTS[self.dtype]) + LOWEST[self.dtype]
        nearest = _nearest(values, np.array(self.values))
        return nearest.astype(np.uint8 if len(self) <= 256 else np.uint16)


def best_palette(images: Iterable[np.ndarray], levels: int) -> Palette:
    """The palette of at most `levels` values for these images. Raises `ImageError` if they are not all of
    one type of 8 or 16 bits.
    """
    dtype, counts = _histogram(images)
    values = np.flatnonzero(counts)
    often = counts[values].astype(np.float64)
    chosen = _levels_of(values, often, levels)
    off = values - chosen[_nearest(values, chosen)]
    error = float(often @ off**2 / max(1, often.sum()))
    return Palette(dtype, tuple((chosen + LOWEST[dtype]).tolist()), error)


def _histogram(images: Iterable[np.ndarray]) -> tuple[str, np.ndarray]:
    """The type of the images, and how often each value is there, counted from the lowest."""
    dtype, counts = "", np.zeros(0, np.int64)
    for image in images:
        name = image.dtype.name
        if name not in LOWEST:
            raise ImageError(
                f"grey levels: got images of type {name}, expected {', '.join(LOWEST)}; compress them "
                "without loss"
            )
        if dtype not in ("", name):
            raise ImageError(
                f"grey levels: got images of {dtype} and of {name}, expected one type; compress them "
                "apart, or without loss"
            )
        if not dtype:
            dtype, counts = name, np.zeros(COUNTS[name], np.int64)
        counts += np.bincount(_counted(image).ravel(), minlength=len(counts))
    return dtype or "uint8", counts


def _counted(image: np.ndarray) -> np.ndarray:
    """Values counted from the lowest of their type."""
    return image.astype(np.int32) - LOWEST[image.dtype.name]


def _levels_of(values: np.ndarray, counts: np.ndarray, levels: int) -> np.ndarray:
    """At most `levels` integers for values in ascending order that occur so often."""
    if len(values) <= levels:
        return values
    if len(values) <= MOST_EXACT:
        return _optimal_levels(values, counts, levels)
    return _resting_levels(values, counts, levels)


def _optimal_levels(values: np.ndarray, counts: np.ndarray, levels: int) -> np.ndarray:
    """By dynamic programming; see the module."""
    cost, means = _costs(values, counts)
    least, begins = cost[0], []
    for _ in range(levels - 1):
        through = np.append(np.inf, least[:-1])[:, None] + cost
        begins.append(through.argmin(0))
        least = through.min(0)
    chosen, last = [], len(values) - 1
    for begin in reversed(begins):
        first = int(begin[last])
        chosen.append(means[first, last])
        last = first - 1
    chosen.append(means[0, last])
    return np.array(chosen[::-1])


def _costs(values: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """c(i, j) `(n, n)`, infinite for i > j, and the level of the i-th to the j-th value."""
    sums = [np.cumsum(counts * values**power) for power in (0.0, 1.0, 2.0)]
    first, last = np.ogrid[: len(values), : len(values)]
    number, total, squares = (sum_[last] - np.append(0.0, sum_)[first] for sum_ in sums)
    level = np.rint(total / np.where(first <= last, number, 1))
    cost = squares - 2 * level * total + level**2 * number
    return np.where(first <= last, np.maximum(cost, 0), np.inf), level.astype(np.int64)


def _resting_levels(values: np.ndarray, counts: np.ndarray, levels: int) -> np.ndarray:
    """By Lloyd's iteration; see the module."""
    often, ends = np.histogram(values, CELLS, weights=counts)
    dense = np.append(0.0, np.cumsum(np.cbrt(often)))
    places = (np.arange(levels) + 0.5) / levels * dense[-1]
    chosen = np.unique(np.rint(np.interp(places, dense, ends)).astype(np.int64))
    for _ in range(MOST_ROUNDS):
        cell = _nearest(values, chosen)
        number = np.bincount(cell, counts, len(chosen))
        total = np.bincount(cell, counts * values, len(chosen))
        moved = np.unique(np.rint(total[number > 0] / number[number > 0]).astype(np.int64))
        if np.array_equal(moved, chosen):
            break
        chosen = moved
    return chosen


def _nearest(values: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The number of the nearest of ascending levels for each value, the lower of two."""
    return np.searchsorted((levels[1:] + levels[:-1]) / 2, values)
