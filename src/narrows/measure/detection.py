"""How well one number an image tells two kinds apart.

The area under the ROC curve is the chance that an odd image scores higher than a normal one (ties
count half):

    AUROC = P(s_odd > s_normal) + ½ P(s_odd = s_normal)
          = (Σ ranks of the odd - n₁ (n₁ + 1) / 2) / (n₀ n₁)

1 is perfect, 0.5 is chance, and below 0.5 the score points the wrong way. It asks for no threshold.
With one, t, the images with s > t are *flagged*:

    precision  P = odd and flagged / flagged          recall  R = odd and flagged / odd
    average precision  Σ_t (R_t - R_t₊) P_t           over all thresholds t, t₊ the next higher one
    F1 = 2 P R / (P + R)                              its best over the thresholds

These two fall as the odd become rarer, which AUROC does not: of scores by chance the average
precision is the share of odd images. The best F1 is found with the labels in view, so it is the
mark that a threshold could reach. Reference: T. Fawcett, "An introduction to ROC analysis", Pattern
Recognition Letters 2006, https://doi.org/10.1016/j.patrec.2005.10.010.
"""

from typing import Any

import numpy as np

from narrows.errors import NarrowsError


def auroc(scores: Any, odd: Any) -> float:
    """Area under the ROC curve, in [0, 1].

    scores: `(N,)`, higher for odder.
    odd: `(N,)`, true for the odd ones; there must be some of both kinds.
    """
    scores, odd = _both("auroc", scores, odd)
    n1, n0 = int(odd.sum()), int((~odd).sum())
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]  # ties share their mean rank
    return float((rank[odd].sum() - n1 * (n1 + 1) / 2) / (n0 * n1))


def average_precision(scores: Any, odd: Any) -> float:
    """The mean of the precision over the odd images, in (0, 1]; arguments as of `auroc`."""
    _, found, flagged = _by_threshold(*_both("average_precision", scores, odd))
    return float((np.diff(found, prepend=0) / found[-1] * found / flagged).sum())


def best_f1(scores: Any, odd: Any) -> tuple[float, float]:
    """The best F1, in (0, 1], and its threshold; arguments as of `auroc`.

    Flagged are the scores above the threshold, which is the highest score of those left; -inf where
    none is left.
    """
    values, found, flagged = _by_threshold(*_both("best_f1", scores, odd))
    f1 = 2 * found / (flagged + found[-1])  # P R / (P + R), without a division of 0 by 0
    best = int(f1.argmax())
    return float(f1[best]), float(values[best + 1]) if best + 1 < len(values) else -np.inf


def _by_threshold(scores: np.ndarray, odd: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The different scores, highest first; how many odd images, and how many images, have that
    score or more.
    """
    values, place = np.unique(-scores, return_inverse=True)
    counts = (np.bincount(place, weights, len(values)) for weights in (odd, None))
    found, flagged = (count.cumsum() for count in counts)
    return -values, found, flagged


def _both(what: str, scores: Any, odd: Any) -> tuple[np.ndarray, np.ndarray]:
    """Scores as floats and labels as booleans, or the reason why they cannot be measured."""
    scores, odd = np.asarray(scores, dtype=np.float64), np.asarray(odd).astype(bool)
    if scores.ndim != 1 or scores.shape != odd.shape:
        raise NarrowsError(
            f"{what}: scores and odd must both be (N,); got shapes {scores.shape} and {odd.shape}"
        )
    if np.isnan(scores).any():
        raise NarrowsError(
            f"{what}: {np.isnan(scores).sum()} of {len(scores)} scores are NaN; they have no rank"
        )
    if odd.all() or not odd.any():
        n1, n0 = odd.sum(), (~odd).sum()
        raise NarrowsError(
            f"{what}: got {n1} odd and {n0} normal images, expected at least one of each"
        )
    return scores, odd
