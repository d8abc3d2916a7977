"""Thresholds of anomaly scores that also hold for new images: conformal prediction.

s₁ ... sₙ are the scores of n normal images that the model has not been fitted on, in ascending
order, and α is the share of normal images that may be flagged, the false alarms. The threshold is

    t = s_r,   r = ⌈(n + 1)(1 - α)⌉ = n + 1 - ⌊(n + 1) α⌋

and an image is flagged if its score is above t. If its score and the n others are exchangeable, its
rank among all n + 1 is any of 1 ... n + 1 with the same chance (ties count as not flagged), so that

    P(a new normal image is flagged) ≤ α

whatever the model, the images and n: no distribution is assumed, and no limit is taken. The share
flagged by one threshold varies about it as a Beta(n + 1 - r, r): ± √(α (1 - α) / n) or so.

Where (n + 1) α < 1 no score is high enough (r = n + 1). The highest one is taken, which a new image
exceeds with a chance of at most 1 / (n + 1): n = ⌈1 / α⌉ - 1 scores are needed to hold α.

    p = (1 + #{sᵢ ≥ s}) / (n + 1)        percentile = 100 (1 - p) = 100 #{sᵢ < s} / (n + 1)

is the p-value of a score s, P(p ≤ α) ≤ α. Both say the same: s > t if and only if p ≤ α.

*Split*: a part of the images is held out, and the model is fitted on the others. The bound is exact.
*Cross*: the images are divided into K folds; those of each are scored by a model that is fitted on
the others, the scores are pooled, and the model that is used is fitted on all. So no image is lost.
For new images that are scored by the K models the bound is about 2 α, in practice the share is about
α (Barber et al.); for the model that is fitted on all it is so as far as this one scores as the K do.

Of many scores `KEPT` order statistics are kept, the highest half of them without a gap. Where one is
not kept, the next higher one serves: the bounds hold all the same.

References: V. Vovk, A. Gammerman, G. Shafer, "Algorithmic learning in a random world", 2005. J. Lei
et al., "Distribution-free predictive inference for regression", JASA 2018,
https://doi.org/10.1080/01621459.2017.1307116. V. Vovk, "Cross-conformal predictors", 2015,
https://doi.org/10.1007/s10472-013-9368-4. R. Barber et al., "Predictive inference with the
jackknife+", Annals of Statistics 2021, https://doi.org/10.1214/20-AOS1965.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any, Self

import numpy as np

from narrows.errors import wrong

KEPT = 2000  # order statistics at most
LARGEST = float(np.finfo(np.float32).max)


def check_false_alarms(share: Any) -> float:
    """The share of normal images that may be flagged, α in (0, 1). Raises `BuildError`."""
    is_number = isinstance(share, (int, float, np.number)) and not isinstance(share, bool)
    if not is_number or not 0 < share < 1:
        raise wrong("false_alarms", share, "a share of normal images in (0, 1), such as 0.01")
    return float(share)


def threshold_rank(count: int, false_alarms: float) -> int:
    """r = n + 1 - ⌊(n + 1) α⌋; n + 1 if n scores are too few for α.

    α is taken as it is written: 0.07 is 7/100, so that 99 scores have the rank 93.
    """
    return count + 1 - floor((count + 1) * _as_written(false_alarms))


def scores_needed(false_alarms: float) -> int:
    """The least n that can hold α: ⌈1 / α⌉ - 1."""
    return ceil(1 / _as_written(false_alarms)) - 1


def kept_ranks(count: int) -> np.ndarray:
    """The ranks, from 1, of the order statistics that are kept of `count` scores, ascending."""
    if count <= KEPT:
        return np.arange(1, count + 1)
    half = KEPT // 2
    last = count - half  # of those that are evenly spaced
    spaced = [1 + place * (last - 1) // (half - 1) for place in range(half)]
    return np.concatenate([spaced, np.arange(last + 1, count + 1)])


@dataclass(frozen=True, eq=False)
class NormalScores:
    """The scores of n normal images.

    count: n. values: their order statistics at `kept_ranks(n)`, ascending, float32.
    """

    count: int
    values: np.ndarray

    @classmethod
    def of(cls, scores: Any) -> Self:
        """Of scores `(n,)`, n ≥ 1, in any order. One that is not finite counts as the highest."""
        finite = np.nan_to_num(np.asarray(scores, np.float32), nan=LARGEST, posinf=LARGEST)
        return cls(len(finite), np.sort(finite)[kept_ranks(len(finite)) - 1])

    @property
    def counts(self) -> np.ndarray:
        """How many of the n scores each kept one stands for: itself, and those next below it that are
        not kept.
        """
        return np.diff(kept_ranks(self.count), prepend=0)

    def threshold(self, false_alarms: float) -> float:
        """t for α: the score above which an image is flagged."""
        rank = min(threshold_rank(self.count, false_alarms), self.count)
        return float(self.values[np.searchsorted(kept_ranks(self.count), rank)])

    def percentile(self, scores: Any) -> np.ndarray:
        """The percentile of each score `(N,)`, in [0, 100), float64."""
        below = np.searchsorted(self.values, np.asarray(scores, np.float32), side="left")
        ranks = np.concatenate([[0], kept_ranks(self.count)])
        return 100 * ranks[below] / (self.count + 1)

    def is_enough(self, false_alarms: float) -> bool:
        """Whether there are enough scores to hold α."""
        return self.count >= scores_needed(false_alarms)


def _as_written(share: float) -> Fraction:
    return Fraction(repr(float(share)))
