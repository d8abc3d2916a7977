"""Scales that each image sets: brightness and contrast do not count, and everything comes back."""

import numpy as np
import pytest
import torch

from narrows.errors import BuildError
from narrows.image_batches import ImageBatches
from narrows.image_inputs import as_images
from narrows.layout import Layout
from narrows.levels import Levels
from narrows.scale import FIXED_SCALES, FLOOR, MOMENTS, Scale, choose_scale, to_user, variation
from small_images import random_images

SHAPES = [(5, 9), (4, 4, 3), (6, 5, 2), (8, 8, 4)]
each = pytest.mark.parametrize("name", MOMENTS)


def scaled(X, name, layout=None):
    """Images on a scale of their own, and that scale."""
    array, given = as_images(X)
    layout = layout or given
    images = ImageBatches(array, layout, choose_scale(name, array, layout))
    return (*images.scaled_batch(slice(None)), layout)


@each
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "bool", "float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_images_of_every_type_come_back_on_their_own_scale(shape, dtype, name):
    X = random_images(dtype, 6, *shape)
    x, scale, layout = scaled(X, name)
    back = to_user(scale.unit(x), layout)
    assert back.dtype == X.dtype
    np.testing.assert_allclose(back, X, rtol=0, atol=2e-6 if X.dtype.kind == "f" else 0)


@each
def test_every_grey_level_of_a_camera_of_12_bits_comes_back(name):
    X = np.arange(4096, dtype=np.uint16).reshape(1, 64, 64)
    layout = Layout((64, 64), (64, 64, 1), "uint16", Levels(0, 4095))
    x, scale, _ = scaled(X, name, layout)
    np.testing.assert_array_equal(to_user(scale.unit(x), layout), X)


@each
@pytest.mark.parametrize(("a", "b"), [(0.25, 0.0), (0.5, 0.3), (0.9, 0.1)])
def test_brightness_and_contrast_do_not_change_the_working_image(name, a, b):
    X = random_images("float32", 6, 12, 9, 3)
    torch.testing.assert_close(
        scaled(a * X + np.float32(b), name)[0], scaled(X, name)[0], atol=2e-5, rtol=1e-4
    )


def test_each_has_mean_0_and_deviation_1_over_all_pixels_and_channels():
    x = scaled(random_images("uint8", 6, 12, 9, 3) // 3 + 40, "each")[0].flatten(1)
    torch.testing.assert_close(x.mean(1), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std(1, correction=0), torch.ones(6))


def test_local_is_the_mean_and_deviation_in_a_window_continued_by_reflection():
    X = random_images("float64", 2, 8, 10, 3)
    _, scale, _ = scaled(X, "local")
    side = 5  # about half of 8, odd
    padded = np.pad(X, [(0, 0), (2, 2), (2, 2), (0, 0)], mode="reflect")
    for row, column in [(0, 0), (3, 4), (7, 9), (0, 9)]:
        window = padded[:, row : row + side, column : column + side].reshape(2, -1)
        np.testing.assert_allclose(scale.offset[:, 0, row, column], window.mean(1), rtol=1e-5)
        np.testing.assert_allclose(1 / scale.gain[:, 0, row, column], window.std(1), rtol=1e-4)


def test_shading_across_the_image_is_gone_on_the_local_scale():
    texture = random_images("float32", 1, 32, 32) * np.float32(0.2)
    shade = np.linspace(0, 0.8, 32, dtype=np.float32)
    inner = np.s_[..., 8:-8, 8:-8]
    differences = {
        name: (scaled(texture + shade, name)[0] - scaled(texture, name)[0])[inner].abs().mean()
        for name in MOMENTS
    }
    assert differences["local"] < 0.5 < differences["each"]


@each
@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, 0.7, 1.0])
@pytest.mark.parametrize("shape", [(28, 28), (9, 7, 3)], ids=str)
def test_a_constant_image_is_0_and_comes_back_to_the_last_bit(name, value, shape):
    X = np.full((2, *shape), value, np.float32)
    x, scale, layout = scaled(X, name)
    assert not x.any()
    np.testing.assert_array_equal(to_user(scale.unit(x), layout), X)


