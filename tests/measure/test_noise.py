"""Laws of the estimate of noise."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image

from narrows.measure.noise import estimate_noise, noise_correlation, plain_noise


@pytest.fixture(scope="module")
def photo() -> torch.Tensor:
    """`(1, 3, 213, 320)` on [0, 1]: shrunk by 2, so that JPEG left nothing."""
    image = load_sample_image("china.jpg")[:426].astype(np.float32) / 255
    return torch.from_numpy(image.reshape(213, 2, 320, 2, 3).mean((1, 3))).permute(2, 0, 1)[None]


def noise(like: torch.Tensor) -> torch.Tensor:
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("sigma", [5, 15, 25, 50, 75])
def test_gaussian_noise_is_estimated_within_some_percent(photo, sigma):
    found = estimate_noise(photo + noise(photo) * sigma / 255).sigma * 255
    assert found.shape == (1, 3)
    np.testing.assert_allclose(found, sigma, rtol=0.07)


@pytest.mark.parametrize("sigma", [15, 25, 50])
def test_clipped_noise_is_estimated_where_it_is_not_clipped(photo, sigma):
    noisy = (photo + noise(photo) * sigma / 255).clamp(0, 1).mul(255).round() / 255
    np.testing.assert_allclose(estimate_noise(noisy).sigma * 255, sigma, rtol=0.12)


def test_a_clean_photograph_has_little_noise(photo):
    assert (estimate_noise(photo).sigma * 255 < 2.5).all()


@pytest.mark.parametrize(("gain", "floor"), [(0.01, 0.0004), (0.02, 0.0)])
def test_photon_noise_is_a_line(photo, gain, floor):
    photo = photo.clamp(min=0.01)
    variance = gain * photo + floor
    found = estimate_noise(photo + noise(photo) * variance.sqrt())
    np.testing.assert_allclose(found.gain, gain, rtol=0.3)
    sigma = found.variance(photo).sqrt()
    assert ((sigma / variance.sqrt() - 1).abs().mean((2, 3)) < 0.1).all()


def test_plain_noise_has_no_gain(photo):
    assert (estimate_noise(photo + noise(photo) * 0.1).gain == 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (3, 20), (8, 8), (28, 28)], ids=str)
@pytest.mark.parametrize("value", [0.0, 0.5, 3.0])
def test_constant_images_of_any_size_have_no_noise(shape, value):
    found = estimate_noise(torch.full((2, 1, *shape), value))
    assert (found.sigma < 1e-5).all()
    assert found.variance(torch.ones(2, 1, *shape)).isfinite().all()


def test_small_images_of_noise_alone():
    x = torch.full((20, 1, 28, 28), 0.5)
    found = estimate_noise(x + noise(x) * 0.1).sigma
    assert found.mean() == pytest.approx(0.1, rel=0.1)


def test_it_grows_with_the_scale_and_each_image_is_its_own(photo):
    noisy = photo + noise(photo) * 0.1
    both = estimate_noise(torch.cat([noisy, noisy * 2]))
    torch.testing.assert_close(both.sigma[1], both.sigma[0] * 2, rtol=1e-3, atol=0)
    assert torch.equal(both.sigma[:1], estimate_noise(noisy).sigma)


def test_times_multiplies_the_standard_deviation(photo):
    line = estimate_noise(photo + noise(photo) * photo.clamp(min=0).sqrt() * 0.2)
    torch.testing.assert_close(line.times(1.5).sigma, line.sigma * 1.5)
    torch.testing.assert_close(line.times(2).variance(photo), line.variance(photo) * 4)
    assert plain_noise(photo, 0.1).sigma == pytest.approx(0.1)


def test_noise_of_independent_pixels_is_not_correlated(photo):
    for x in (torch.zeros(1, 1, 200, 200), photo):
        assert (noise_correlation(x + noise(x) * 0.1).abs() < 0.1).all()


def test_noise_that_was_averaged_along_rows_is_correlated_there(photo):
    independent = noise(photo) * 0.15
    rows = noise_correlation(photo + (independent + independent.roll(1, 3)) / 2)
    np.testing.assert_allclose(rows[..., 0], 0.5, atol=0.1)
    np.testing.assert_allclose(rows[..., 1], 0, atol=0.1)
    columns = noise_correlation(photo + (independent + independent.roll(1, 2)) / 2)
    np.testing.assert_allclose(columns, rows.flip(-1), atol=0.1)
