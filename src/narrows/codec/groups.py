"""Groups of values: one choice for the group of a value, one for its place in it (`categorical`).

A value of a group of s values costs log2 s bits if all of the group are as likely as each other, which is
nearly so where a histogram is smooth. So of all cuts of V values into at most 16 groups of consecutive
values, none larger than 32, the best is

    min  sum_g n(g) log2 s(g),     n(g): how often its values occur

by dynamic programming over the last value: B(k, e) = min_s B(k - 1, e - s) + n(e - s .. e) log2 s. A value
much more frequent than its neighbours, such as 0 and 252 to 255 of MNIST, becomes a group by itself.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

MOST_GROUPS, LARGEST_GROUP = 16, 32


class Groups(NamedTuple):
    """Values 0 .. V-1 in groups of consecutive values.

    first, sizes: `(G,)` of each group. group, place: `(V,)` of each value, its place counted from 0.
    valid: `(P, G)` whether a group has that place, 0 or 1; P is the size of the largest.
    """

    first: np.ndarray
    sizes: np.ndarray
    group: np.ndarray
    place: np.ndarray
    valid: np.ndarray


def groups_from(first: Sequence[int] | np.ndarray, values: int) -> Groups:
    """Groups that begin with these values. Raises `ValueError` if there are too many, or too large ones."""
    first = np.asarray(first)
    sizes = np.diff([*first, values])
    if not (len(first) <= MOST_GROUPS and first[0] == 0):
        raise ValueError(f"groups of values {first}")
    if not (min(sizes) >= 1 and max(sizes) <= LARGEST_GROUP):
        raise ValueError(f"groups of values {first} of {values}")
    group = np.repeat(np.arange(len(sizes)), sizes)
    valid = (np.arange(sizes.max())[:, None] < sizes).astype(np.float64)
    return Groups(first, sizes, group, np.arange(values) - first[group], valid)


def best_groups(counts: np.ndarray) -> np.ndarray:
    """The first value of each group, for values that occur that often, `(V,)`."""
    values = len(counts)
    if values <= MOST_GROUPS:
        return np.arange(values)
    least, sizes = np.append(0.0, np.full(values, np.inf)), []
    for _ in range(MOST_GROUPS):
        least, size = _with_one_more(least, np.append(0.0, np.cumsum(counts)))
        sizes.append(size)
    return _traced(sizes, values)


def _with_one_more(least: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """B(k, e) for each end e from B(k - 1, e), and the size of the last group. before: n(0 .. e)."""
    end = np.arange(len(least))[:, None]
    size = np.arange(1, LARGEST_GROUP + 1)
    first = np.maximum(end - size, 0)
    cost = least[first] + (before[end] - before[first]) * np.log2(size)
    cost[end < size] = np.inf
    best = cost.argmin(1)
    return np.take_along_axis(cost, best[:, None], 1)[:, 0], size[best]


def _traced(sizes: list[np.ndarray], values: int) -> np.ndarray:
    first, end = [], values
    for size in reversed(sizes):
        end -= int(size[end])
        first.append(end)
    return np.array(first[::-1])


def second_scale(groups: Groups) -> np.ndarray:
    """`(V,)` a second scale of values: the rank of each among those that are groups by themselves, from 1
    on, and 0 for the value 0 and for others. If there are no others, zeros; if there are none but 0 by
    themselves, the numbers of groups.
    """
    if groups.sizes.max() == 1:
        return np.zeros(len(groups.group), np.int64)
    lone = groups.first[(groups.sizes == 1) & (groups.first > 0)]
    if not len(lone):
        return groups.group
    of_values = np.zeros(len(groups.group), np.int64)
    of_values[lone] = np.arange(1, len(lone) + 1)
    return of_values
