"""Laws of recorruption: independent noise on input and target, and the minimiser of clean images."""

import pytest
import torch

from narrows.errors import BuildError
from narrows.measure.opponent import to_opponent
from narrows.parts.recorruption import Recorruption
from narrows.randomness import KeyedRandom

SIGMA = 0.2


def noise(like, seed=1):
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def x():
    """Clean images whose pixels go from 0.2 to 1."""
    values = torch.rand(200, 1, 40, 40, generator=torch.Generator().manual_seed(0))
    return 0.2 + 0.8 * values


def variance_of(x, sigma, gain):
    return sigma**2 + gain * x


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(("sigma", "gain"), [(SIGMA, 0.0), (0.0, 0.01), (0.05, 0.01)])
def test_the_noise_of_input_and_target_is_uncorrelated_and_as_strong_as_it_should_be(
    x, sigma, gain, alpha
):
    y = x + variance_of(x, sigma, gain).sqrt() * noise(x)
    made = Recorruption((0.0, 1.0), sigma, gain, alpha)(y, KeyedRandom(0))
    a, b = made.images - x, made.target - x
    v = variance_of(x, sigma, gain)
    assert ((a * b) / v).mean().abs() < 0.02
    assert (a.square() / v).mean() == pytest.approx(1 + alpha**2, rel=0.02)
    assert (b.square() / v).mean() == pytest.approx(1 + alpha**-2, rel=0.02)
    assert abs(a.mean()) < 0.01 * v.mean().sqrt()
    assert abs(b.mean()) < 0.01 * v.mean().sqrt() * max(1, 1 / alpha)


@pytest.mark.parametrize(("sigma", "gain"), [(SIGMA, 0.0), (0.05, 0.02)])
def test_the_best_linear_network_is_that_of_clean_images(x, sigma, gain):
    y = x + variance_of(x, sigma, gain).sqrt() * noise(x)
    made = Recorruption((0.0, 1.0), sigma, gain)(y, KeyedRandom(0))

    def best(target):
        """The best factor and offset of the input for that target."""
        basis = torch.stack([made.images.flatten(), torch.ones(x.numel())], 1).double()
        return torch.linalg.lstsq(basis, target.reshape(-1, 1).double()).solution

    torch.testing.assert_close(best(made.target), best(x), rtol=0, atol=5e-3)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_noise_that_it_reports_is_that_of_its_images(channels):
    x = torch.full((20, channels, 40, 40), 0.5)
    y = 2 * (x + SIGMA * noise(x)) - 1
    made = Recorruption((-1.0, 1.0), SIGMA)(y, KeyedRandom(0))
    found = to_opponent(made.images).std((0, 2, 3))
    torch.testing.assert_close(made.noise.mean((0, 2, 3)), found, rtol=0.03, atol=0)


def test_a_grey_picture_gets_grey_noise(x):
    y = (x + SIGMA * noise(x)).expand(-1, 3, -1, -1)
    made = Recorruption((0.0, 1.0), SIGMA)(y, KeyedRandom(0))
    for images in (made.images, made.target):
        assert torch.equal(images, images[:, :1].expand_as(images))
    assert not made.noise[:, 1:].any()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sigma": -1}, "sigma: got -1, expected a number ≥ 0"),
        ({"sigma": 0}, "sigma: got 0, expected a number > 0, or a gain > 0"),
        ({"gain": float("nan")}, "gain: got nan"),
        ({"alpha": 0}, "alpha: got 0, expected a number > 0"),
    ],
)
def test_wrong_strengths_are_refused(options, words):
    with pytest.raises(BuildError, match=words):
        Recorruption((0.0, 1.0), **options)
