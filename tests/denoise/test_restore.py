"""Restoration with a denoiser as the prior: better than interpolation, and true to what is known."""

import numpy as np
import pytest
import torch

import narrows as nw
from narrows.denoise.operators import Blur, Downsample
from narrows.denoise.restore import restore, solve
from narrows.errors import BuildError, ImageError
from narrows.randomness import keyed_generator


def psnr(clean, found):
    return float(nw.measure.psnr(clean[None], found[None], 1.0)[0])


def as_tensor(picture):
    return torch.from_numpy(picture)[None, None]


@pytest.fixture(scope="module")
def small(grey):
    return grey[:64, :72].copy()


def test_lost_pixels_are_found_and_known_ones_kept(small):
    mask = np.random.default_rng(0).random(small.shape) < 0.5
    spec = {"kind": "mask", "mask": mask}
    found = restore(small * mask, spec, "ridge", steps=6)
    np.testing.assert_allclose(found[mask], small[mask], atol=0.03)
    assert psnr(small, found) > psnr(small, small * mask) + 10


def test_a_small_picture_becomes_sharper_than_by_its_filter_and_agrees_with_it(small):
    down = Downsample(2)
    given = down(as_tensor(small))
    found = restore(given[0, 0].numpy(), {"kind": "downsample", "factor": 2}, "ridge", steps=6)
    by_filter = down.first_guess(given)[0, 0].numpy()
    assert found.shape == small.shape
    assert psnr(small, found) > psnr(small, by_filter)
    assert float((down(as_tensor(found)) - given).square().mean().sqrt()) < 0.01


def test_a_blur_is_undone(small):
    kernel = np.outer([1, 3, 4, 3, 1], [1, 3, 4, 3, 1])
    blurred = Blur(kernel)(as_tensor(small))[0, 0].numpy()
    random = np.random.default_rng(1)
    noisy = (blurred + random.normal(0, 0.01, blurred.shape)).astype(np.float32)
    found = restore(noisy, {"kind": "blur", "kernel": kernel}, "ridge", sigma=0.01, steps=6)
    assert psnr(small[2:-2, 2:-2], found) > psnr(small[2:-2, 2:-2], noisy) + 1


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("shape", [(20, 24), (20, 24, 3)])
def test_shape_and_type_come_back(dtype, shape):
    white = {"uint8": 255, "uint16": 65535, "float32": 1}[dtype]
    picture = (np.random.default_rng(0).random(shape) * white).astype(dtype)
    mask = np.ones(shape[:2])
    mask[5, 5] = 0
    found = restore(picture, {"kind": "mask", "mask": mask}, "ridge", steps=1)
    assert (found.shape, found.dtype) == (picture.shape, picture.dtype)


def test_conjugate_gradients_solve_symmetric_equations():
    half = torch.randn(12, 12, generator=keyed_generator("matrix"))
    matrix = half @ half.mT + torch.eye(12)
    right = torch.randn(12, generator=keyed_generator("right"))
    found = solve(lambda x: matrix @ x, right, torch.zeros(12))
    torch.testing.assert_close(matrix @ found, right, atol=1e-3, rtol=1e-3)


MASK = {"kind": "mask", "mask": np.ones((8, 8))}


@pytest.mark.parametrize(
    ("picture", "options", "error", "words"),
    [
        (np.zeros((8, 8, 4)), {}, ImageError, "expected \\(H, W\\) or \\(H, W, 3\\)"),
        (np.full((8, 8), np.nan), {}, ImageError, "NaN or infinity; mark such pixels as lost"),
        (np.zeros((8, 9)), {}, ImageError, "the mask has 8 x 8 pixels, the picture 8 x 9"),
        (np.zeros((8, 8)), {"sigma": -1}, BuildError, "sigma: got -1"),
        (np.zeros((8, 8)), {"steps": 0}, BuildError, "steps: got 0"),
        (np.zeros((8, 8)), {"denoiser": "rigde"}, ValueError, "did you mean 'ridge'"),
    ],
)
def test_what_cannot_be_restored_is_said(picture, options, error, words):
    with pytest.raises(error, match=words):
        restore(picture.astype(np.float32), MASK, **{"denoiser": "ridge", **options})
