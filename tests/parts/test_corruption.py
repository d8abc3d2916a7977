"""Laws of corruption: strength, rate, range, and a mask that tells the truth."""

import pytest
import torch

from narrows.choose import choose
from narrows.errors import BuildError
from narrows.machine import Draw
from narrows.parts.corruption import CORRUPTIONS, Gaussian, Masking, SaltAndPepper

SETS = [(name, span) for name in CORRUPTIONS for span in [(0.0, 1.0), (-1.0, 1.0), None]]
SETS.remove(("salt-and-pepper", None))
sets = pytest.mark.parametrize(("name", "span"), SETS)


def corrupt(name, span, x, draw=None, **options):
    return choose("corruption", CORRUPTIONS, {"kind": name, **options}, range=span)(x, draw or Draw(0))


@sets
def test_shape_and_input_are_kept_and_the_mask_tells_what_was_replaced(some, name, span):
    x = some(20, 3, 9, 7)
    before = x.clone()
    noisy, hidden = corrupt(name, span, x)
    assert noisy.shape == x.shape
    assert noisy.isfinite().all()
    assert torch.equal(x, before)
    if hidden is not None:
        assert (hidden.shape, hidden.dtype) == ((20, 1, 9, 7), torch.bool)
        assert torch.equal(torch.where(hidden, x, noisy), x)


@sets
def test_numbers_belong_to_the_draw_and_ranks_draw_rows_of_the_whole(some, name, span):
    x = some(20, 3, 9, 7)
    whole, _ = corrupt(name, span, x, Draw(1, 2, 3))
    assert torch.equal(whole, corrupt(name, span, x, Draw(1, 2, 3))[0])
    part = slice(5, 12)
    assert torch.equal(whole[part], corrupt(name, span, x[part], Draw(1, 2, 3, rows=part, total=20))[0])
    if name != "none":
        assert not torch.equal(whole, corrupt(name, span, x, Draw(1, 2, 4))[0])


def test_none_changes_nothing(some):
    x = some(4, 1, 5, 5)
    noisy, hidden = corrupt("none", (0.0, 1.0), x)
    assert torch.equal(noisy, x)
    assert hidden is None


@pytest.mark.parametrize("sigma", [0.1, 0.3, 5])
def test_gaussian_noise_has_mean_0_and_deviation_sigma_and_is_not_clipped_unasked(some, sigma):
    x = some(200, 1, 20, 20)
    make = Gaussian((0.0, 1.0), sigma)
    noise = make(x, Draw(0))[0] - x
    assert abs(noise.mean()) < 0.01 * sigma
    assert abs(noise.std() / sigma - 1) < 0.01
    assert make.sigma == sigma


@pytest.mark.parametrize("span", [(0.0, 1.0), (-1.0, 1.0)])
def test_clipped_noise_is_the_same_noise_inside_the_range(some, span):
    x = some(50, 3, 9, 9)
    free, clipped = Gaussian(span, 0.5)(x, Draw(0))[0], Gaussian(span, 0.5, clip=True)(x, Draw(0))[0]
    assert torch.equal(clipped, free.clamp(*span))
    assert not torch.equal(clipped, free)


def test_a_range_of_strengths_is_drawn_evenly_one_for_each_image():
    make = Gaussian((0.0, 1.0), sigma=(0.2, 0.6))
    strengths = make(torch.zeros(2000, 1, 30, 30), Draw(0))[0].flatten(1).std(1)
    assert make.sigma is None
    assert 0.18 < strengths.min() < 0.21
    assert 0.59 < strengths.max() < 0.65
    quartiles = strengths.quantile(torch.tensor([0.25, 0.5, 0.75]))
    torch.testing.assert_close(quartiles, torch.tensor([0.3, 0.4, 0.5]), atol=0.015, rtol=0)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(("span", "lowest"), [((0.0, 1.0), 0), ((-1.0, 1.0), -1), (None, 0)])
def test_masking_hides_its_share_of_the_pixels_in_all_channels(some, rate, span, lowest):
    x = some(100, 3, 20, 20) + 2
    noisy, hidden = Masking(span, rate)(x, Draw(0))
    assert abs(hidden.float().mean() - rate) < 0.01
    assert torch.equal(noisy == lowest, hidden.expand_as(x))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("span", [(0.0, 1.0), (-1.0, 1.0)])
def test_salt_and_pepper_are_even_and_replace_their_share(some, rate, span):
    x = some(100, 3, 20, 20) + 2
    noisy, hidden = SaltAndPepper(span, rate)(x, Draw(0))
    black, white = ((noisy == value).all(1, keepdim=True) for value in span)
    assert torch.equal(black | white, hidden)
    assert abs(black.float().mean() - rate / 2) < 0.01
    assert abs(white.float().mean() - rate / 2) < 0.01


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("gaussian", {"sigma": 0}, "sigma: got 0, expected a number > 0, or"),
        ("gaussian", {"sigma": -1}, "sigma: got -1"),
        ("gaussian", {"sigma": float("nan")}, "sigma: got nan"),
        ("gaussian", {"sigma": [0.5, 0.2]}, "sigma: got"),
        ("gaussian", {"sigma": [0, 0]}, "sigma: got"),
        ("gaussian", {"sigma": [0.1, 0.2, 0.3]}, "sigma: got"),
        ("gaussian", {"sigma": []}, "sigma: got"),
        ("gaussian", {"sigma": "much"}, "wrong type"),
        ("masking", {"rate": 0}, "rate: got 0, expected a share"),
        ("masking", {"rate": 1}, "rate: got 1"),
        ("salt-and-pepper", {"rate": 1.5}, "rate: got 1.5"),
    ],
)
def test_wrong_strengths_are_refused(name, options, words):
    with pytest.raises(BuildError, match=words):
        choose("corruption", CORRUPTIONS, {"kind": name, **options}, range=(0.0, 1.0))
