"""Laws of the measures of maps: closed forms, and what does not change them."""

import numpy as np
import pytest

from narrows.errors import NarrowsError
from narrows.measure import aupro, auroc, pixel_auroc


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
