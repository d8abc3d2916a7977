"""The network that comes with the package: pictures of any size, form and noise."""

import numpy as np
import pytest

import narrows as nw
from narrows.denoise import photo as networks
from narrows.denoise.denoise import bands_of
from narrows.errors import BuildError


def psnr(clean, found):
    return float(nw.measure.psnr(clean[None], found[None], 1.0)[0])


GAINS = {10: 1.5, 25: 5, 50: 8}  # dB, on a picture of textures as fine as its pixels


@pytest.mark.parametrize(("sigma", "gain"), GAINS.items())
def test_it_removes_noise_and_keeps_the_mean_colour(colour, with_noise, sigma, gain):
    noisy = with_noise(colour, sigma / 255)
    found = nw.denoise(noisy[None], "photo")[0]
    assert psnr(colour, found) > psnr(colour, noisy) + gain
    np.testing.assert_allclose(found.mean((0, 1)), colour.mean((0, 1)), atol=2 / 255)


@pytest.mark.parametrize("sigma", [25, 50])
def test_clipped_noise_is_taken_out(colour, with_noise, sigma):
    noisy = (with_noise(colour, sigma / 255).clip(0, 1) * 255).round().astype(np.uint8)
    found = nw.denoise(noisy[None], "photo")[0] / 255
    assert psnr(colour, found) > psnr(colour, noisy / 255) + 4
    np.testing.assert_allclose(found.mean((0, 1)), colour.mean((0, 1)), atol=4 / 255)


def test_tiles_give_what_the_complete_picture_gives(colour, with_noise, monkeypatch):
    noisy = (with_noise(np.tile(colour, (3, 3, 1))).clip(0, 1) * 255).round().astype(np.uint8)
    networks.photo.cache_clear()
    at_once = nw.denoise(noisy[None], "photo")
    monkeypatch.setattr(networks, "SIDE", 64)
    networks.photo.cache_clear()
    in_tiles = nw.denoise(noisy[None], "photo")
    networks.photo.cache_clear()
    assert np.abs(at_once.astype(int) - in_tiles).max() <= 1


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [(), (1,), (2,), (3,), (4,)], ids=str)
def test_grey_colour_and_alpha_come_back_as_they_came(dtype, channels):
    white = {"uint8": 255, "uint16": 65535, "float32": 1}[dtype]
    picture = (np.random.default_rng(0).random((1, 21, 30, *channels)) * white).astype(dtype)
    found = nw.denoise(picture, "photo")
    assert (found.shape, found.dtype) == (picture.shape, picture.dtype)
    if channels in ((2,), (4,)):
        np.testing.assert_array_equal(found[..., -1], picture[..., -1])


def test_a_grey_picture_is_that_of_three_equal_channels(grey, with_noise):
    noisy = with_noise(grey)
    one = nw.denoise(noisy[None], "photo")[0]
    three = nw.denoise(np.dstack([noisy] * 3)[None], "photo")[0]
    np.testing.assert_allclose(three.mean(2), one, atol=1e-4)


def test_more_strength_removes_more_and_eight_sides_are_better_than_one(colour, with_noise):
    noisy = with_noise(colour)
    removed = [
        float(np.std(noisy - nw.denoise(noisy[None], "photo", strength=strength)[0]))
        for strength in (0.5, 1.0, 1.5)
    ]
    assert removed == sorted(removed)
    one, eight = (nw.denoise(noisy[None], "photo", best=best)[0] for best in (False, True))
    assert psnr(colour, eight) > psnr(colour, one)


def test_a_model_that_is_not_given_the_noise_is_refused_with_the_cure():
    X = nw.load_data("digits")[0][:50]
    model = nw.PCA(2).fit(X)
    with pytest.raises(BuildError, match="one that is given the noise, such as denoiser-photo"):
        nw.denoise(X, model)


def test_bands_of_a_large_picture_are_of_all_its_height():
    picture = np.arange(4000)[:, None, None] * np.ones((1, 1000, 1))
    bands = bands_of(picture)
    assert 1_900_000 < bands.size < 2_100_000
    assert (bands[0, 0, 0], bands[-1, 0, 0]) == (0, 3999)
    assert bands_of(picture[:1000]) is not picture
    assert bands_of(picture[:1000]).shape == (1000, 1000, 1)
