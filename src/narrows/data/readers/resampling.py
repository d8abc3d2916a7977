"""Lanczos' filter as products of matrices: X `(H, W)` becomes R X Cᵀ `(h, w)`.

Row i of R, `(h, H)`, has the weights of the rows of X in row i of the result, and C, `(w, W)`, has
those of the columns. A result that covers the pixels from a to b has

    s   = (b - a) / h                  pixels of X to one of the result
    c_i = a + (i + 1/2) s              the place of pixel i
    R_ij ∝ L((j + 1/2 - c_i) / max(s, 1)),   Σ_j R_ij = 1
    L(t) = sinc(t) sinc(t / 3) for |t| < 3, else 0

as Pillow has it, within a rounding of 10⁻⁷. Weights are multiples of 2⁻²²: all sums and products
of values of 8 bits are exact in float64, whatever their order (8 + 2 · 22 bits and a sign, and the
weights of a pixel, without their signs, sum to less than 2 in both passes together). So the result
is the same on every machine, and that of a transposed picture is the transpose.

R is zero but for a band along its diagonal. It is taken in blocks of a few rows, each of which needs
few rows of X, and these in pieces so small that a BLAS library keeps to one thread: pictures are
read in several threads anyway, and all of X is never held as floats. In X the channels of a pixel
follow one another, so C has each weight once a channel: it is C ⊗ I.

In a product NaN times 0 is NaN, so one NaN in X would spread over a block. Floats that are not finite
are left out of the product, and the pixels of the result in which they have a weight are NaN.

Reference: C. E. Duchon, "Lanczos filtering in one and two dimensions", J. Appl. Meteorology 18, 1979.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

LOBES = 3  # of the filter on each side
STEPS = 2.0**22  # of a weight from 0 to 1
BLOCK = 8  # rows or columns of a result that are computed together
SIZES_KEPT = 16  # whose weights are kept for the next picture
MOST_PRODUCTS = 2**18  # of one call; beyond them OpenBLAS starts threads

Size = tuple[int, int]  # height, width
Box = tuple[float, float, float, float]  # left, top, right, bottom


class Band(NamedTuple):
    """Some rows (or columns) of a result, those that they are made of, and the weights of these."""

    made: slice
    needed: slice
    weights: np.ndarray


def resample(pixels: np.ndarray, size: Size, box: Box) -> np.ndarray:
    """The part of a picture `(H, W)` or `(H, W, C)` inside a box, at that size: float64, neither
    rounded nor clipped.
    """
    finite = np.isfinite(pixels)
    if finite.all():
        return _resampled(pixels, size, box)
    result = _resampled(np.where(finite, pixels, 0), size, box)
    result[_reached(~finite, size, box)] = np.nan
    return result


def _resampled(pixels: np.ndarray, size: Size, box: Box) -> np.ndarray:
    """R X Cᵀ for each channel."""
    height, width = pixels.shape[:2]
    channels = pixels.shape[2:]
    left, top, right, bottom = box
    down = _filter_rows(pixels.reshape(height, -1), _bands(height, size[0], top, bottom))
    across = _filter_columns(down, _column_bands(width, size[1], left, right, *channels))
    return across.reshape(*size, *channels)


def _reached(marked: np.ndarray, size: Size, box: Box) -> np.ndarray:
    """Where a result has a weight on a marked value: (R ≠ 0) M (C ≠ 0)ᵀ > 0 for each channel."""
    left, top, right, bottom = box
    rows = _matrix(len(marked), size[0], top, bottom) != 0
    columns = _matrix(marked.shape[1], size[1], left, right) != 0
    planes = np.moveaxis(np.atleast_3d(marked), 2, 0).astype(np.float32)
    counts = rows.astype(np.float32) @ planes @ columns.T.astype(np.float32)
    return np.moveaxis(counts > 0, 0, 2).reshape(*size, *marked.shape[2:])


def _filter_rows(values: np.ndarray, bands: list[Band]) -> np.ndarray:
    """R X for X `(H, n)`: float64 `(h, n)`."""
    result = np.empty((bands[-1].made.stop, values.shape[1]))
    for made, needed, weights in bands:
        for part in _parts(values.shape[1], weights.size):
            floats = values[needed, part].astype(np.float64, copy=False)
            np.matmul(weights, floats, out=result[made, part])
    return result


def _filter_columns(values: np.ndarray, bands: list[Band]) -> np.ndarray:
    """X Cᵀ for X `(n, W)` of floats: float64 `(n, w)`."""
    result = np.empty((len(values), bands[-1].made.stop))
    for made, needed, weights in bands:
        for part in _parts(len(values), weights.size):
            np.matmul(values[part, needed], weights, out=result[part, made])
    return result


@lru_cache(maxsize=64)
def _parts(length: int, weights: int) -> list[slice]:
    """Slices of `length` rows or columns, each small enough for one call with this many weights."""
    step = max(1, MOST_PRODUCTS // weights)
    return [slice(start, start + step) for start in range(0, length, step)]


@lru_cache(maxsize=SIZES_KEPT)
def _bands(length: int, count: int, start: float, stop: float) -> list[Band]:
    """R in blocks of rows, without the columns that are 0 in all of these."""
    matrix = _matrix(length, count, start, stop)
    bands = []
    for first in range(0, count, BLOCK):
        block = matrix[first : first + BLOCK]
        columns = np.flatnonzero(block.any(axis=0))
        needed = slice(int(columns[0]), int(columns[-1]) + 1)
        bands.append(Band(slice(first, first + len(block)), needed, block[:, needed].copy()))
    return bands


@lru_cache(maxsize=SIZES_KEPT)
def _column_bands(
    length: int, count: int, start: float, stop: float, channels: int = 1
) -> list[Band]:
    """Cᵀ in blocks of columns, for rows in which the channels of a pixel follow one another."""
    bands = []
    for made, needed, weights in _bands(length, count, start, stop):
        high, wide = weights.shape
        each = np.zeros((wide, channels, high, channels))
        for channel in range(channels):
            each[:, channel, :, channel] = weights.T
        each = each.reshape(wide * channels, high * channels)
        bands.append(Band(_widened(made, channels), _widened(needed, channels), each))
    return bands


def _widened(pixels: slice, channels: int) -> slice:
    return slice(pixels.start * channels, pixels.stop * channels)


def _matrix(length: int, count: int, start: float, stop: float) -> np.ndarray:
    """R `(count, length)`."""
    scale = (stop - start) / count
    width = max(scale, 1.0)
    centres = start + (np.arange(count)[:, None] + 0.5) * scale
    lowest = np.floor(centres - LOBES * width).astype(int)
    places = lowest + np.arange(int(2 * LOBES * width) + 2)
    distances = (places + 0.5 - centres) / width
    inside = (np.abs(distances) < LOBES) & (places >= 0) & (places < length)
    weights = np.sinc(distances) * np.sinc(distances / LOBES) * inside
    weights /= weights.sum(axis=1, keepdims=True)
    weights = np.rint(weights * STEPS) / STEPS
    weights[np.arange(count), weights.argmax(axis=1)] += 1 - weights.sum(axis=1)
    matrix = np.zeros((count, length))
    matrix[np.nonzero(inside)[0], places[inside]] = weights[inside]
    return matrix
