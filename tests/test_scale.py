"""The working scale: images of every shape and type come back as they were given."""

import numpy as np
import pytest
import torch

from narrows.errors import UnknownName
from narrows.image_batches import ImageBatches
from narrows.image_inputs import as_images
from narrows.layout import Layout
from narrows.levels import LEVELS, Levels
from narrows.scale import FIXED_SCALES, SCALES, choose_scale, to_unit, to_user
from small_images import SHAPES, random_images, round_trip

INTEGERS = ("uint8", "uint16", "int16")


def every_value(dtype: str) -> np.ndarray:
    """All values of a type of integers."""
    black, white = LEVELS[dtype]
    return np.arange(black, white + 1).astype(dtype)


@pytest.mark.parametrize("scale", FIXED_SCALES)
@pytest.mark.parametrize("dtype", LEVELS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape_and_type_comes_back_as_given(shape, dtype, scale):
    X = random_images(dtype, 6, *shape)
    back = round_trip(X, scale)
    is_numbers = dtype == "int16" and X.ndim == 2  # a table of them is no image
    assert back.dtype == (np.float64 if is_numbers else X.dtype)
    np.testing.assert_array_equal(back, X)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("scale", FIXED_SCALES)
def test_every_integer_value_comes_back(dtype, scale):
    X = every_value(dtype).reshape(1, 16, -1)
    np.testing.assert_array_equal(round_trip(X, scale), X)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_every_grey_level_is_in_range_on_the_unit_scale(dtype):
    values = every_value(dtype)[:, None, None]
    array, layout = as_images(values)
    unit = ImageBatches(array, layout, FIXED_SCALES["unit"]).batch(slice(None))
    assert (unit.min().item(), unit.max().item()) == (0.0, 1.0)
    black, white = LEVELS[dtype]
    expected = (values.ravel().astype(float) - black) / (white - black)
    np.testing.assert_allclose(unit.numpy().ravel(), expected, rtol=2e-7)
    np.testing.assert_array_equal(to_user(unit, layout), values)


@pytest.mark.parametrize(
    ("dtype", "levels"), [("uint16", (0, 4095)), ("int16", (-1024, 3071)), ("uint8", (16, 235))]
)
def test_levels_are_black_and_white_and_values_come_back(dtype, levels):
    values = np.arange(levels[0], levels[1] + 1).astype(dtype)[:, None, None]
    layout = Layout((1, 1), (1, 1, 1), dtype, Levels(*levels))
    unit = ImageBatches(values, layout, FIXED_SCALES["unit"]).batch(slice(None))
    assert (unit.min().item(), unit.max().item()) == pytest.approx((0.0, 1.0), abs=1e-7)
    np.testing.assert_array_equal(to_user(unit, layout), values)


def test_values_beyond_the_levels_are_clipped():
    layout = Layout((1, 1), (1, 1, 1), "int16", Levels(-100, 100))
    X = np.array([-5000, 0, 5000], np.int16)[:, None, None]
    batch = ImageBatches(X, layout, FIXED_SCALES["unit"]).batch(slice(None))
    assert batch.ravel().tolist() == [0, 0.5, 1]


@pytest.mark.parametrize(
    ("dtype", "values", "given"),
    [
        ("uint8", [-0.5, 0.4999 / 255, 0.5001 / 255, 2.0], [0, 0, 1, 255]),
        ("uint16", [-0.5, 0.25, 1.0, 2.0], [0, 16384, 65535, 65535]),
        ("bool", [-1, 0.49, 0.51, 9], [False, False, True, True]),
        ("float32", [-0.5, 0.25, 1.0, 2.0], [0, 0.25, 1, 1]),
    ],
)
def test_images_are_clipped_and_rounded_unless_exact(dtype, values, given):
    layout = Layout((2, 2), (2, 2, 1), dtype, LEVELS[dtype])
    unit = torch.tensor(values, dtype=torch.float32).view(1, 1, 2, 2)
    np.testing.assert_array_equal(to_user(unit, layout).ravel(), np.array(given, dtype))
    exact = to_user(unit, layout, exact=True)
    assert exact.dtype == np.float32
    np.testing.assert_array_equal(exact, unit[0])


def test_a_table_of_floats_is_not_clipped_one_of_bytes_is():
    unit = torch.tensor([[-3.0, 7.0]]).view(1, 1, 1, 2)
    assert to_user(unit, Layout((2,), (1, 2, 1), "float64", LEVELS["float64"])).tolist() == [
        [-3, 7]
    ]
    assert to_user(unit, Layout((2,), (1, 2, 1), "uint8", LEVELS["uint8"])).tolist() == [[0, 255]]


@pytest.mark.parametrize(
    ("X", "shape", "name"),
    [
        (random_images("float32", 9, 4, 4), None, "unit"),
        (random_images("uint8", 9, 16), None, "unit"),
        (random_images("float32", 9, 16), (4, 4), "unit"),
        (random_images("float32", 9, 16), None, "standard"),
        (random_images("bool", 9, 4, 4, 3), None, "unit"),
    ],
)
def test_the_auto_scale(X, shape, name):
    assert choose_scale("auto", *as_images(X, shape)).name == name


@pytest.mark.parametrize(
    "X",
    [
        random_images("uint8", 50, 4, 3, 3),
        random_images("float64", 50, 6) * 40 - 7,
        random_images("uint16", 50, 6),
    ],
)
def test_the_standard_scale_gives_each_feature_mean_0_and_deviation_1(X):
    array, layout = as_images(X)
    scale = choose_scale("standard", array, layout)
    working = ImageBatches(array, layout, scale).batch(slice(None))
    np.testing.assert_allclose(working.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(working.std(0, correction=0), 1, atol=1e-5)
    np.testing.assert_allclose(round_trip(X, "standard"), X, atol=1e-5 * X.max())
    assert scale.bounds is None


@pytest.mark.parametrize("value", [0.0, 0.1, -1e6, 1e-12])
def test_the_standard_scale_leaves_a_constant_feature_constant(value):
    X = random_images("float64", 50, 3)
    X[:, 1] = value
    scale = choose_scale("standard", *as_images(X))
    assert scale.gain.flatten()[1] == 1
    working = ImageBatches(*as_images(X), scale).batch(slice(None))[:, 0, 0]
    np.testing.assert_allclose(working[:, 1], 0, atol=1e-6 * (1 + abs(value)))
    np.testing.assert_allclose(working[:, [0, 2]].std(0, correction=0), 1, atol=1e-5)
    np.testing.assert_allclose(round_trip(X, "standard"), X, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", SCALES[1:])
def test_a_scale_can_be_inverted_and_moves_to_a_device(name):
    array, layout = as_images(random_images("float32", 30, 5, 4))
    scale = choose_scale(name, array, layout).to(torch.device("cpu"))
    unit = to_unit(torch.from_numpy(array), layout)
    torch.testing.assert_close(scale.unit(scale.work(unit)), unit)


def test_an_unknown_scale_is_refused():
    with pytest.raises(UnknownName, match="no scale called 'units'; did you mean 'unit'"):
        choose_scale("units", *as_images(random_images("uint8", 2, 2, 2)))
