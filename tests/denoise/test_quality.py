"""Estimates of quality without the truth: they agree with it where it is known."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

import narrows as nw
from narrows.denoise.quality import assess, correlations, whiteness
from narrows.measure.noise import estimate_noise
from narrows.randomness import keyed_generator


def blurred(width):
    return lambda picture: gaussian_filter(picture, (width, width, 0)).astype(np.float32)


CLEANERS = {
    "nothing": lambda picture: picture,
    "slight blur": blurred(0.5),
    "blur": blurred(1.0),
    "strong blur": blurred(4.0),
    "ridge": lambda picture: nw.denoise(picture[None])[0],
}


@pytest.mark.parametrize("sigma", [15, 40])
def test_the_estimated_psnr_is_the_true_one_about_and_orders_denoisers_as_it_does(
    grey, with_noise, sigma
):
    noisy = with_noise(grey, sigma / 255)[..., None]
    estimated, true = {}, {}
    for name, clean in CLEANERS.items():
        result, quality = assess(noisy, clean)
        estimated[name] = quality.psnr
        true[name] = float(nw.measure.psnr(grey[None, ..., None], result[None], 1.0)[0])
    assert estimated == pytest.approx(true, abs=1.0)
    assert sorted(CLEANERS, key=estimated.get) == sorted(CLEANERS, key=true.get)


def test_clipped_noise_is_left_out_of_the_estimate(grey, with_noise):
    """Half of the picture is black: its noise is cut off, and looks weaker than it is."""
    dark = grey.copy()
    dark[:, :56] = 0
    noisy = with_noise(dark, 25 / 255).clip(0, 1)[..., None]
    result, quality = assess(noisy, CLEANERS["ridge"])
    bright = dark > 0.3
    true = -10 * np.log10(np.square(result[..., 0] - dark)[bright].mean())
    assert quality.psnr == pytest.approx(float(true), abs=4)


def test_what_was_removed_is_white_only_if_it_holds_no_structure(grey, with_noise):
    noisy = with_noise(grey, 20 / 255)[..., None]
    quality = {name: assess(noisy, clean)[1] for name, clean in CLEANERS.items()}
    assert quality["ridge"].whiteness > 0.9 > quality["strong blur"].whiteness
    assert abs(quality["ridge"].rows) < 0.1 < quality["strong blur"].rows
    assert quality["ridge"].left < 0.2 * quality["ridge"].noise
    assert quality["nothing"].removed == 0


def test_white_noise_is_white_and_blurred_noise_is_not():
    noise = torch.randn(1, 1, 128, 160, generator=keyed_generator("noise"))
    assert whiteness(noise) > 0.95
    rows = noise + noise.roll(1, 3)
    assert whiteness(rows) < 0.8
    torch.testing.assert_close(correlations(noise), torch.zeros(2), atol=0.03, rtol=0)
    torch.testing.assert_close(correlations(rows), torch.tensor([0.5, 0.0]), atol=0.03, rtol=0)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 3), (40, 1, 1)])
def test_pictures_of_few_pixels_have_finite_numbers(shape):
    picture = np.random.default_rng(0).random(shape, dtype=np.float32)
    result, quality = assess(picture, CLEANERS["nothing"])
    assert np.array_equal(result, picture)
    assert np.isfinite(quality).all()


def test_a_constant_picture_has_no_noise():
    picture = np.full((20, 24, 1), 0.5, np.float32)
    quality = assess(picture, CLEANERS["ridge"])[1]
    assert quality.noise < 0.01
    assert float(estimate_noise(torch.full((1, 1, 20, 24), 0.5)).sigma) < 1e-5
    assert quality.psnr >= 90
