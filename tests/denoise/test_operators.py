"""Operators of restoration: the law of adjointness, and what each does."""

import numpy as np
import pytest
import torch

from narrows.choose import choose
from narrows.denoise.operators import OPERATORS, cubic
from narrows.errors import BuildError, ImageError, UnknownName
from narrows.randomness import keyed_generator

KERNEL = np.random.default_rng(0).random((5, 3))
SPECS = {
    "mask": {"kind": "mask", "mask": np.random.default_rng(1).random((12, 18)) < 0.5},
    "half": {"kind": "downsample", "factor": 2},
    "third": {"kind": "downsample", "factor": 3},
    "blur": {"kind": "blur", "kernel": KERNEL},
    "no blur": {"kind": "blur", "kernel": [[1.0]]},
}
specs = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)


def numbers(name, *shape):
    return torch.randn(shape, generator=keyed_generator(name), dtype=torch.float64)


def test_every_operator_is_tested():
    assert {spec["kind"] for spec in SPECS.values()} == set(OPERATORS)


@specs
def test_the_adjoint_is_one(spec):
    operator, x = choose("operator", OPERATORS, spec), numbers("x", 2, 3, 12, 18)
    image = operator(x)
    y = numbers("y", *image.shape)
    left, right = (image * y).sum(), (x * operator.adjoint(y)).sum()
    assert float(left) == pytest.approx(float(right), rel=1e-10)


@specs
def test_a_constant_picture_stays_constant_and_the_first_guess_finds_it(spec):
    operator, x = choose("operator", OPERATORS, spec), torch.full((1, 1, 12, 18), 0.4)
    y = operator(x)
    guess = operator.first_guess(y)
    assert guess.shape == x.shape
    torch.testing.assert_close(guess, x)
    torch.testing.assert_close(operator(guess), y)


def test_what_a_blur_shows_is_the_middle_of_its_picture():
    operator = choose("operator", OPERATORS, SPECS["blur"])
    x = numbers("x", 1, 1, 12, 18)
    assert torch.equal(operator.shown(x), x[..., 2:10, 1:17])
    assert operator(x).shape == operator.shown(x).shape


def test_a_blur_is_a_convolution():
    x = torch.zeros(1, 1, 9, 9)
    x[..., 4, 4] = 1
    found = choose("operator", OPERATORS, SPECS["blur"])(x)[0, 0, 0:5, 2:5]
    np.testing.assert_allclose(found, KERNEL / KERNEL.sum(), rtol=1e-5)


def test_a_smaller_picture_is_that_of_pillow():
    from PIL import Image

    picture = np.random.default_rng(2).random((24, 36)).astype(np.float32)
    by_pillow = np.asarray(Image.fromarray(picture).resize((18, 12), Image.Resampling.BICUBIC))
    ours = cubic(12, 24) @ torch.from_numpy(picture) @ cubic(18, 36).mT
    np.testing.assert_allclose(ours, by_pillow, atol=1e-5)


@pytest.mark.parametrize(
    "spec",
    [
        {"kind": "mask", "mask": np.zeros((4, 4))},
        {"kind": "mask", "mask": np.ones(4)},
        {"kind": "downsample", "factor": 1},
        {"kind": "downsample", "factor": 2.0},
        {"kind": "blur", "kernel": np.ones((2, 3))},
        {"kind": "blur", "kernel": [[np.nan]]},
        {"kind": "blur", "kernel": [[1.0, -2.0, 1.0]]},
    ],
    ids=str,
)
def test_what_no_operator_can_be_is_refused(spec):
    with pytest.raises(BuildError):
        choose("operator", OPERATORS, spec)


def test_a_name_that_does_not_exist_is_refused_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'blur'"):
        choose("operator", OPERATORS, {"kind": "blurr", "kernel": [[1.0]]})


def test_a_mask_of_another_size_is_refused_with_both_sizes():
    operator = choose("operator", OPERATORS, SPECS["mask"])
    with pytest.raises(ImageError, match="the mask has 12 x 18 pixels, the picture 12 x 17"):
        operator(torch.zeros(1, 1, 12, 17))
