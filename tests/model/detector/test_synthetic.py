"""Synthetic anomalies are repeatable, on the scale of the images, and changed where they say so."""

import numpy as np
import pytest

from narrows.model.detector.synthetic import KINDS, synthetic_anomalies

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(0.2, 0.7, (40, 3, 16, 20)).astype(np.float32)


@pytest.fixture(scope="module")
def altered() -> dict[str, np.ndarray]:
    return synthetic_anomalies(IMAGES[:20], IMAGES[20:], seed=1)


@pytest.mark.parametrize("kind", KINDS)
def test_each_image_is_altered_and_stays_between_the_values_of_others(kind, altered):
    made = altered[kind]
    assert (made.shape, made.dtype) == ((20, 3, 16, 20), np.float32)
    assert (np.abs(made - IMAGES[:20]).max((1, 2, 3)) > 1e-4).all()
    assert made.min() >= IMAGES[20:].min()
    assert made.max() <= IMAGES[20:].max()


def test_the_same_seed_gives_the_same_anomalies(altered):
    again = synthetic_anomalies(IMAGES[:20], IMAGES[20:], seed=1)
    other = synthetic_anomalies(IMAGES[:20], IMAGES[20:], seed=2)
    for kind, made in altered.items():
        np.testing.assert_array_equal(made, again[kind])
    assert any((altered[kind] != other[kind]).any() for kind in altered)


def test_cut_paste_leaves_most_of_the_image_as_it_is(altered):
    clipped = IMAGES[:20].clip(IMAGES[20:].min(), IMAGES[20:].max())
    changed = (altered["cut-paste"] != clipped).any(1).mean((1, 2))
    assert changed.min() > 0.01
    assert changed.max() < 0.35


def test_half_of_an_image_stays(altered):
    clipped = IMAGES[:20].clip(IMAGES[20:].min(), IMAGES[20:].max())
    same = (altered["halves"] == clipped).all(1)
    lower, right = same[:, 8:].all((1, 2)), same[:, :, 10:].all((1, 2))
    assert (lower | right).all()
    assert lower.any()
    assert right.any()


def test_rows_of_a_table_get_features_of_others():
    rows = RNG.normal(size=(30, 1, 1, 9)).astype(np.float32)
    made = synthetic_anomalies(rows[:10], rows[10:], seed=0)
    assert list(made) == ["cut-paste"]
    assert ((made["cut-paste"] != rows[:10]).sum(3) < 9).all()
