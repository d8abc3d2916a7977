"""The bins of scores: all values, a threshold in sight, and a logarithmic axis where it helps."""

import numpy as np
import pytest

from narrows.measure.conformal import KEPT, NormalScores
from narrows.measure.histogram import BINS, counts_in, score_edges

RANDOM = np.random.default_rng(0)
SAMPLES = {
    "positive": RANDOM.gamma(2, size=300),
    "signed": RANDOM.normal(size=300),
    "heavy": np.exp(3 * RANDOM.normal(size=300)),
    "an outlier": np.append(RANDOM.normal(size=300), 1e9),
    "the same": np.full(300, 0.25),
    "zero": np.zeros(300),
    "not finite": np.append(RANDOM.gamma(2, size=300), [np.nan, np.inf]),
    "nothing finite": np.full(3, np.nan),
    "tiny": np.append(RANDOM.gamma(2, size=300), 1e-30),
}


@pytest.mark.parametrize("values", SAMPLES.values(), ids=SAMPLES)
def test_histogram_counts_every_value_and_shows_the_threshold(values):
    centre, threshold = np.nanquantile(np.nan_to_num(values), [0.5, 0.99])
    edges, _ = score_edges([values.astype(np.float32)], centre, threshold)
    assert edges.shape == (BINS + 1,)
    assert (np.diff(edges) > 0).all()
    assert edges[0] <= threshold <= edges[-1]
    counts = counts_in(edges, values.astype(np.float32))
    assert counts.sum() == len(values)


def test_histogram_is_logarithmic_for_positive_scores_that_go_far_alone():
    scales = {
        name: score_edges([x], np.median(x), np.quantile(x, 0.99))[1]
        for name, x in SAMPLES.items()
        if np.isfinite(x).all()
    }
    assert [name for name, log in scales.items() if log] == ["heavy"]


def test_an_outlier_leaves_the_other_scores_in_sight():
    values = SAMPLES["an outlier"]
    edges, _ = score_edges([values], np.median(values), np.quantile(values, 0.99))
    counts = counts_in(edges, values)
    assert edges[-1] < 100
    assert (counts > 0).sum() > 5
    assert counts[-1] == 1


@pytest.mark.parametrize("count", [1, 7, KEPT, KEPT + 1, 9 * KEPT])
def test_kept_normal_scores_stand_for_all_of_them(count):
    scores = np.random.default_rng(1).gamma(2, size=count).astype(np.float32)
    normal = NormalScores.of(scores)
    assert normal.counts.sum() == count
    assert (normal.counts > 0).all()
    edges, _ = score_edges([scores], 1.0, 5.0)
    shares = [
        np.cumsum(counts_in(edges, *found)) / count
        for found in [(scores,), (normal.values, normal.counts)]
    ]
    assert np.abs(np.subtract(*shares)).max() < 0.002
