"""How many normal and how many anomalous pixels have each score, in bounded memory.

Up to a number of pixels each score is kept. Of more, scores are counted in 2^20 bins. A bin is the
first 20 bits of a score as float32, its sign, exponent and 11 bits of its fraction, so that bins are in
the order of the scores, and two scores of one bin differ by less than 1 part in 2,048:

    b(s) = u >> 12,   u = bits(s) with all bits inverted if s < 0, else with the first bit set

A curve needs three numbers of each bin: how many of its pixels are normal, how many anomalous, and the
sum over the latter of 1 / (size of the pixel's region), which is the overlap per region.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

MOST_EXACT = 2**22  # pixels, of which each score is kept: about 200 MB while a curve is made
BIN_BITS = 20
SIGN = np.uint32(1 << 31)
NEIGHBOURS = np.ones((3, 3), int)  # of a pixel of a region: all eight


class Pixels(NamedTuple):
    """Scores, each with the number of normal and of anomalous pixels that have it, and the sum over
    the latter of 1 / (size of the region).
    """

    scores: np.ndarray
    normal: np.ndarray
    anomalous: np.ndarray
    share: np.ndarray


class Curve(NamedTuple):
    """At each threshold, highest first, from 0 on: FPR, TPR and PRO (see `localisation`)."""

    false_positives: np.ndarray
    found: np.ndarray
    overlap: np.ndarray


class PixelCounts:
    """Pixels of maps and masks `(H, W)`, added one image after the other. most: see the module."""

    def __init__(self, most: int = MOST_EXACT):
        self.most = most
        self.kept: list[Pixels] = []
        self.bins: Pixels | None = None
        self.pixels = 0
        self.anomalous = 0
        self.regions = 0

    @property
    def has_both_kinds(self) -> bool:
        return 0 < self.anomalous < self.pixels

    def add(self, scores: np.ndarray, mask: np.ndarray) -> None:
        """The pixels of one image. scores: no NaN. mask: bool."""
        pixels, regions = _pixels(scores.ravel(), mask)
        self.pixels += mask.size
        self.anomalous += int(mask.sum())
        self.regions += regions
        if self.bins is None and self.pixels > self.most:
            self.bins = _empty_bins()
            for other in self.kept:
                _add_to_bins(self.bins, other)
            self.kept = []
        if self.bins is None:
            self.kept.append(pixels)
        else:
            _add_to_bins(self.bins, pixels)

    def curve(self) -> Curve:
        """The curves of all pixels; there must be both kinds."""
        pixels = self.bins or Pixels(*map(np.concatenate, zip(*self.kept)))
        order = np.argsort(-pixels.scores, kind="stable")
        scores = pixels.scores[order]
        last = np.append(scores[1:] != scores[:-1], True)  # pixels of one score are flagged at once
        of_each = pixels.normal, pixels.anomalous, pixels.share
        totals = self.pixels - self.anomalous, self.anomalous, self.regions
        rising = (_rising(values[order], last, total) for values, total in zip(of_each, totals))
        return Curve(*rising)


def _rising(values: np.ndarray, last: np.ndarray, total: int) -> np.ndarray:
    """The share of the total that is reached at each threshold, from 0 on."""
    reached = np.cumsum(values, dtype=np.float64)[last] / total
    return np.append(0, reached.clip(max=1))


def _pixels(scores: np.ndarray, mask: np.ndarray) -> tuple[Pixels, int]:
    """Each pixel of an image, and the number of regions."""
    from scipy import ndimage  # here, because it is slow to import

    labelled: Any = ndimage.label(mask, NEIGHBOURS)
    regions, count = labelled
    sizes = np.bincount(regions.ravel())
    share = np.where(regions, 1 / sizes[regions], 0).ravel()
    return Pixels(scores, ~mask.ravel(), mask.ravel(), share), count


def _empty_bins() -> Pixels:
    size = 2**BIN_BITS
    return Pixels(np.arange(size), *(np.zeros(size) for _ in range(3)))


def _add_to_bins(bins: Pixels, pixels: Pixels) -> None:
    places = bin_of(pixels.scores)
    for total, values in zip(bins[1:], pixels[1:]):
        total += np.bincount(places, values, len(total))


def bin_of(scores: np.ndarray) -> np.ndarray:
    """The bin of each score, in the order of the scores."""
    with np.errstate(over="ignore"):
        bits = (scores.astype(np.float32) + np.float32(0)).view(np.uint32)  # -0 becomes 0
    ordered = np.where(bits & SIGN, ~bits, bits | SIGN)
    return (ordered >> np.uint32(32 - BIN_BITS)).astype(np.int64)


def pooled_quantile(arrays: Iterable[np.ndarray], share: float) -> float:
    """The quantile of the finite values of all arrays, to 1 part in 2,048 and never below it; 0 if there
    are none.
    """
    counts = np.zeros(2**BIN_BITS, np.int64)
    for values in arrays:
        bins, found = np.unique(bin_of(values[np.isfinite(values)]), return_counts=True)
        counts[bins] += found
    if not counts.any():
        return 0.0
    reached = counts.cumsum()
    return _highest_of(int(np.searchsorted(reached, share * reached[-1])))


def _highest_of(place: int) -> float:
    """The highest score of a bin: the inverse of `bin_of`."""
    ordered = np.uint32((place + 1 << 32 - BIN_BITS) - 1)
    bits = ordered & ~SIGN if ordered & SIGN else ~ordered
    return float(bits.view(np.float32))
