"""The standard deviation of every patch, against its definition."""

import numpy as np
import pytest

from narrows.data.patches import variance
from narrows.data.patches.variance import deviations


def by_definition(grey, size):
    windows = np.lib.stride_tricks.sliding_window_view(grey.astype(np.float64), size)
    return windows.std(axis=(2, 3))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("size", [(5, 5), (3, 8), (20, 31)])
def test_deviations_are_those_of_each_patch(dtype, size, monkeypatch):
    monkeypatch.setattr(variance, "BAND", 4)  # several bands, the last of them smaller
    random = np.random.default_rng(0)
    grey = random.integers(0, 200, (20, 31)).astype(dtype)
    assert np.allclose(deviations(grey, size), by_definition(grey, size), atol=1e-4)


def test_flat_patches_have_no_deviation_however_bright():
    grey = np.full((40, 40), 60_000, np.uint16)
    grey[:, :10] = 0
    sigma = deviations(grey, (8, 8))
    assert (sigma[:, 10:] < 1e-2).all()
    assert sigma[0, 5] > 1e4


def test_a_patch_with_a_value_that_is_not_finite_has_no_deviation():
    grey = np.random.default_rng(0).random((30, 30)).astype(np.float32)
    grey[12, 17] = np.nan
    sigma = deviations(grey, (4, 4))
    assert np.isnan(sigma[9:13, 14:18]).all()
    assert np.isnan(sigma).sum() == 16
    expected = by_definition(grey, (4, 4))
    assert np.allclose(sigma, expected, atol=1e-5, equal_nan=True)
