"""The noise of a sensor: its variance is the line that is asked for, and what is said of it is true."""

import pytest
import torch

from narrows.errors import BuildError
from narrows.measure.opponent import from_opponent, opponent_variance, to_opponent
from narrows.parts.sensor import SensorNoise, is_grey
from narrows.randomness import KeyedRandom, keyed_generator

UNIT = (0.0, 1.0)


def flat(level, count=4, channels=3):
    """Images of one brightness; no two of their channels are equal."""
    offsets = torch.arange(channels).view(1, -1, 1, 1) * 1e-6
    return torch.full((count, channels, 64, 64), float(level)) + offsets


@pytest.mark.parametrize("bounds", [UNIT, (-1.0, 1.0)])
@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_photon_noise_has_a_variance_that_grows_with_brightness(bounds, level):
    noise = SensorNoise(bounds, sigma=0.1, shot=1.0, error=0.0)
    span = bounds[1] - bounds[0]
    x = bounds[0] + span * flat(level, count=40)
    images, _, _, known = noise(x, KeyedRandom(0))
    # shares are even in [0, 1]: on average half of the variance at middle grey is of photons
    true = ((images - x) / span).var((0, 2, 3)).mean()
    assert float(true) == pytest.approx(0.01 * (0.5 + level), rel=0.15)
    said = (known / span).square().mean((0, 2, 3))
    assert said.tolist() == pytest.approx([float(true)] * 3, rel=0.1)


def test_without_photons_it_is_white_and_of_the_strength_that_is_said():
    x = flat(0.4, count=8)
    images, hidden, target, known = SensorNoise(UNIT, sigma=(0.02, 0.2), error=0.0)(
        x, KeyedRandom(1)
    )
    deviation = (images - x).std((1, 2, 3))
    torch.testing.assert_close(known[:, 0, 0, 0], deviation, rtol=0.03, atol=0)
    assert (hidden, target) == (None, None)
    assert deviation.max() > 2 * deviation.min()


def test_a_grey_picture_stays_grey_and_its_noise_is_in_the_luminance_alone():
    x = torch.full((2, 3, 64, 64), 0.5)
    assert is_grey(x).all()
    images, _, _, known = SensorNoise(UNIT, sigma=0.1, error=0.0)(x, KeyedRandom(2))
    assert is_grey(images).all()
    noise = to_opponent(images - x)
    assert noise[:, 0].std() == pytest.approx(float(known[:, 0].mean()), rel=0.03)
    assert noise[:, 1:].abs().max() < 1e-6
    assert known[:, 1:].abs().max() == 0


def test_half_are_clipped_if_that_is_asked_and_what_is_known_has_an_error():
    x = flat(0.95, count=200)
    images, _, _, known = SensorNoise(UNIT, sigma=0.1, clipped=0.5, error=0.2)(x, KeyedRandom(3))
    clipped = images.amax((1, 2, 3)) <= 1
    assert 70 < int(clipped.sum()) < 130
    assert float((known[:, 0, 0, 0] / 0.1).log().std()) == pytest.approx(0.2, rel=0.2)


@pytest.mark.parametrize("option", [{"shot": 2}, {"clipped": -1}, {"error": -1}, {"sigma": 0}])
def test_options_out_of_range_are_refused(option):
    with pytest.raises(BuildError):
        SensorNoise(UNIT, **option)


def test_opponent_colours_are_a_rotation():
    x = torch.rand(2, 3, 5, 7, generator=keyed_generator("x"))
    torch.testing.assert_close(from_opponent(to_opponent(x)), x)
    torch.testing.assert_close(to_opponent(x).norm(dim=1), x.norm(dim=1))
    torch.testing.assert_close(opponent_variance(torch.ones_like(x)), torch.ones_like(x))
    grey = torch.rand(1, 1, 4, 4)
    assert to_opponent(grey) is grey
