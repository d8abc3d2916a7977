"""The bins of a histogram of scores, in which a threshold and what is normal can be seen.

Scores of anomalous images may be far above all others. With m the median of normal scores and t the
threshold, bins are of equal width

    on log s    if all scores are above 0, and the highest above 10 m; from m / 1000 on
    on s        otherwise, from t - 11 w to t + 10 w at most, w = t - m

and a score beyond the ends counts in the outermost bin, as does one that is not finite in the highest.
"""

from collections.abc import Iterable

import numpy as np

from narrows.measure.conformal import LARGEST

BINS = 40
FAR = 10  # times m, or w
SMALL = 1e-3  # of m


def score_edges(
    samples: Iterable[np.ndarray], centre: float, threshold: float
) -> tuple[np.ndarray, bool]:
    """The edges `(BINS + 1,)` for samples `(n,)`, and whether they are even on a logarithmic axis.

    centre: m. The threshold is between the edges.
    """
    values = np.concatenate([*samples, [centre, threshold]]).astype(np.float64)
    values = values[np.isfinite(values) & (np.abs(values) < LARGEST)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    if low > 0 and high > FAR * centre > 0:
        return np.geomspace(max(low, SMALL * centre), high, BINS + 1), True
    width = threshold - centre
    if 0 < width < LARGEST:
        low, high = max(low, centre - FAR * width), min(high, threshold + FAR * width)
    if not high > low:  # all scores are the same
        low, high = low - max(abs(low), 1) / 2, high + max(abs(high), 1) / 2
    return np.linspace(low, high, BINS + 1), False


def counts_in(
    edges: np.ndarray, values: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """How many of the values `(n,)` are in each bin, float64. weights: how many each stands for."""
    finite = np.nan_to_num(values.astype(np.float64), nan=np.inf).clip(edges[0], edges[-1])
    return np.histogram(finite, edges, weights=weights)[0].astype(np.float64)
