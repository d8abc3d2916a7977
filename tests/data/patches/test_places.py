"""Where patches are cut: how often, how far from one another, and how many from each picture."""

import numpy as np
import pytest

from narrows.data.patches.places import FLOOR, choose_places, share_out, weights_of
from narrows.randomness import keyed_generator


def test_the_frequency_of_places_is_proportional_to_the_deviation():
    """Pearson's χ² of 4,000 first places, each of another seed, over 4 x 5 places."""
    sigma = np.random.default_rng(1).random((4, 5)).astype(np.float32) + 0.2
    expected = 4000 * (sigma / sigma.sum()).ravel()
    counts = np.zeros((4, 5))
    for seed in range(4000):
        (place,) = choose_places(weights_of(sigma.copy()), 1, 1, keyed_generator(seed))
        counts[place] += 1
    chi2 = ((counts.ravel() - expected) ** 2 / expected).sum()
    assert chi2 < 43.8  # exceeded by chance once in 1,000 times, with 19 degrees of freedom


def test_flat_places_are_seen_at_a_tenth_of_the_mean_rate():
    sigma = np.zeros((10, 10), np.float32)
    sigma[:5] = 2
    weights = weights_of(sigma.copy())
    assert np.allclose(weights[5:], FLOOR * 1)
    assert (weights[:5] == 2).all()


def test_a_flat_picture_is_cut_evenly():
    assert (weights_of(np.zeros((3, 4), np.float32)) == 1).all()


@pytest.mark.parametrize("distance", [1, 3, 8])
def test_places_are_distinct_and_keep_their_distance(distance):
    weights = weights_of(np.random.default_rng(0).random((60, 70)).astype(np.float32))
    places = np.array(choose_places(weights, 50, distance, keyed_generator(0)))
    apart = np.abs(places[:, None] - places).max(2)
    np.fill_diagonal(apart, distance)
    assert apart.min() >= distance
    assert (np.diff(places[:, 0]) >= 0).all()


def test_choosing_ends_if_no_more_places_fit():
    everywhere = choose_places(np.ones((6, 7), np.float32), 1000, 1, keyed_generator(0))
    assert len(everywhere) == 42 == len(set(everywhere))
    few = choose_places(np.ones((6, 7), np.float32), 1000, 4, keyed_generator(0))
    assert 1 <= len(few) <= 4
    assert choose_places(np.zeros((2, 2), np.float32), 3, 1, keyed_generator(0)) == []


def test_places_belong_to_the_seed():
    def places(seed):
        return choose_places(np.ones((40, 40), np.float32), 5, 4, keyed_generator(seed))

    assert places(3) == places(3) != places(4)


def test_shares_are_in_proportion_to_area_and_add_up():
    areas = {"a": 300, "b": 100, "c": 599}
    shares = share_out(areas, 100, 0)
    assert sum(shares.values()) == 100
    for name, area in areas.items():
        assert abs(shares[name] - 100 * area / 999) < 1
    assert share_out(dict(reversed(areas.items())), 100, 0) == shares


def test_equal_shares_that_remain_go_to_pictures_by_the_seed():
    areas = dict.fromkeys("abcdefghij", 50)
    given = [
        {name for name, share in share_out(areas, 3, seed).items() if share} for seed in (0, 1)
    ]
    assert all(len(names) == 3 for names in given)
    assert given[0] != given[1]
