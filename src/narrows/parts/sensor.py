"""The noise of a camera's sensor: photons are counted, and the electronics add to the count.

    x̃ = x + √v(x) ε,    v(x) = a x + b,    ε ~ N(0, 1)

with x on [0, 1]: a is the gain of the photons' noise, b the variance in the dark. For each image a
strength σ is drawn, and the share s of its variance at middle grey that is the photons':

    a = s σ² / ½,    b = (1 - s) σ²

s = 0 is white Gaussian noise. An image of three equal channels is a grey picture: they get the same
noise. With the noisy image comes what is known of its noise, as of a picture of which only a and b
are known: its standard deviation √v at the brightness of the surroundings in x̃, times an error of
estimation. A network that learns with this error relies on what it sees as well.

Reference: A. Foi et al., "Practical Poissonian-Gaussian noise modeling and fitting for single-image
raw-data", IEEE TIP 2008, https://doi.org/10.1109/TIP.2008.2001399.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from narrows.errors import wrong
from narrows.measure.opponent import COLOURS, opponent_variance
from narrows.parts.corruption import Corrupted, Corruption
from narrows.parts.noise import Bounds, Strength, require_bounds
from narrows.randomness import KeyedRandom

MIDDLE = 0.5  # grey
SURROUNDINGS = 7  # rows and columns of pixels, over which brightness is averaged


class SensorNoise(Corruption):
    """The noise of a camera, of a strength that is known about.

    sigma: standard deviation at middle grey, in units of white; or a pair (low, high), drawn evenly for
    each image. shot: chance that an image has photon noise, whose share of the variance is then drawn
    evenly. clipped: chance that a noisy image is cut off at black and white. error: standard deviation
    of the logarithm of what is known of the strength.
    """

    gives_noise = True

    def __init__(
        self,
        bounds: Bounds,
        sigma: float | tuple[float, float] = (0.0, 0.3),
        shot: float = 0.0,
        clipped: float = 0.0,
        error: float = 0.05,
    ):
        self.strength = Strength("sigma", sigma, "a number > 0")
        self.bounds = require_bounds("sensor", bounds)
        for what, chance in (("shot", shot), ("clipped", clipped)):
            if not (0 <= chance <= 1):
                raise wrong(what, chance, "a chance in [0, 1]")
        if not (error >= 0):
            raise wrong("error", error, "a number ≥ 0")
        self.shot, self.clipped, self.error = shot, clipped, error

    def __call__(self, x: Tensor, random: KeyedRandom) -> Corrupted:
        black, white = self.bounds
        unit, grey = (x - black) / (white - black), is_grey(x)
        gain, floor = self._line(x, random)
        noise = random.normal("noise", x)
        noise = torch.where(grey, noise[:, :1], noise)
        noisy = unit + (gain * unit + floor).sqrt() * noise
        one = x[:, :1, :1, :1]
        is_cut = random.uniform("clipped", one) < self.clipped
        noisy = torch.where(is_cut, noisy.clamp(0, 1), noisy)
        error = (random.normal("error", one) * self.error).exp()
        known = error * opponent_deviation(noisy, gain, floor, grey)
        return Corrupted(noisy * (white - black) + black, noise=known * (white - black))

    def _line(self, x: Tensor, random: KeyedRandom) -> tuple[Tensor, Tensor]:
        """a and b of each image, `(N, 1, 1, 1)`."""
        one = x[:, :1, :1, :1]
        variance = torch.as_tensor(self.strength(x, random), device=x.device).square()
        has_shot = random.uniform("shot", one) < self.shot
        share = torch.where(has_shot, random.uniform("share", one), 0.0)
        return share * variance / MIDDLE, (1 - share) * variance


def is_grey(x: Tensor) -> Tensor:
    """Which images `(N, C, H, W)` have three equal channels, `(N, 1, 1, 1)`."""
    if x.shape[1] != COLOURS:
        return torch.zeros_like(x[:, :1, :1, :1], dtype=torch.bool)
    return (x == x[:, :1]).flatten(1).all(1).view(-1, 1, 1, 1)


def opponent_deviation(noisy: Tensor, gain: Tensor, floor: Tensor, grey: Tensor) -> Tensor:
    """The standard deviation of the noise in each channel of `to_opponent(noisy)`, of its shape.

    gain, floor: a and b of v = a x + b, `(N, C or 1, 1, 1)`, on [0, 1]. grey: the images whose channels
    have the same noise, `(N, 1, 1, 1)`.
    """
    margin = SURROUNDINGS // 2
    padded = F.pad(noisy.clamp(0, 1), (margin,) * 4, mode="replicate")
    variance = gain * F.avg_pool2d(padded, SURROUNDINGS, stride=1) + floor
    deviation = opponent_variance(variance).sqrt()
    if noisy.shape[1] != COLOURS:
        return deviation
    in_luminance = torch.tensor([1.0, 0.0, 0.0], device=noisy.device).view(1, -1, 1, 1)
    of_grey = (COLOURS * variance[:, :1]).sqrt() * in_luminance
    return torch.where(grey, of_grey, deviation)
