"""Sample weights: how much a training counts each image.

    loss = Σ wᵢ lossᵢ / Σ wᵢ,   wᵢ ≥ 0

over the images that are trained on, and likewise over a share of them that is held back: an image
of weight 2 counts as two, one of weight 0 as none. Inside, weights have a mean of 1 over the set
(`narrows.image_batches`), so that the loss of a batch is Σ wᵢ lossᵢ / n, and weights that are all
the same change nothing. All terms of the loss, and the measures of validation images, are weighted
alike; figures that a batch norm keeps are not.

Inside they are float32. The largest weight must be in `LARGEST`, and one above 0 that would become
0 next to the others is refused, since its image would silently count as none.

For the density of codes and the thresholds of scores, which are computed after the training, every
image whose weight is above 0 counts once.
"""

from typing import Any

import numpy as np

from narrows.errors import wrong
from narrows.tensors import without_tensors

LARGEST = (1e-30, 1e30)  # so that no sum of weights, times losses or squared, overflows


def validate_weights(sample_weight: Any, count: int) -> np.ndarray | None:
    """Weights of `count` images as float64 `(N,)`, as they were given. Raises `BuildError`."""
    if sample_weight is None:
        return None
    expected = f"{count} numbers ≥ 0, one an image"
    weights = _as_floats(sample_weight)
    if weights.shape != (count,):
        got = weights.shape if weights.size else f"a {type(sample_weight).__name__}"
        raise wrong("sample_weight", got, expected)
    _refuse_bad_numbers(weights, expected)
    _refuse_vanishing(weights, expected)
    return weights


def _refuse_bad_numbers(weights: np.ndarray, expected: str) -> None:
    """Refuse weights that are not finite, below 0, too large, or all 0."""
    finite = np.isfinite(weights)
    if not finite.all():
        raise wrong("sample_weight", f"NaN or infinity ({(~finite).sum()} times)", expected)
    lowest, highest = weights.min(), weights.max()
    if lowest < 0:
        cure = f"the first below 0 is that of image {weights.argmin()}"
        raise wrong("sample_weight", lowest.item(), expected, cure)
    if not weights.any():
        raise wrong("sample_weight", "only zeros", expected, "one at least must be above 0")
    low, high = LARGEST
    if not low <= highest <= high:
        cure = f"the largest is that of image {weights.argmax()}; only the ratios of weights count"
        range_of_largest = f"{expected}, the largest from {low:g} to {high:g}"
        raise wrong("sample_weight", highest.item(), range_of_largest, cure)


def _refuse_vanishing(weights: np.ndarray, expected: str) -> None:
    """Refuse weights above 0 that are 0 next to the others."""
    relative = (weights / weights.mean()).astype(np.float32)
    vanishing = np.flatnonzero((weights > 0) & (relative == 0))
    if len(vanishing):
        k = vanishing[0]
        cure = f"image {k} would count as none; give it the weight 0 if it is not to count"
        got = f"{weights[k]} next to {weights.max()}"
        raise wrong("sample_weight", got, f"{expected}, of less different sizes", cure)


def _as_floats(sample_weight: Any) -> np.ndarray:
    """What was given as an array; an empty one if these are not numbers."""
    try:
        return np.asarray(without_tensors(sample_weight), dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.empty(0)


def weighted_stand_ins(table: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Two rows that have, in each column, the weighted mean and deviation of the rows of a table."""
    mean = np.average(table, axis=0, weights=weights)
    deviation = np.sqrt(np.average(np.square(table - mean), axis=0, weights=weights))
    return np.stack([mean - deviation, mean + deviation])


def effective_count(weights: np.ndarray | None, count: int) -> float:
    """How many images the weights of `count` images stand for.

    Weights that are all integers are counts, so it is their sum; else the number of weights above 0.
    """
    if weights is None:
        return count
    if (weights % 1 == 0).all():
        return float(weights.sum())
    return float(np.count_nonzero(weights))
