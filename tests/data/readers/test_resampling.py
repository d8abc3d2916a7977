"""Lanczos' filter: as Pillow's in floats, exact for 8 bits, without a trace of how it is cut up."""

import warnings

import numpy as np
import pytest
from PIL import Image

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


def test_values_that_are_not_finite_stay_so_and_no_warning_comes():
    picture = np.zeros((40, 40), np.float32)
    picture[3, 3], picture[30, 30] = np.inf, np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small = resample(picture, (10, 10), (0, 0, 40, 40))
    assert not np.isfinite(small[[0, 7], [0, 7]]).any()
