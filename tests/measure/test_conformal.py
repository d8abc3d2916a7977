"""Thresholds from the scores of images that a model has not seen: ranks, by hand and by counting."""

from itertools import permutations

import numpy as np
import pytest

from narrows.errors import BuildError
from narrows.measure.conformal import (
    KEPT,
    NormalScores,
    check_false_alarms,
    kept_ranks,
    scores_needed,
    threshold_rank,
)

SHARES = [0.01, 0.05, 0.07, 0.1, 0.25, 0.29, 0.3, 0.5]


@pytest.mark.parametrize(
    ("count", "share", "rank"),
    [(99, 0.01, 99), (98, 0.01, 99), (100, 0.01, 100), (199, 0.01, 198), (99, 0.07, 93)]
    + [(19, 0.05, 19), (9, 0.1, 9), (999, 0.29, 710), (1, 0.5, 1), (10_000, 0.01, 9901)],
)
def test_the_rank_of_a_threshold_by_hand(count, share, rank):
    assert threshold_rank(count, share) == rank


@pytest.mark.parametrize("share", SHARES)
def test_the_guarantee_of_a_threshold_is_exact_in_ranks(share):
    """Of n + 1 ranks that are equally likely, at most (n + 1) α are above the threshold, and one more
    would be too many."""
    for count in range(1, 400):
        above = count + 1 - threshold_rank(count, share)
        assert above <= (count + 1) * share + 1e-9
        assert above + 1 > (count + 1) * share


def test_the_chance_of_a_false_alarm_counted_over_all_orders():
    """Each of 7 images is the new one equally often: of all orders, ⌊7 α⌋ of 7 are flagged."""
    flagged = [s[6] > NormalScores.of(s[:6]).threshold(0.3) for s in permutations(range(7))]
    assert np.mean(flagged) == pytest.approx(2 / 7)


@pytest.mark.parametrize(("share", "needed"), [(0.01, 99), (0.05, 19), (0.3, 3), (0.5, 1)])
def test_how_many_scores_a_share_of_false_alarms_needs(share, needed):
    assert scores_needed(share) == needed
    assert threshold_rank(needed, share) <= needed
    assert threshold_rank(needed - 1, share) == needed  # a rank that is not there
    scores = np.arange(needed - 1)
    if len(scores):
        assert NormalScores.of(scores).threshold(share) == scores.max()


@pytest.mark.parametrize("count", [1, 2, 99, KEPT, KEPT + 1, 3 * KEPT, 12_345])
def test_few_order_statistics_of_scores_are_kept_and_the_highest_are_exact(count):
    ranks = kept_ranks(count)
    assert len(ranks) == min(count, KEPT)
    assert (ranks[0], ranks[-1]) == (1, count)
    assert (np.diff(ranks) > 0).all()
    assert ranks[-min(count, KEPT // 2) :].tolist() == [*range(count, 0, -1)][: KEPT // 2][::-1]


@pytest.mark.parametrize("count", [5, 40, 999, 9000])
@pytest.mark.parametrize("share", SHARES)
def test_flagged_are_the_scores_whose_percentile_reaches_the_share(count, share):
    random = np.random.default_rng(count)
    normal = NormalScores.of(random.normal(size=count))
    scores = random.normal(1, 2, 500).astype(np.float32)
    flagged = scores > normal.threshold(share)
    percentile = normal.percentile(scores)
    assert ((percentile >= 0) & (percentile < 100)).all()
    if count >= scores_needed(share):
        np.testing.assert_array_equal(flagged, percentile >= 100 * (1 - share) - 1e-9)


def test_a_threshold_of_kept_scores_is_that_of_all_or_a_little_higher():
    scores = np.random.default_rng(0).normal(size=50_000).astype(np.float32)
    normal, in_order = NormalScores.of(scores), np.sort(scores)
    for share in SHARES:
        exact = in_order[threshold_rank(len(scores), share) - 1]
        assert exact <= normal.threshold(share) <= exact + 0.02
    assert normal.threshold(0.01) == in_order[threshold_rank(len(scores), 0.01) - 1]


def test_percentiles_by_hand():
    normal = NormalScores.of([3, 1, 2, 2])
    assert normal.percentile([0, 1, 2, 2.5, 9]).tolist() == [0, 0, 20, 60, 80]


def test_a_score_that_is_not_finite_counts_as_the_highest():
    normal = NormalScores.of([1.0, np.nan, np.inf, 2.0])
    assert np.isfinite(normal.values).all()
    assert normal.percentile([2.5]) == 40


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan"), "few", None, True])
def test_a_share_of_false_alarms_that_is_none_is_refused(share):
    with pytest.raises(BuildError, match=r"false_alarms: .* share of normal images in \(0, 1\)"):
        check_false_alarms(share)
