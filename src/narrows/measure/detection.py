"""How well an anomaly score, one number an image, separates anomalous images from normal ones.

The area under the ROC curve is the chance that an anomalous image scores higher than a normal one
(ties count half):

    AUROC = P(s_anomalous > s_normal) + ½ P(s_anomalous = s_normal)
          = (Σ ranks of the anomalous - n₁ (n₁ + 1) / 2) / (n₀ n₁)

1 is perfect, 0.5 is chance, and below 0.5 the score points the wrong way. It asks for no threshold.
With one, t, the images with s > t are *flagged*:

    precision          P = anomalous and flagged / flagged
    recall             R = anomalous and flagged / anomalous
    average precision  Σ_t (R_t - R_t₊) P_t, over all thresholds t, t₊ the next higher one
    F1                 2 P R / (P + R), its best over the thresholds

Every measure is a function of how many normal and how many anomalous images have each of the K different
scores, highest first; for resamples (`bootstrap`) these counts have a leading axis.

Average precision and F1 fall as anomalous images become rarer, which AUROC does not: the average
precision of random scores is the share of anomalous images. The best F1 is chosen with knowledge of
the labels, so it is the highest that any threshold could reach.

Reference: T. Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 2006,
https://doi.org/10.1016/j.patrec.2005.10.010.
"""

from typing import Any, NamedTuple

import numpy as np

from narrows.errors import NarrowsError
from narrows.tensors import without_tensors


class Counts(NamedTuple):
    """How many normal, and how many anomalous images have each score, the highest first: `(..., K)`."""

    normal: np.ndarray
    anomalous: np.ndarray

    @property
    def detected(self) -> np.ndarray:
        """How many anomalous images have that score or more."""
        return self.anomalous.cumsum(-1)

    @property
    def flagged(self) -> np.ndarray:
        """How many images of both kinds have that score or more."""
        return (self.normal + self.anomalous).cumsum(-1)


def auroc(scores: Any, anomalous: Any) -> float:
    """Area under the ROC curve, in [0, 1].

    scores: `(N,)`, higher is more anomalous.
    anomalous: `(N,)`, true for anomalous images; there must be images of both kinds.
    """
    _, counts = _counted("auroc", scores, anomalous)
    return float(auroc_of(counts))


def average_precision(scores: Any, anomalous: Any) -> float:
    """The mean of the precision over the anomalous images, in (0, 1]; arguments as of `auroc`."""
    _, counts = _counted("average_precision", scores, anomalous)
    return float(average_precision_of(counts))


def best_f1(scores: Any, anomalous: Any) -> tuple[float, float]:
    """The best F1, in (0, 1], and its threshold; arguments as of `auroc`.

    Flagged are the scores above the threshold, which is midway between the lowest of them and the
    next lower score. If all images must be flagged, it is just below the lowest score.
    """
    values, counts = _counted("best_f1", scores, anomalous)
    f1 = f1_of(counts)
    best = int(f1.argmax())
    lowest, next_lower = values[best], values[min(best + 1, len(values) - 1)]
    return float(f1[best]), _between(next_lower, lowest)


def _between(low: float, high: float) -> float:
    """A finite threshold below `high`: midway to `low`, or next to `high` if nothing is between."""
    most = np.finfo(np.float64).max
    low, high = np.clip((low, high), (-most, -most / 2), most)  # infinite scores
    return float(min(low / 2 + high / 2, np.nextafter(high, -np.inf)))


# -- measures of counts ----------------------------------------------------------------------------


def auroc_of(counts: Counts) -> np.ndarray:
    """The area under the ROC curve of counts `(..., K)`: how many normal images each anomalous one
    exceeds, over all pairs.
    """
    normal, anomalous = counts
    lower = normal.sum(-1, keepdims=True) - normal.cumsum(-1)  # normal images with a lower score
    exceeded = (anomalous * (lower + normal / 2)).sum(-1)
    return exceeded / (normal.sum(-1) * anomalous.sum(-1))


def average_precision_of(counts: Counts) -> np.ndarray:
    """The average precision of counts `(..., K)`."""
    share = counts.anomalous / counts.anomalous.sum(-1, keepdims=True)  # of them, at a threshold
    flagged = np.maximum(counts.flagged, 1)  # a resample may lack the highest scores
    return (share * counts.detected / flagged).sum(-1)


def f1_of(counts: Counts) -> np.ndarray:
    """The F1 at each threshold of counts `(..., K)`."""
    total = counts.anomalous.sum(-1, keepdims=True)
    return 2 * counts.detected / (counts.flagged + total)  # P R / (P + R), without 0 / 0


def _counted(what: str, scores: Any, anomalous: Any) -> tuple[np.ndarray, Counts]:
    """The different scores, highest first, and their counts."""
    scores, anomalous = as_scores(what, scores, anomalous)
    values, places = distinct(scores)
    kinds = (np.bincount(places[kind], minlength=len(values)) for kind in (~anomalous, anomalous))
    return values, Counts(*kinds)


def distinct(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different scores, highest first, and the place of each score among them."""
    values, places = np.unique(-scores, return_inverse=True)
    return -values, places


def as_scores(what: str, scores: Any, anomalous: Any) -> tuple[np.ndarray, np.ndarray]:
    """Scores as floats and labels as booleans, or the reason why they cannot be measured."""
    scores = np.asarray(without_tensors(scores), dtype=np.float64)
    anomalous = np.asarray(without_tensors(anomalous)).astype(bool)
    if scores.ndim != 1 or scores.shape != anomalous.shape:
        raise NarrowsError(
            f"{what}: scores and anomalous must both be (N,); got shapes {scores.shape} and {anomalous.shape}"
        )
    if np.isnan(scores).any():
        raise NarrowsError(
            f"{what}: {np.isnan(scores).sum()} of {len(scores)} scores are NaN; they have no rank"
        )
    n1, n0 = anomalous.sum(), (~anomalous).sum()
    if n1 == 0 or n0 == 0:
        raise NarrowsError(
            f"{what}: got {n1} anomalous and {n0} normal images, expected at least one of each"
        )
    return scores, anomalous
