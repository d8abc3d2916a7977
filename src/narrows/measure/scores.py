"""How well one number an image tells two kinds apart.

The area under the ROC curve is the chance that an odd image scores higher than a normal one (ties count
half):

    AUROC = P(s_odd > s_normal) + ½ P(s_odd = s_normal) = (Σ ranks of the odd - n₁ (n₁ + 1) / 2) / (n₀ n₁)

1 is perfect, 0.5 is chance, and below 0.5 the score points the wrong way.
Reference: T. Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 2006,
https://doi.org/10.1016/j.patrec.2005.10.010.
"""

from typing import Any

import numpy as np

from narrows.errors import NarrowsError


def auroc(scores: Any, odd: Any) -> float:
    """Area under the ROC curve, in [0, 1].

    scores: `(N,)`, higher for odder.
    odd: `(N,)`, true for the odd ones; there must be some of both kinds.
    """
    scores, odd = np.asarray(scores, dtype=np.float64), np.asarray(odd).astype(bool)
    if scores.ndim != 1 or scores.shape != odd.shape:
        raise NarrowsError(f"auroc: scores and odd must both be (N,); got shapes {scores.shape} and {odd.shape}")
    if np.isnan(scores).any():
        raise NarrowsError(f"auroc: {np.isnan(scores).sum()} of {len(scores)} scores are NaN; they have no rank")
    n1, n0 = int(odd.sum()), int((~odd).sum())
    if not (n0 and n1):
        raise NarrowsError(f"auroc: got {n1} odd and {n0} normal images, expected at least one of each")
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]  # ties share their mean rank
    return float((rank[odd].sum() - n1 * (n1 + 1) / 2) / (n0 * n1))
