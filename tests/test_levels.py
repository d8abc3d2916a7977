"""Black and white: of a type, of a file, of the user."""

import numpy as np
import pytest

from narrows.errors import BuildError, ImageError
from narrows.levels import (
    LEVELS,
    check_levels,
    from_unit_values,
    levels_of,
    percentile_levels,
    unit_values,
)


@pytest.mark.parametrize("dtype", LEVELS)
def test_black_is_0_and_white_is_1_of_every_type(dtype):
    black, white = LEVELS[dtype]
    assert unit_values(np.array([black, white]).astype(dtype)).tolist() == [0, 1]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
def test_every_integer_comes_back_from_unit_values(dtype):
    black, white = LEVELS[dtype]
    values = np.arange(black, white + 1).astype(dtype)
    np.testing.assert_array_equal(from_unit_values(unit_values(values), values.dtype), values)


def test_values_are_clipped_to_the_levels_on_the_way_back():
    unit = np.array([-1.0, 0.5, 2.0], np.float32)
    assert from_unit_values(unit, np.dtype("uint16"), check_levels((0, 4095))).tolist() == [
        0,
        2048,
        4095,
    ]


def test_levels_of_an_unknown_type_are_0_and_1():
    assert levels_of(np.dtype("int64")) == (0, 1)


@pytest.mark.parametrize(
    "levels", [(1, 0), (0, 0), (0, np.inf), (np.nan, 1), (0, 1, 2), "ab", 5, None, (-1e308, 1e308)]
)
def test_levels_that_are_none_are_refused(levels):
    with pytest.raises(BuildError, match="levels"):
        check_levels(levels)


def test_percentiles_of_a_ramp():
    X = np.arange(100_000, dtype=np.float64).reshape(10, 100, 100)
    low, high = percentile_levels(X)
    assert (low, high) == pytest.approx((99.999, 99_899.001))


def test_percentiles_of_a_constant_are_refused():
    with pytest.raises(ImageError, match="one value"):
        percentile_levels(np.full((5, 4, 4), 7, np.uint16))
