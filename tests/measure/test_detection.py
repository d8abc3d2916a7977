"""How well scores separate anomalous images: against scikit-learn's measures, and by hand."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve, roc_auc_score

from narrows import measure
from narrows.errors import NarrowsError

MEASURES = [
    *(measure.auroc, measure.average_precision, measure.best_f1),
    measure.detection_intervals,
]


@pytest.fixture(params=[3, 8, 1000], ids=lambda levels: f"{levels} levels")
def case(request):
    """Scores with few and many different values, and which are odd: mostly the higher ones."""
    random = np.random.default_rng(request.param)
    odd = random.uniform(size=500) < 0.2
    return random.integers(0, request.param, 500) / 7 + odd * random.integers(0, 3, 500), odd


def test_auroc_agrees_with_scikit_learn_also_with_ties(case):
    scores, odd = case
    assert measure.auroc(scores, odd) == pytest.approx(roc_auc_score(odd, scores), abs=1e-12)
    assert measure.auroc([1, 2, 3, 4], [0, 0, 1, 1]) == 1
    assert measure.auroc([1, 1, 1], [0, 1, 1]) == 0.5


def test_average_precision_agrees_with_scikit_learn_also_with_ties(case):
    scores, odd = case
    assert measure.average_precision(scores, odd) == pytest.approx(
        average_precision_score(odd, scores), abs=1e-12
    )
    assert measure.average_precision([1, 2, 3, 4], [0, 0, 1, 1]) == 1
    # told by chance: the share of odd ones
    assert measure.average_precision([1, 1, 1, 1], [0, 0, 0, 1]) == 0.25


def test_the_best_f1_agrees_with_scikit_learn_and_is_reached_at_its_threshold(case):
    scores, odd = case
    f1, threshold = measure.best_f1(scores, odd)
    precision, recall, _ = precision_recall_curve(odd, scores)
    with np.errstate(invalid="ignore"):
        assert f1 == pytest.approx(
            np.nanmax(2 * precision * recall / (precision + recall)), abs=1e-12
        )
    assert f1_score(odd, scores > threshold) == pytest.approx(f1, abs=1e-12)


def test_thresholds_of_the_best_f1_by_hand():
    assert measure.best_f1([1, 2, 3, 4], [0, 0, 1, 1]) == (1, 2.5)
    # all must be flagged to find the one
    f1, threshold = measure.best_f1([4, 3, 2, 1], [0, 0, 0, 1])
    assert (f1, threshold) == (0.4, np.nextafter(1, 0))


@pytest.mark.parametrize(
    "scores",
    [
        [5, 5, 5],
        [0, 0, 0],
        [-1, -1, 3],
        [-np.inf, 0, np.inf],
        [1, np.nextafter(1, 2), 2],
        [1, 2, 3],
    ],
)
@pytest.mark.parametrize("odd", [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1]])
def test_the_threshold_of_the_best_f1_is_finite_and_gives_it(scores, odd):
    f1, threshold = measure.best_f1(scores, odd)
    if min(scores) > -np.inf or f1_score(odd, [1, 1, 1]) < f1:
        assert f1_score(odd, np.array(scores) > threshold) == pytest.approx(f1)
    assert np.isfinite(threshold)


@pytest.mark.parametrize("score", MEASURES, ids=lambda score: score.__name__)
@pytest.mark.parametrize(
    ("scores", "odd", "reason"),
    [
        ([1, 2], [1, 1], "got 2 anomalous and 0 normal images"),
        ([1, 2], [0, 0], "got 0 anomalous and 2 normal images"),
        ([1, np.nan], [0, 1], "1 of 2 scores are NaN"),
        ([1, 2], [1], r"got shapes \(2,\) and \(1,\)"),
        ([], [], "got 0 anomalous"),
    ],
)
def test_what_has_no_measure_is_refused(score, scores, odd, reason):
    with pytest.raises(NarrowsError, match=rf"{score.__name__}: .*{reason}"):
        score(scores, odd)
