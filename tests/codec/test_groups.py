"""Groups of values: the best of all cuts, frequent values by themselves."""

from itertools import combinations

import numpy as np
import pytest

from narrows.codec import groups as module
from narrows.codec.groups import best_groups, groups_from, second_scale


def test_best_groups_are_the_best_of_all_cuts(monkeypatch):
    monkeypatch.setattr(module, "MOST_GROUPS", 4)
    monkeypatch.setattr(module, "LARGEST_GROUP", 5)
    counts = np.random.default_rng(0).integers(1, 100, 12) ** 2

    def cost(first):
        sizes = np.diff([*first, 12])
        return np.add.reduceat(counts, first) @ np.log2(sizes) if max(sizes) <= 5 else np.inf

    cuts = [np.array([0, *cut]) for cut in combinations(range(1, 12), 3)]
    assert cost(best_groups(counts)) == min(map(cost, cuts))


def test_groups_of_frequent_values_have_one_value():
    counts = np.full(256, 10)
    counts[[0, 254, 255]] = 10_000
    groups = groups_from(best_groups(counts), 256)
    assert groups.sizes[groups.group[[0, 254, 255]]].tolist() == [1, 1, 1]
    assert second_scale(groups)[[0, 100, 254, 255]].tolist() == [0, 0, 1, 2]
    assert (groups.first[groups.group] + groups.place == np.arange(256)).all()
    assert groups.valid.sum() == 256


def test_groups_without_lone_values_are_a_scale():
    groups = groups_from([0, 1, 20, 40], 60)
    assert second_scale(groups)[[0, 1, 20, 59]].tolist() == [0, 1, 2, 3]


def test_groups_of_few_values_are_these_values():
    groups = groups_from(best_groups(np.arange(9)), 9)
    assert groups.sizes.tolist() == [1] * 9
    assert not second_scale(groups).any()


@pytest.mark.parametrize("first", [[1, 5], [0, 40], [0, 3, 3], list(range(17))])
def test_groups_that_cannot_be_are_refused(first):
    with pytest.raises(ValueError, match="groups of values"):
        groups_from(first, 60)
