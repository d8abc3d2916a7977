"""Intervals of measures by the bootstrap: how often they hold the true value, and by hand."""

from statistics import NormalDist

import numpy as np
import pytest

from narrows.measure import auroc, average_precision, best_f1, detection_intervals
from narrows.measure.bootstrap import MOST_GROUPS


def two_gaussians(normal, anomalous, distance, seed):
    """Scores of N(0, 1) and of N(distance, 1), and which are of the latter."""
    random = np.random.default_rng(seed)
    odd = np.arange(normal + anomalous) >= normal
    return random.normal(size=len(odd)) + distance * odd, odd


@pytest.mark.parametrize(
    ("normal", "anomalous", "distance"),
    [(100, 60, 1.0), pytest.param(60, 100, 0.5, marks=pytest.mark.slow)],
)
def test_bootstrap_intervals_hold_the_true_auroc_of_two_gaussians_in_95_of_100(
    normal, anomalous, distance
):
    """The AUROC of two Gaussians is Φ(d / √2). 300 draws: ± 2.6 standard errors of a share of 0.95, and
    a percent less for what the percentiles lack of few images."""
    true, draws = NormalDist().cdf(distance / 2**0.5), 300
    held = 0
    for seed in range(draws):
        scores, odd = two_gaussians(normal, anomalous, distance, seed)
        low, high = detection_intervals(scores, odd, resamples=400, seed=seed)["auroc"]
        held += low <= true <= high
    assert 0.907 <= held / draws <= 0.983


@pytest.mark.parametrize("images", [200, 3 * MOST_GROUPS])
def test_bootstrap_intervals_contain_the_measures_and_shrink_with_the_images(images):
    scores, odd = two_gaussians(images, images, 1.0, seed=0)
    intervals = detection_intervals(scores, odd)
    measured = {
        "auroc": auroc(scores, odd),
        "average_precision": average_precision(scores, odd),
        "best_f1": best_f1(scores, odd)[0],
    }
    assert list(intervals) == list(measured)
    for name, value in measured.items():
        low, high = intervals[name]
        assert low < value < high
        assert high - low < 3 / images**0.5


def test_bootstrap_intervals_depend_on_the_seed_alone():
    case = two_gaussians(30, 20, 1.0, seed=0)
    assert detection_intervals(*case) == detection_intervals(*case)
    assert detection_intervals(*case) != detection_intervals(*case, seed=1)


def test_bootstrap_intervals_are_the_percentiles_of_all_resamples():
    """Two normal and one anomalous image: the resamples 00, 01, 10, 11 of the normal ones."""
    low, high = detection_intervals([0, 2, 1], [0, 0, 1])["auroc"]
    assert (low, high) == (0, 1)
    low, high = detection_intervals([0, 1, 1], [0, 0, 1])["auroc"]
    assert (low, high) == (0.5, 1)


@pytest.mark.parametrize(
    ("scores", "odd", "expected"),
    [
        ([1, 2], [0, 1], (1, 1, 1)),
        ([2, 1], [0, 1], (0, 0.5, 2 / 3)),
        ([3, 3, 3, 3], [0, 0, 0, 1], (0.5, 0.25, 0.4)),
    ],
    ids=["one image of each kind", "the wrong way round", "equal scores"],
)
def test_bootstrap_intervals_without_length(scores, odd, expected):
    intervals = detection_intervals(scores, odd)
    assert list(intervals.values()) == [(value, value) for value in expected]
