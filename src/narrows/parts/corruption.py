"""Corruption: what is done to an image before the network sees it, x̃ ~ C(x̃ | x).

    none              x̃ = x
    gaussian          x̃ = x + σ ε, ε ~ N(0, 1); with clip, kept inside the working range
    masking           x̃ = x where m = 0, the lowest value where m = 1; m ~ Bernoulli(rate) for each pixel
    salt-and-pepper   a pixel is lost with probability `rate`; a lost one is black or white, evenly

A network trained to give x back from x̃ estimates the posterior mean E[x | x̃]; for unclipped Gaussian noise this is
x̃ + σ² ∇ log p(x̃) (Tweedie's formula), see `Autoencoder.score_field`.

Strengths are on the working scale. Reference: P. Vincent et al., "Extracting and composing robust features with
denoising autoencoders", ICML 2008, https://doi.org/10.1145/1390156.1390294.
"""

import torch
from torch import Tensor

from narrows.errors import expect
from narrows.machine import Draw

Range = tuple[float, float] | None


class Corruption:
    """The contract: images `(N, C, H, W)` and random numbers in, corrupted images and a mask out.

    The mask `(N, 1, H, W)` is True where a pixel was replaced; None where every pixel may have changed.
    only_hidden: the loss counts the replaced pixels alone.
    """

    only_hidden = False

    def __call__(self, x: Tensor, draw: Draw) -> tuple[Tensor, Tensor | None]:
        raise NotImplementedError


class Clean(Corruption):
    """No corruption: x̃ = x."""

    def __call__(self, x: Tensor, draw: Draw) -> tuple[Tensor, Tensor | None]:
        return x, None


class Gaussian(Corruption):
    """Additive Gaussian noise.

    sigma: standard deviation on the working scale, > 0; or a pair (low, high), drawn evenly for each image.
    clip: keep the noisy image inside the working range (not for tables, which have none).
    """

    def __init__(self, range: Range, sigma: float | tuple[float, float] = 0.3, clip: bool = False):
        pair = sigma if isinstance(sigma, (list, tuple)) else (sigma, sigma)
        fine = len(pair) == 2 and 0 <= pair[0] <= pair[1] and pair[1] > 0
        expect(fine, "sigma", sigma, "a number > 0, or (low, high)")
        self.low, self.high = pair
        expect(not clip or range is not None, "clip", clip, "False on a scale that has no range")
        self.range = range if clip else None

    @property
    def sigma(self) -> float | None:
        """The one strength; None where it is drawn for each image."""
        return self.low if self.low == self.high else None

    def __call__(self, x: Tensor, draw: Draw) -> tuple[Tensor, Tensor | None]:
        noise = draw.normal("noise", x)
        if self.low == self.high:
            noisy = torch.add(x, noise, alpha=self.low)
        else:
            strength = draw.uniform("strength", x[:, :1, :1, :1])
            noisy = x + noise * (self.low + (self.high - self.low) * strength)
        return (noisy if self.range is None else noisy.clamp_(*self.range)), None


class Masking(Corruption):
    """Pixels hidden at random, in all channels together.

    rate: share of the pixels hidden, in (0, 1). only_hidden: the loss counts these pixels alone.
    """

    def __init__(self, range: Range, rate: float = 0.5, only_hidden: bool = False):
        expect(0 < rate < 1, "rate", rate, "a share in (0, 1)")
        self.rate, self.only_hidden = rate, only_hidden
        self.value = range[0] if range else 0.0

    def __call__(self, x: Tensor, draw: Draw) -> tuple[Tensor, Tensor | None]:
        hidden = draw.uniform("mask", x[:, :1]) < self.rate
        return x.masked_fill(hidden, self.value), hidden


class SaltAndPepper(Corruption):
    """Pixels replaced by black or white, in all channels together.

    rate: share of the pixels replaced, in (0, 1). only_hidden: the loss counts these pixels alone.
    """

    def __init__(self, range: Range, rate: float = 0.1, only_hidden: bool = False):
        expect(0 < rate < 1, "rate", rate, "a share in (0, 1)")
        expect(range is not None, "salt-and-pepper", "a scale without a range", "scale 'unit' or 'symmetric'")
        self.rate, self.only_hidden = rate, only_hidden
        self.black, self.white = range or (0.0, 1.0)

    def __call__(self, x: Tensor, draw: Draw) -> tuple[Tensor, Tensor | None]:
        chance = draw.uniform("mask", x[:, :1])
        hidden = chance < self.rate
        noisy = x.masked_fill(hidden, self.white)
        return noisy.masked_fill_(chance < self.rate / 2, self.black), hidden


CORRUPTIONS = {"none": Clean, "gaussian": Gaussian, "masking": Masking, "salt-and-pepper": SaltAndPepper}