@each
def test_contrast_below_the_floor_is_not_blown_up(name):
    noise = np.random.default_rng(0).normal(0.5, FLOOR / 10, (3, 16, 16)).astype(np.float32)
    x = scaled(noise, name)[0]
    assert float(x.std()) == pytest.approx(0.1, rel=0.1)


@each
def test_an_image_sets_its_scale_alone(name):
    X = random_images("float32", 5, 8, 8)
    together, alone = scaled(X, name)[0], scaled(X[2:3], name)[0]
    torch.testing.assert_close(together[2:3], alone, atol=1e-6, rtol=1e-6)


@each
def test_codes_without_an_image_have_the_typical_brightness_and_contrast(name):
    X = random_images("uint8", 40, 8, 8)
    array, layout = as_images(X)
    typical = choose_scale(name, array, layout)
    _, scale, _ = scaled(X, name)
    torch.testing.assert_close(typical.offset, scale.offset.mean(0))
    torch.testing.assert_close(1 / typical.gain, (1 / scale.gain).mean(0))
    assert typical.bounds is None
    reverse = array[:, ::-1]  # in an order of memory that torch cannot share
    flipped = choose_scale(name, reverse, layout)
    torch.testing.assert_close(flipped.offset, typical.offset.flip(-2))


@pytest.mark.parametrize("name", FIXED_SCALES)
def test_a_fixed_scale_is_that_of_all_images(name):
    scale = FIXED_SCALES[name]
    assert scale.of(torch.rand(3, 1, 4, 4)) is scale


@each
def test_pairs_are_on_the_scale_of_the_noisy_images(name):
    random = np.random.default_rng(0)
    X = random_images("float32", 5, 8, 8)
    noisy = (0.5 * X + 0.2 + random.normal(0, 0.05, X.shape)).astype(np.float32)
    array, layout = as_images(X)
    scale = choose_scale(name, array, layout)
    images = ImageBatches(array, layout, scale, noisy=ImageBatches(noisy, layout, scale))
    index = torch.tensor([3, 0])
    clean, given, of_both = images.pair(index)
    assert given is not None
    torch.testing.assert_close(given, ImageBatches(noisy, layout, scale).batch(index))
    np.testing.assert_allclose(of_both.unit(clean)[:, 0], X[[3, 0]], atol=1e-6)
    np.testing.assert_allclose(of_both.unit(given)[:, 0], noisy[[3, 0]], atol=1e-6)


@each
def test_a_table_is_refused(name):
    with pytest.raises(
        BuildError, match=rf"got '{name}'.*for a table; use scale='auto'.*image_shape"
    ):
        choose_scale(name, *as_images(random_images("float64", 9, 16)))
    assert choose_scale(name, *as_images(random_images("float64", 9, 16), (4, 4))).name == name


@pytest.mark.parametrize("shape", [(3, 9), (9, 1, 3)], ids=str)
def test_local_needs_neighbours(shape):
    X = random_images("uint8", 9, *shape)
    with pytest.raises(BuildError, match=r"4 x 4 pixels at least.*use scale='each'"):
        choose_scale("local", *as_images(X))
    assert isinstance(choose_scale("each", *as_images(X)), Scale)


def test_variation_of_brightness_and_contrast():
    random = np.random.default_rng(0)
    pattern = random.random((1, 16, 16)) - 0.5
    same = variation(*as_images(np.repeat(0.5 + 0.4 * pattern, 50, axis=0)))
    assert same == pytest.approx((0, 0), abs=1e-6)
    brighter = 0.5 + 0.4 * pattern + random.uniform(-0.2, 0.2, (400, 1, 1))
    deviation = 0.4 * pattern.std()
    found = variation(*as_images(brighter))
    assert found.brightness == pytest.approx(0.4 / 12**0.5 / deviation, rel=0.1)
    assert found.contrast == pytest.approx(0, abs=1e-5)
    stronger = 0.5 + random.uniform(0.2, 0.6, (400, 1, 1)) * (pattern - pattern.mean())
    found = variation(*as_images(stronger))
    assert found.brightness == pytest.approx(0, abs=1e-5)
    assert found.contrast == pytest.approx(0.4 / 12**0.5 / 0.4, rel=0.1)


def test_variation_is_the_same_in_units_of_any_type():
    X = random_images("uint8", 30, 8, 8)
    assert variation(*as_images(X)) == pytest.approx(variation(*as_images(X / 255)), rel=1e-5)
