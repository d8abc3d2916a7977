"""Mixtures of logistics in integers: intervals that are never empty, and tell every value."""

import numpy as np
import pytest

from narrows.codec.integers import TOTAL
from narrows.codec.logistics import (
    ALL,
    FAR,
    FRACTION,
    SCALES,
    SMALLEST,
    Logistics,
    sigmoids,
)

VALUES = (1, 2, 3, 16, 17, 255, 256, 257, 700, 65535, 65536)


def mixtures(values, count, seed=0, components=3):
    """Wild ones: centres far outside, the widest and the narrowest scales, weights of 1."""
    generator = np.random.default_rng(seed)
    cuts = np.sort(generator.integers(1, TOTAL - 1, (components - 1, count)), axis=0)
    ends = np.concatenate([np.zeros((1, count)), cuts, np.full((1, count), TOTAL)])
    centre = np.rint(generator.normal(values / 2, values, (components, count)) * FRACTION)
    scale = generator.integers(0, SCALES, (components, count))
    scale[:, :4] = [0, SCALES - 1, 0, SCALES - 1]
    centre[:, 2:4] = [-(1 << 23), 1 << 23]
    return Logistics(np.diff(ends, axis=0), centre, scale, values)


@pytest.mark.parametrize("values", VALUES)
def test_cumulative_rises_with_every_value_from_0_to_2_24(values):
    some = mixtures(values, 8)
    v = np.arange(values + 1)[:, None] + np.zeros((1, 8), np.int64)
    c = some.cumulative(v)
    assert (c[0] == 0).all()
    assert (c[-1] == ALL).all()
    assert (np.diff(c, axis=0) >= 1).all()
    assert (c == np.rint(c)).all()


@pytest.mark.parametrize("values", VALUES)
def test_find_is_the_inverse_of_interval(values):
    some = mixtures(values, 500, seed=1)
    generator = np.random.default_rng(2)
    v = generator.integers(0, values, 500)
    v[::5], v[1::5] = 0, values - 1
    start, frequency = some.interval(v)
    for slots in (start, start + frequency - 1, start + frequency // 2):
        found = some.find(slice(None), slots.astype(np.int64))
        assert all((a == b).all() for a, b in zip(found, (v, start, frequency)))


def test_find_has_a_value_for_every_slot():
    some = mixtures(300, 400, seed=3)
    slots = np.random.default_rng(4).integers(0, ALL, 400)
    v, start, frequency = some.find(slice(None), slots)
    assert (start <= slots).all()
    assert (slots < start + frequency).all()
    assert ((v >= 0) & (v < 300)).all()


@pytest.mark.parametrize("values", [256, 65536])
def test_intervals_have_the_probabilities_of_the_logistics(values):
    scale = np.array([200, 700, 1200])
    s = np.exp(scale / 256) / SMALLEST
    centre = np.array([100.25, 120.0, 90.0])
    weight = np.array([TOTAL // 2, TOTAL // 4, TOTAL // 4])
    parts = weight, centre * FRACTION, scale
    some = Logistics(*(np.tile(part[:, None], 256) for part in parts), values)
    edges = np.maximum((np.arange(257)[:, None] - 0.5 - centre) / s, -100)
    below = (weight / TOTAL / (1 + np.exp(-edges))).sum(1)
    below[0], below[-1] = 0, 1 if values == 256 else below[-1]
    p, q = np.diff(below), some.interval(np.arange(256))[1] / ALL
    assert (p * np.log2((p + 1e-12) / q)).sum() < 0.006


@pytest.mark.parametrize("units", [512, 16384])
def test_tables_are_the_same_whatever_the_last_bit_of_the_exponential(units):
    t = np.arange(-FAR * units, FAR * units + 1)
    exact = ALL / (1 + np.exp(-t / units))
    assert (np.abs(exact % 1 - 0.5) > 1e-7).all()
    mantissa = np.frexp(np.exp(-np.arange(SCALES) / 256))[0] * 1024
    assert (np.abs(mantissa % 1 - 0.5) > 1e-7).all()
    assert (np.diff(sigmoids(units)) >= 0).all()
