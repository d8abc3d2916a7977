"""How far the measures of `detection` would differ with other images: intervals by the bootstrap.

With n₀ normal and n₁ anomalous images, a resample is n₀ of the normal and n₁ of the anomalous ones,
drawn with replacement. It is stratified: the share of anomalous images, on which average precision and
F1 depend, stays. Of B resamples, each with its measure m*, the interval is that of the percentiles

    [q, 1 - q quantiles of m*₁ ... m*_B],   q = (1 - LEVEL) / 2,   LEVEL = 0.95,   B = 1,000

A resample is a count of images at each of the K different scores, so that the measures of all resamples
are sums over arrays `(B, K)`. Of more than 4,096 different scores neighbours are counted together, as if
they were equal, so that time and memory grow no further. Up to a million images this moved the measures
by less than a tenth of their intervals. The best F1 is chosen anew in each resample, so its interval is
that of what the best threshold reaches, and may be mostly above the measured value.

The interval is about the images, not about the training: what another seed of the model changes is not
in it. Of few images it is too narrow, and a kind with a single image has only one resample. If every
anomalous image scores higher than every normal one, so do they in all resamples: the interval is then
[1, 1], however few the images.

Reference: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 8 and 13,
https://doi.org/10.1201/9780429246593.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from narrows.measure.detection import (
    Counts,
    as_scores,
    auroc_of,
    average_precision_of,
    distinct,
    f1_of,
)

RESAMPLES, LEVEL = 1000, 0.95
PERCENTILES = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
MOST_GROUPS = 2**12
MOST_COUNTS = 2**18  # in the resamples of a batch: 2 MB an array

Interval = tuple[float, float]


def best_f1_of(counts: Counts) -> np.ndarray:
    return f1_of(counts).max(-1)


MEASURES: dict[str, Callable[[Counts], np.ndarray]] = {
    "auroc": auroc_of,
    "average_precision": average_precision_of,
    "best_f1": best_f1_of,
}


def detection_intervals(
    scores: Any, anomalous: Any, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Interval]:
    """The 95 % intervals (low, high) of "auroc", "average_precision" and "best_f1".

    scores, anomalous: as of `auroc`. The same seed gives the same intervals.
    """
    scores, anomalous = as_scores("detection_intervals", scores, anomalous)
    _, places = distinct(scores)
    groups = _groups(places)
    sizes = (
        np.bincount(groups[kind], minlength=groups.max() + 1) for kind in (~anomalous, anomalous)
    )
    batches = _measured(Counts(*sizes), resamples, np.random.default_rng(seed))
    low, high = np.quantile(np.concatenate([*batches], axis=1), PERCENTILES, axis=1)
    return dict(zip(MEASURES, zip(low.tolist(), high.tolist())))


def _groups(places: np.ndarray) -> np.ndarray:
    """The group of each score; every score has its own if there are few."""
    different = int(places.max()) + 1
    return places * min(different, MOST_GROUPS) // different


def _measured(sizes: Counts, resamples: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """All measures of resamples, batch by batch: `(measures, resamples of the batch)`."""
    most = max(1, MOST_COUNTS // sizes.normal.size)
    for start in range(0, resamples, most):
        size = min(most, resamples - start)
        counts = Counts(*(_resampled(of_kind, size, random) for of_kind in sizes))
        yield np.stack([measure(counts) for measure in MEASURES.values()])


def _resampled(sizes: np.ndarray, resamples: int, random: np.random.Generator) -> np.ndarray:
    """How many images of one kind each group has in each resample: `(resamples, K)`.

    Picking with replacement gives counts of the multinomial distribution.
    """
    images = sizes.sum()
    return random.multinomial(images, sizes / images, resamples)
