"""Laws of the measures of maps: closed forms, and what does not change them."""

import numpy as np
import pytest

from narrows.errors import NarrowsError
from narrows.measure import aupro, auroc, pixel_auroc
from narrows.measure.localisation import aupro_of, auroc_of
from narrows.measure.pixel_counts import PixelCounts, bin_of, pooled_quantile


@pytest.fixture
def masks():
    """Two images with a large region, a pixel alone, and one that touches the former at a corner."""
    masks = np.zeros((2, 20, 20), bool)
    masks[0, 2:12, 3:13] = True
    masks[1, 5, 5] = masks[1, 6, 6] = True
    return masks


def test_perfect_maps_have_an_area_of_one_under_both_curves(masks):
    assert pixel_auroc(masks.astype(float), masks) == 1
    assert aupro(masks.astype(float), masks) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
def test_aupro_of_a_constant_map_is_half_the_limit(masks, limit):
    assert aupro(np.ones(masks.shape), masks, limit) == pytest.approx(limit / 2)
    assert pixel_auroc(np.ones(masks.shape), masks) == 0.5


def test_aupro_of_a_reversed_map_is_zero(masks):
    assert aupro(-masks.astype(float), masks) == 0
    assert pixel_auroc(-masks.astype(float), masks) == 0


def test_aupro_counts_regions_alike_and_auroc_pixels(masks):
    """Of two regions, one of 100 pixels and one of 2, the small one is found without false alarms,
    the other only when everything is flagged: PRO is ½ + FPR/2."""
    maps = np.zeros(masks.shape)
    maps[1] = masks[1]
    assert aupro(maps, masks, 0.3) == pytest.approx(0.5 + 0.3 / 4)
    assert aupro(maps, masks, 1.0) == pytest.approx(0.75)
    assert pixel_auroc(maps, masks) == pytest.approx((2 + 100 / 2) / 102)


def test_aupro_is_interpolated_at_the_limit():
    """Four normal pixels and one region; scores in the order normal, region, normal, normal, normal:
    PRO is 0 up to FPR = ¼, and 1 from there on."""
    mask = np.array([[False, True, False, False, False]])
    scores = np.array([[5.0, 4, 3, 2, 1]])
    assert aupro([scores], [mask], 0.3) == pytest.approx(0.05 / 0.3)
    assert aupro([scores], [mask], 0.2) == 0
    assert aupro([scores], [mask], 1.0) == pytest.approx(0.75)


def test_aupro_of_one_region_is_the_area_under_the_roc_curve(masks):
    """With one region the overlap is the true positive rate."""
    maps = np.random.default_rng(0).normal(size=masks[:1].shape) + masks[:1]
    assert aupro(maps, masks[:1], 1.0) == pytest.approx(auroc(maps.ravel(), masks[:1].ravel()))


def test_maps_of_several_sizes_go_together_in_any_order(masks):
    random = np.random.default_rng(1)
    maps = [random.random((20, 20)), random.random((20, 20)), random.random((7, 9))]
    all_masks = [*masks, np.zeros((7, 9), bool)]
    for measure in (aupro, pixel_auroc):
        forth = measure(maps, all_masks)
        assert measure(maps[::-1], all_masks[::-1]) == pytest.approx(forth)
        monotone = [np.exp(3 * scores) for scores in maps]
        assert measure(monotone, all_masks) == pytest.approx(forth)


@pytest.mark.parametrize("shift", [0.0, -0.5, 100.0])
def test_many_pixels_are_counted_in_bins_within_the_bound(masks, shift):
    """½ Σ n_b a_b; with an error below 1e-4 for scores that say something."""
    random = np.random.default_rng(3)
    many = [*masks] * 30
    maps = [random.gamma(2, size=mask.shape) + 1.5 * mask + shift for mask in many]
    exact, binned = PixelCounts(), PixelCounts(most=1000)
    for counts in (exact, binned):
        for scores, mask in zip(maps, many):
            counts.add(scores, mask)
    assert exact.bins is None
    assert binned.kept == []
    bins = binned.bins
    normal, anomalous, share = (values / values.sum() for values in bins[1:])
    for measure, weights, limit in ((auroc_of, anomalous, 1), (aupro_of, share, 0.3)):
        difference = abs(measure(exact) - measure(binned))
        assert difference <= (normal * weights).sum() / 2 / limit + 1e-12
        assert difference < (1e-4 if shift < 100 else 2e-3)


def test_bins_are_in_the_order_of_the_scores():
    scores = np.sort(
        np.random.default_rng(0).normal(size=2000) * 10.0 ** np.arange(-30, 30).repeat(100)[:2000]
    )
    scores = np.sort(np.concatenate([scores, [-np.inf, np.inf, 0.0, -0.0, 1e300, -1e300]]))
    assert (np.diff(bin_of(scores)) >= 0).all()
    assert bin_of(np.array([0.0])) == bin_of(np.array([-0.0]))
    assert (
        len({*bin_of(np.array([1.0, 1.001, 1.002, -1.0, -1.001, np.inf, -np.inf])).tolist()}) == 7
    )


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999, 1])
def test_the_pooled_quantile_is_that_of_all_values_within_1_in_2048(share):
    random = np.random.default_rng(0)
    arrays = [random.normal(size=(k, 7)) for k in range(1, 30)]
    values = np.sort(np.concatenate([values.ravel() for values in arrays]))
    exact = values[max(0, int(np.ceil(share * len(values))) - 1)]
    found = pooled_quantile([*arrays, np.array([np.nan, np.inf])], share)
    assert exact - 1e-7 <= found <= exact + abs(exact) / 2048 + 1e-7
    assert pooled_quantile([], share) == pooled_quantile([np.array([np.nan])], share) == 0


@pytest.mark.parametrize("measure", [aupro, pixel_auroc])
def test_maps_that_cannot_be_measured_are_refused(masks, measure):
    maps = np.zeros(masks.shape)
    for words, *arguments in (
        ("2 maps and 1 masks", maps, masks[:1]),
        (r"shapes \(20, 20\) and \(20,\)", maps, masks[:, 0]),
        ("NaN", maps * np.nan, masks),
        ("all pixels are of one kind", maps, np.zeros(masks.shape, bool)),
        ("all pixels are of one kind", maps, np.ones(masks.shape, bool)),
    ):
        with pytest.raises(NarrowsError, match=words):
            measure(*arguments)
    with pytest.raises(NarrowsError, match="limit of 0"):
        aupro(maps, masks, 0)
