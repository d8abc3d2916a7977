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

Average precision and F1 fall as anomalous images become rarer, which AUROC does not: the average
precision of random scores is the share of anomalous images. The best F1 is chosen with knowledge of
the labels, so it is the highest that any threshold could reach.

Reference: T. Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 2006,
https://doi.org/10.1016/j.patrec.2005.10.010.
"""

from typing import Any

import numpy as np

from narrows.errors import NarrowsError
from narrows.tensors import without_tensors


def auroc(scores: Any, anomalous: Any) -> float:
    """Area under the ROC curve, in [0, 1].

    scores: `(N,)`, higher is more anomalous.
    anomalous: `(N,)`, true for anomalous images; there must be images of both kinds.
    """
    scores, anomalous = _as_arrays("auroc", scores, anomalous)
    n1, n0 = int(anomalous.sum()), int((~anomalous).sum())
    ranks = _ranks(scores)[anomalous].sum()
    return float((ranks - n1 * (n1 + 1) / 2) / (n0 * n1))


def _ranks(scores: np.ndarray) -> np.ndarray:
    """The rank of each score, from 1; equal ones share their mean rank."""
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def average_precision(scores: Any, anomalous: Any) -> float:
    """The mean of the precision over the anomalous images, in (0, 1]; arguments as of `auroc`."""
    _, detected, flagged = _by_threshold(*_as_arrays("average_precision", scores, anomalous))
    share = np.diff(detected, prepend=0) / detected[-1]  # of the anomalous images, at a threshold
    return float((share * detected / flagged).sum())


def best_f1(scores: Any, anomalous: Any) -> tuple[float, float]:
    """The best F1, in (0, 1], and its threshold; arguments as of `auroc`.

    Flagged are the scores above the threshold, which is the highest of the other scores; -inf if
    there is no other.
    """
    values, detected, flagged = _by_threshold(*_as_arrays("best_f1", scores, anomalous))
    f1 = 2 * detected / (flagged + detected[-1])  # P R / (P + R), without a division of 0 by 0
    best = int(f1.argmax())
    threshold = -np.inf
    if best + 1 < len(values):
        threshold = float(values[best + 1])
    return float(f1[best]), threshold


def _by_threshold(
    scores: np.ndarray, anomalous: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The different scores, highest first, and how many images have that score or more.

    Of these numbers the first counts anomalous images, the second all images.
    """
    values, place = np.unique(-scores, return_inverse=True)
    detected = np.bincount(place, anomalous, len(values)).cumsum()
    flagged = np.bincount(place, None, len(values)).cumsum()
    return -values, detected, flagged


def _as_arrays(what: str, scores: Any, anomalous: Any) -> tuple[np.ndarray, np.ndarray]:
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
