"""Laws of denoising without training: what comes back, and how good it is."""

import numpy as np
import pytest
import torch

import narrows as nw
from narrows import measure
from narrows.denoise import margins, non_local
from narrows.denoise.denoise import Options, denoise_picture
from narrows.denoise.non_local import SMALLEST_PICTURE, non_local_ridge
from narrows.errors import BuildError, ImageError, UnknownName
from narrows.levels import Levels
from narrows.measure.noise import plain_noise


def psnr(clean: np.ndarray, found: np.ndarray) -> float:
    return float(measure.psnr(clean[None], found[None], 1.0)[0])


@pytest.mark.parametrize("sigma", [10, 25, 50])
def test_it_gains_decibels_on_a_photograph_and_the_estimate_is_as_good_as_the_truth(
    grey, with_noise, sigma
):
    noisy = with_noise(grey, sigma / 255)
    known = psnr(grey, nw.denoise(noisy[None], sigma=sigma / 255)[0])
    assert known > psnr(grey, noisy) + {10: 3, 25: 5, 50: 7}[sigma]
    assert psnr(grey, nw.denoise(noisy[None])[0]) > known - 0.5


def test_colours_together_are_better_than_one_by_one_and_keep_their_mean(colour, with_noise):
    noisy = with_noise(colour)
    found = nw.denoise(noisy[None])[0]
    alone = nw.denoise(np.moveaxis(noisy, 2, 0))
    assert psnr(colour, found) > psnr(colour, np.moveaxis(alone, 0, 2)) + 0.5
    np.testing.assert_allclose(found.mean((0, 1)), colour.mean((0, 1)), atol=1 / 255)


def test_photon_noise_is_taken_out_where_it_is(grey):
    random = np.random.default_rng(0)
    ramp = np.repeat(np.linspace(0.05, 0.95, 160, dtype=np.float32)[None], 96, 0)
    noisy = (random.poisson(ramp * 50) / 50).astype(np.float32)
    by_line = psnr(ramp, nw.denoise(noisy[None])[0])
    constant = psnr(ramp, nw.denoise(noisy[None], sigma=float((noisy - ramp).std()))[0])
    assert by_line > constant > psnr(ramp, noisy) + 10


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 40, 44), (2, 40, 44, 1), (1, 40, 44, 3)], ids=str)
def test_shape_and_type_come_back(colour, with_noise, dtype, shape):
    unit = with_noise(np.resize(colour[:40, :44, : (*shape, 1)[3]], shape))
    black, white = nw.levels.LEVELS[dtype]
    images = unit * (white - black) + black
    if np.dtype(dtype).kind != "f":
        images = images.round().clip(black, white)
    images = images.astype(dtype)
    before = images.copy()
    found = nw.denoise(images, sigma=25 / 255)
    assert (found.shape, found.dtype) == (images.shape, images.dtype)
    assert np.array_equal(images, before)
    assert not np.array_equal(found, images)


def test_floats_beyond_black_and_white_stay_beyond(grey, with_noise):
    bright = grey * 3 - 1
    found = nw.denoise(with_noise(bright)[None], sigma=25 / 255)[0]
    assert found.min() < -0.2
    assert found.max() > 1.2
    assert psnr(bright, found) > psnr(bright, with_noise(bright)) + 3


def test_levels_say_what_white_is(grey, with_noise):
    twelve = (with_noise(grey).clip(0, 1) * 4095).round().astype(np.uint16)
    found = denoise_picture(twelve, Levels(0, 4095), Options(sigma=25 / 255)).pixels
    assert found.max() <= 4095
    expected = nw.denoise((twelve / np.float32(4095))[None], sigma=25 / 255)[0]
    np.testing.assert_allclose(found / 4095, expected.clip(0, 1), atol=1e-3)


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_put_back_as_it_was(colour, with_noise, channels):
    noisy = with_noise(colour)[..., : channels - 1]
    alpha = np.random.default_rng(1).random((*noisy.shape[:2], 1), np.float32)
    found = nw.denoise(np.concatenate([noisy, alpha], 2)[None])[0]
    assert np.array_equal(found[..., -1:], alpha)
    np.testing.assert_array_equal(found[..., :-1], nw.denoise(noisy[None])[0])


@pytest.mark.parametrize("images", [np.full((1, 40, 40), 0.3), np.zeros((2, 9, 9, 3), np.uint8)])
def test_a_constant_picture_stays_as_it_is(images):
    assert np.array_equal(nw.denoise(images), images)
    np.testing.assert_allclose(nw.denoise(images, sigma=0.1), images, atol=1e-6)


def test_without_noise_a_picture_stays_as_it_is(grey, with_noise):
    noisy = with_noise(grey).astype(np.float64)[None]
    assert np.array_equal(nw.denoise(noisy, sigma=0), noisy)
    assert np.array_equal(nw.denoise(noisy, strength=0), noisy)


