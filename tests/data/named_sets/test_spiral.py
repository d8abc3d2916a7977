"""A spiral of two arms: points lie by the curve that its arm is, as far from it as the noise is
strong.
"""

import numpy as np
import pytest

from narrows.data import read_data
from narrows.data.named_sets.spiral import SPIRAL_NOISE, SPIRAL_POINTS, spiral


def arm(which: int) -> np.ndarray:
    """Points of an arm's curve, dense."""
    t = np.linspace(0, 1, 5000)
    angle, radius = 1.5 * np.pi * t + np.pi * which, 0.08 + 0.37 * t
    return 0.5 + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def distance(points: np.ndarray, curve: np.ndarray) -> np.ndarray:
    return np.concatenate(
        [
            np.linalg.norm(part[:, None] - curve[None], axis=-1).min(1)
            for part in np.array_split(points, 20)
        ]
    )


@pytest.mark.parametrize("split", SPIRAL_POINTS)
def test_it_is_a_table_of_points_in_the_unit_square(split):
    found = spiral(split)
    assert (found.images.shape, found.images.dtype) == ((SPIRAL_POINTS[split], 2), np.float32)
    assert 0 <= found.images.min() < found.images.max() <= 1
    assert found.classes == ("0", "1")
    assert split in found.source
    np.testing.assert_allclose(
        np.bincount(found.labels) / SPIRAL_POINTS[split], [0.5, 0.5], atol=0.05
    )


@pytest.mark.parametrize("which", [0, 1])
def test_points_lie_by_their_own_arm_as_far_as_the_noise_is_strong(which):
    found = spiral("test")
    points = found.images[found.labels == which]
    away = distance(points, arm(which))
    # along the curve noise moves nothing
    assert np.sqrt(np.mean(away**2)) == pytest.approx(SPIRAL_NOISE, rel=0.1)
    assert away.max() < 5 * SPIRAL_NOISE
    assert np.median(distance(points, arm(1 - which))) > 10 * SPIRAL_NOISE


def test_one_arm_is_the_other_turned_by_half():
    np.testing.assert_allclose(1 - arm(0), arm(1), atol=1e-12)


def test_points_are_spread_evenly_over_the_radius():
    radius = np.linalg.norm(spiral("train").images - 0.5, axis=1)
    quantiles = np.quantile(radius, [0.1, 0.5, 0.9])
    np.testing.assert_allclose(quantiles, 0.08 + 0.37 * np.array([0.1, 0.5, 0.9]), atol=0.01)


def test_points_repeat_by_their_seed_and_no_part_has_those_of_another():
    one = spiral("train").images
    np.testing.assert_array_equal(one, spiral("train", seed=0).images)
    for other in (spiral("train", seed=1), spiral("test"), spiral("test", seed=1)):
        assert not set(map(tuple, one)) & set(map(tuple, other.images))


def test_it_is_a_named_set_with_a_seed():
    np.testing.assert_array_equal(read_data("spiral", "test").images, spiral("test").images)
    found = read_data({"kind": "spiral", "seed": 3}, "all")
    both = np.concatenate([spiral("train", 3).images, spiral("test", 3).images])
    np.testing.assert_array_equal(found.images, both)
