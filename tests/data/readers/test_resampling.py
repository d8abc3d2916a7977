"""Lanczos' filter: as Pillow's in floats, exact for 8 bits, without a trace of how it is cut up."""

import warnings

import numpy as np
import pytest
from PIL import Image

from narrows.data import read_data
from narrows.data.readers import resampling
from narrows.data.readers.resampling import resample

CASES = [  # height, width, size, box
    (40, 40, (17, 17), (0, 0, 40, 40)),
    (28, 30, (64, 70), (0, 0, 30, 28)),
    (50, 33, (9, 12), (1.5, 3.25, 31, 50)),
    (20, 300, (20, 5), (0, 0, 300, 20)),
    (1, 1, (3, 2), (0, 0, 1, 1)),
    (70, 90, (1, 1), (10, 0, 80, 70)),
]


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def by_pillow(plane, size, box):
    image = Image.fromarray(plane.astype(np.float32))
    return np.asarray(image.resize(size[::-1], Image.Resampling.LANCZOS, box=box))


def forget_weights():
    for function in (resampling._bands, resampling._column_bands, resampling._parts):
        function.cache_clear()


@pytest.fixture
def own_weights():
    yield
    forget_weights()


@pytest.mark.parametrize(("height", "width", "size", "box"), CASES)
def test_every_channel_is_resized_as_pillow_resizes_floats(height, width, size, box):
    picture = noise(height, width, 3)
    expected = np.stack([by_pillow(picture[..., k], size, box) for k in range(3)], axis=2)
    assert np.abs(resample(picture, size, box) - expected).max() < 1e-3
    assert np.array_equal(
        resample(picture[..., 1], size, box), resample(picture, size, box)[..., 1]
    )


@pytest.mark.parametrize(("height", "width", "size", "box"), CASES)
def test_the_transpose_is_resized_to_the_transpose_exactly(height, width, size, box):
    picture = noise(height, width, 3)
    left, top, right, bottom = box
    turned = resample(picture.swapaxes(0, 1), size[::-1], (top, left, bottom, right))
    assert np.array_equal(turned.swapaxes(0, 1), resample(picture, size, box))


@pytest.mark.parametrize(("block", "most"), [(1, 1), (3, 100), (64, 2**30)])
def test_how_a_resize_is_cut_up_changes_nothing(own_weights, monkeypatch, block, most):
    picture = noise(50, 60, 3)
    before = resample(picture, (17, 23), (0, 0, 60, 50))
    forget_weights()
    monkeypatch.setattr(resampling, "BLOCK", block)
    monkeypatch.setattr(resampling, "MOST_PRODUCTS", most)
    assert np.array_equal(before, resample(picture, (17, 23), (0, 0, 60, 50)))


@pytest.mark.parametrize("value", [np.uint8(255), np.uint16(65535), np.int16(-7), np.float32(0.7)])
@pytest.mark.parametrize(("height", "width", "size", "box"), CASES)
def test_one_grey_stays_one_grey(value, height, width, size, box):
    resized = resample(np.full((height, width), value), size, box)
    assert np.array_equal(resized.astype(value.dtype), np.full(size, value))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("height", "width", "size", "box"), CASES)
def test_nan_is_where_a_value_that_is_not_finite_has_a_weight_and_nowhere_else(
    height, width, size, box, value
):
    picture = noise(height, width, 3).astype(np.float32)
    place = height // 2, width // 3
    without, impulse = picture.copy(), np.zeros_like(picture)
    without[*place, 1], impulse[*place, 1], picture[*place, 1] = 0, 1, value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resized = resample(picture, size, box)
    reached = resample(impulse, size, box) != 0
    assert np.array_equal(np.isnan(resized), reached)
    assert np.array_equal(resized[~reached], resample(without, size, box)[~reached])


def test_nan_of_a_float_picture_is_nan_in_few_pixels_of_a_set(tmp_path):
    picture = noise(200, 200).astype(np.float32) / 255
    picture[100, 100] = np.nan
    Image.fromarray(picture).save(tmp_path / "a.tif")
    images = read_data(tmp_path, size=50).images
    lost = np.argwhere(np.isnan(images[0]))
    assert 1 <= len(lost) <= (2 * resampling.LOBES) ** 2
    assert np.abs(lost - 25).max() <= resampling.LOBES