@pytest.mark.parametrize("sigma", [2e-4, 1e-3, 0.01, 1.0])
def test_results_are_finite_for_any_strength_of_noise_and_sharp_edges(sigma):
    edge = np.zeros((1, 48, 48), np.float32)
    edge[:, 10:30, 20:] = 1
    assert np.isfinite(nw.denoise(edge, sigma=sigma)).all()


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (8, 8), (5, 60), (26, 25)], ids=str)
def test_pictures_smaller_than_a_window(shape):
    noisy = 0.5 + 0.1 * np.random.default_rng(0).normal(size=(1, *shape))
    found = nw.denoise(noisy, sigma=0.1)
    assert found.shape == noisy.shape
    assert np.isfinite(found).all()
    assert np.std(found) <= 1.1 * np.std(noisy)


def test_strength_smooths_more(grey, with_noise):
    noisy = with_noise(grey)[None]
    moved = [np.square(nw.denoise(noisy, strength=s) - noisy).mean() for s in (0.5, 1, 2)]
    assert moved == sorted(moved)
    np.testing.assert_allclose(
        nw.denoise(noisy, sigma=0.1, strength=1.5), nw.denoise(noisy, sigma=0.15), atol=2e-3
    )


def test_noise_that_is_said_to_be_twice_as_strong_does_not_ruin_a_picture(grey, with_noise):
    noisy = with_noise(grey)
    right, doubled = (nw.denoise(noisy[None], sigma=f * 25 / 255)[0] for f in (1, 2))
    assert psnr(grey, doubled) > psnr(grey, right) - 3 > psnr(grey, noisy)


def test_tiles_give_what_the_complete_picture_gives(grey, with_noise, monkeypatch):
    picture = torch.from_numpy(with_noise(np.tile(grey[:40], 4), 0.05))[None, None]
    noise = plain_noise(picture, 0.05)
    complete = non_local_ridge(picture, noise)
    monkeypatch.setattr(non_local, "TILE", 120)  # with margins of 120 not even half a picture
    tiled = non_local_ridge(picture, noise)
    difference = (tiled - complete).abs()
    assert difference.max() < 1 / 255
    assert difference.mean() < 1e-5


def test_any_number_of_threads_gives_the_same_and_stays_as_it_is(grey, with_noise):
    noisy = with_noise(grey)[None]
    threads = torch.get_num_threads()
    found = []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            found.append(nw.denoise(noisy, sigma=0.1))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    assert np.array_equal(*found)


def test_tiles_of_nothing_change_nothing(grey):
    picture = torch.from_numpy(grey)[None, None]
    for tile, margin in ((10, 3), (50, 0), (500, 20)):
        assert torch.equal(margins.by_tiles(lambda part: part, picture, tile, margin), picture)
        assert torch.equal(margins.at_least(lambda part: part, picture, 300), picture)


def test_a_flipped_picture_is_denoised_to_the_flipped_result(grey, with_noise):
    noisy = with_noise(grey[:87, :111])[None]  # whose grids of references are symmetric
    found = nw.denoise(noisy, sigma=50 / 255)
    for axis in (1, 2):
        flipped = np.flip(nw.denoise(np.flip(noisy, axis).copy(), sigma=50 / 255), axis)
        difference = np.abs(flipped - found)
        assert difference.mean() < 0.002


def test_images_are_denoised_each_for_itself(grey, with_noise):
    noisy = np.stack([with_noise(grey), with_noise(grey, 0.02)])
    for image, found in zip(noisy, nw.denoise(noisy)):
        assert np.array_equal(nw.denoise(image[None])[0], found)


def test_a_group_is_found_in_a_corner():
    corner = min(SMALLEST_PICTURE - non_local.LARGEST + 1, non_local.RADIUS + 1)
    most = max(settings.group for passes in non_local.PASSES.values() for settings in passes)
    assert corner**2 >= most


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"sigma": -0.1}, BuildError, "sigma"),
        ({"sigma": float("nan")}, BuildError, "sigma"),
        ({"strength": -1}, BuildError, "strength"),
        ({"model": "rigde"}, UnknownName, "did you mean 'ridge'"),
    ],
)
def test_options_that_cannot_be_used(options, error, words):
    with pytest.raises(error, match=words):
        nw.denoise(np.zeros((1, 8, 8)), **options)


def test_nan_and_tables_are_refused():
    with pytest.raises(ImageError, match="NaN or infinity: 2"):
        nw.denoise(np.array([[[0, np.nan], [np.inf, 1]]]))
    with pytest.raises(ImageError, match="table"):
        nw.denoise(np.zeros((3, 64)))
