"""The standard deviation of every patch of a picture, from summed-area tables.

Of a picture v `(H, W)`, the patch of h x w pixels at (y, x) has

    σ(y, x)² = (1/hw) Σ v² - ((1/hw) Σ v)²         sums over its pixels,   y ≤ H - h,   x ≤ W - w

A sum over any rectangle is four values of the table S(y, x) = Σ v(i, j) over i < y, j < x:

    S(y + h, x + w) - S(y, x + w) - S(y + h, x) + S(y, x)

so that the cost does not depend on the size of the patch. Tables are made of a band of rows at a
time, in float64, of values less their mean; memory holds σ, and a band.

Reference: F. C. Crow, "Summed-area tables for texture mapping", SIGGRAPH 1984,
https://doi.org/10.1145/800031.808600.
"""

import numpy as np

from narrows.data.readers.pixels import Size, with_channels
from narrows.levels import Levels

BAND = 256  # rows of patches at a time


def deviations(pixels: np.ndarray, size: Size, levels: Levels | None = None) -> np.ndarray:
    """σ of the grey of every patch of a picture, float32 `(H - h + 1, W - w + 1)`; NaN where a patch
    has values that are not finite.

    levels: black and white of the picture, if they are not those of its type.
    """
    height, width = size
    rows, columns = pixels.shape[0] - height + 1, pixels.shape[1] - width + 1
    sigma = np.empty((rows, columns), np.float32)
    for start in range(0, rows, BAND):
        band = with_channels(pixels[start : start + BAND + height - 1], 1, levels)
        sigma[start : start + BAND] = _band_deviations(band.astype(np.float64), size)
    return sigma


def _band_deviations(band: np.ndarray, size: Size) -> np.ndarray:
    finite = np.isfinite(band)
    band = np.where(finite, band, 0)
    band -= band.mean()
    count = size[0] * size[1]
    mean = window_sums(band, size) / count
    variance = window_sums(band * band, size) / count - mean * mean
    sigma = np.sqrt(np.maximum(variance, 0))  # rounding may leave a little less than 0
    if not finite.all():
        sigma[window_sums(~finite, size) > 0] = np.nan
    return sigma


def window_sums(values: np.ndarray, size: Size) -> np.ndarray:
    """The sums over every rectangle of that size, `(H - h + 1, W - w + 1)`."""
    height, width = size
    table = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    np.cumsum(values, axis=0, out=table[1:, 1:])
    np.cumsum(table[1:, 1:], axis=1, out=table[1:, 1:])
    below, above = table[height:], table[:-height]
    return below[:, width:] - above[:, width:] - below[:, :-width] + above[:, :-width]
