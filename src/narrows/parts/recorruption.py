"""Recorruption: a noisy image is made into two, whose noise is independent (R2R).

    y = x + ε,  ε ~ N(0, v)           the noise is known
    x̃ = y + α z,    target = y - z / α,    z ~ N(0, v)

The noise of x̃ is ε + α z, of variance (1 + α²) v, and that of the target ε - z / α. Their covariance
is v - v = 0; as they are Gaussian, they are independent. So for a network f

    E ‖f(x̃) - target‖² = E ‖f(x̃) - x‖² + E ‖ε - z / α‖²

and the last term does not depend on f: the best f is that of training with clean images, for noise
which is √(1 + α²) as strong. The noise has the line of a sensor's (`sensor`), v(x) = gain · x + σ²
with x on [0, 1]. If there is a gain, z has the variance gain · max(y, 0) + σ², and as v is a line and
E[y] = x, its mean is v(x): the covariance is 0 for this noise too, be it of photons or Gaussian. The
two are not independent then, but the law holds exactly for linear f, and up to what y < 0 cuts off.

Reference: T. Pang et al., "Recorrupted-to-recorrupted: unsupervised deep learning for image
denoising", CVPR 2021, https://doi.org/10.1109/CVPR46437.2021.00208.
"""

import torch
from torch import Tensor

from narrows.errors import wrong
from narrows.parts.corruption import Corrupted, Corruption
from narrows.parts.noise import Bounds, require_bounds
from narrows.parts.sensor import is_grey, opponent_deviation
from narrows.randomness import KeyedRandom


class Recorruption(Corruption):
    """More noise on noisy images, and as much taken from the target; that of the images is known.

    sigma: its standard deviation at black, in units of white, ≥ 0. gain: by which its variance grows
    from black to white, ≥ 0. alpha: how much is added, > 0; the input's noise is √(1 + alpha²) times
    as strong.
    """

    target = "noisy"
    white_noise = True
    makes_noise = False
    gives_noise = True

    def __init__(self, bounds: Bounds, sigma: float = 0.1, gain: float = 0.0, alpha: float = 0.5):
        self.black, self.white = require_bounds("recorruption", bounds)
        for what, number in (("sigma", sigma), ("gain", gain)):
            if not (number >= 0):
                raise wrong(what, number, "a number ≥ 0")
        if not (sigma + gain > 0):
            raise wrong("sigma", sigma, "a number > 0, or a gain > 0")
        if not (alpha > 0):
            raise wrong("alpha", alpha, "a number > 0")
        self.sigma, self.gain, self.alpha = sigma, gain, alpha

    def __call__(self, x: Tensor, random: KeyedRandom) -> Corrupted:
        span = self.white - self.black
        unit, grey = (x - self.black) / span, is_grey(x)
        numbers = random.normal("noise", x)
        numbers = torch.where(grey, numbers[:, :1], numbers)
        z = span * (self.gain * unit.clamp(min=0) + self.sigma**2).sqrt() * numbers
        known = span * (1 + self.alpha**2) ** 0.5 * self._deviation(unit, grey)
        return Corrupted(x + self.alpha * z, target=x - z / self.alpha, noise=known)

    def _deviation(self, unit: Tensor, grey: Tensor) -> Tensor:
        """That of the noise of images on [0, 1], in the channels of `to_opponent`."""
        gain, floor = (unit.new_tensor(number) for number in (self.gain, self.sigma**2))
        return opponent_deviation(unit, gain.view(1, 1, 1, 1), floor.view(1, 1, 1, 1), grey)
