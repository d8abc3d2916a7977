"""Corruption: what is done to an image before the network sees it, x̃ ~ C(x̃ | x).

    none              x̃ = x
    gaussian          x̃ = x + σ ε, ε ~ N(0, 1); with clip, kept inside the working range
    masking           x̃ = x where m = 0, the lowest value where m = 1; m ~ Bernoulli(rate) for each pixel
    salt-and-pepper   a pixel is lost with probability `rate`; a lost one is black or white, evenly
    poisson           photons are counted: x̃ = n / peak, n ~ Poisson(peak · x), for x on [0, 1]
    jpeg              x̃ = x written as JPEG at a quality, and read back
    pairs             x̃ comes with x: the same image with noise of the user's own
                      (`narrows.model.training.pairs`)
    two-shots         the same, but x is noisy, too: another shot of the same scene (noise to noise)

`sensor` has the noise of a camera, and `corruptions` the table of all, with mixtures of them.
`recorruption` and `blind_spot` learn from noisy images alone, as does the objective `neighbours`.

A network trained to give x back from x̃ estimates the posterior mean E[x | x̃]; for unclipped
Gaussian noise this is x̃ + σ² ∇ log p(x̃) (Tweedie's formula), see `Autoencoder.score_field`.

Strengths are on the working scale; each is a number, or a range of which every image draws its own.
Reference: P. Vincent et al., "Extracting and composing robust features with denoising
autoencoders", ICML 2008, https://doi.org/10.1145/1390156.1390294.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from narrows.errors import wrong
from narrows.parts.noise import Bounds, Strength, image_generators, require_bounds, through_jpeg
from narrows.randomness import KeyedRandom


class Corrupted(NamedTuple):
    """What a corruption puts out.

    images: x̃, `(N, C, H, W)`. hidden: `(N, 1, H, W)`, True where a pixel was replaced; None if every
    pixel may have changed. target: what the network is to give, of the shape of x̃; None for the
    images x. noise: its standard deviation, for bodies that take it, in the channels of
    `to_opponent(x̃)`, `(N, C, H or 1, W or 1)`; None if it is not known.
    """

    images: Tensor
    hidden: Tensor | None = None
    target: Tensor | None = None
    noise: Tensor | None = None

    @classmethod
    def of(cls, made: "tuple[Tensor, Tensor | None] | Corrupted") -> "Corrupted":
        """What a corruption has put out, with all fields."""
        return made if isinstance(made, Corrupted) else cls(*made)


class Corruption:
    """The contract: images `(N, C, H, W)` and random numbers in, x̃ and its mask out, or all of
    `Corrupted`.

    target: what the network learns to give, "clean" images, or "noisy" ones if the images of the
    training are noisy themselves. white_noise: such noise must be independent from pixel to pixel.
    only_hidden: the loss counts the replaced pixels alone. paired: it makes no noise, but takes
    `random.noisy`. gives_noise: it says how strong the noise of x̃ is. makes_noise: of clean images, so
    that a model can be measured on these.
    """

    target = "clean"
    white_noise = False
    only_hidden = False
    paired = False
    gives_noise = False
    makes_noise = True

    def __call__(self, x: Tensor, random: KeyedRandom) -> tuple[Tensor, Tensor | None] | Corrupted:
        raise NotImplementedError


class NoCorruption(Corruption):
    """No corruption: x̃ = x."""

    makes_noise = False

    def __call__(self, x: Tensor, random: KeyedRandom) -> tuple[Tensor, Tensor | None]:
        return x, None


class GaussianNoise(Corruption):
    """Additive Gaussian noise.

    sigma: standard deviation on the working scale, > 0; or a pair (low, high), drawn evenly for
    each image. clip: keep the noisy image inside the working range (not for tables, which have
    none).
    """

    def __init__(
        self, bounds: Bounds, sigma: float | tuple[float, float] = 0.3, clip: bool = False
    ):
        self.strength = Strength("sigma", sigma, "a number > 0")
        if clip and bounds is None:
            raise wrong("clip", clip, "False on a scale that has no range")
        self.bounds = bounds if clip else None

    @property
    def sigma(self) -> float | None:
        """The strength of all images; None if it is drawn for each image."""
        return self.strength.single

    def __call__(self, x: Tensor, random: KeyedRandom) -> tuple[Tensor, Tensor | None]:
        noise, sigma = random.normal("noise", x), self.strength(x, random)
        if isinstance(sigma, Tensor):
            noise, sigma = noise * sigma, 1.0
        noisy = torch.add(x, noise, alpha=sigma)  # in one pass over the images
        if self.bounds:
            noisy.clamp_(*self.bounds)
        return noisy, None


class Masking(Corruption):
    """Pixels hidden at random, in all channels together.

    rate: share of the pixels hidden, in (0, 1); or a pair (low, high), drawn evenly for each image.
    only_hidden: the loss counts these pixels alone.
    """

    def __init__(
        self, bounds: Bounds, rate: float | tuple[float, float] = 0.5, only_hidden: bool = False
    ):
        self.rate = Strength("rate", rate, "a share in (0, 1)", below=1)
        self.only_hidden = only_hidden
        self.value = bounds[0] if bounds else 0.0

    def __call__(self, x: Tensor, random: KeyedRandom) -> tuple[Tensor, Tensor | None]:
        hidden = random.uniform("mask", x[:, :1]) < self.rate(x, random)
        return x.masked_fill(hidden, self.value), hidden


class SaltAndPepper(Corruption):
    """Pixels replaced by black or white, in all channels together.

    rate: share of the pixels replaced, in (0, 1); or a pair (low, high), drawn evenly for each
    image. only_hidden: the loss counts these pixels alone.
    """

    def __init__(
        self, bounds: Bounds, rate: float | tuple[float, float] = 0.1, only_hidden: bool = False
    ):
        self.rate = Strength("rate", rate, "a share in (0, 1)", below=1)
        self.only_hidden = only_hidden
        self.black, self.white = require_bounds("salt-and-pepper", bounds)

    def __call__(self, x: Tensor, random: KeyedRandom) -> tuple[Tensor, Tensor | None]:
        chance, rate = random.uniform("mask", x[:, :1]), self.rate(x, random)
        hidden = chance < rate
        noisy = x.masked_fill(hidden, self.white)
        return noisy.masked_fill_(chance < rate / 2, self.black), hidden


class PoissonNoise(Corruption):
    """Photon noise: what is dark is counted worst. The deviation of a pixel x on [0, 1] is √(x /
    peak).

    peak: photons of a white pixel, > 0; or a pair (low, high), drawn evenly for each image.
    clip: keep the noisy image inside the working range.
    """

    def __init__(
        self, bounds: Bounds, peak: float | tuple[float, float] = 30.0, clip: bool = False
    ):
        self.peak = Strength("peak", peak, "a number > 0")
        self.clip = clip
        if not (self.peak.low > 0):
            raise wrong("peak", peak, "a number > 0, or (low, high), both > 0")
        self.bounds = require_bounds("poisson", bounds)

    def __call__(self, x: Tensor, random: KeyedRandom) -> tuple[Tensor, Tensor | None]:
        (black, white), peak = self.bounds, self.peak(x, random)
        rates = (peak * (x - black) / (white - black)).clamp_(min=0).contiguous()
        counts = torch.stack([*map(torch.poisson, rates, image_generators("photons", x, random))])
        noisy = black + (white - black) * counts / peak
        if self.clip:
            noisy.clamp_(*self.bounds)
        return noisy, None


class JpegArtefacts(Corruption):
    """JPEG artefacts: an image written at a quality, and read back. Of 2 or 4 channels the last,
    alpha, is kept.

    quality: an integer in 1..95; or a pair (low, high), drawn evenly for each image.
    """

    def __init__(self, bounds: Bounds, quality: int | tuple[int, int] = (10, 60)):
        self.quality = Strength("quality", quality, "an integer in 1..95", below=96)
        ends = (self.quality.low, self.quality.high)
        if not all(isinstance(end, int) and end >= 1 for end in ends):
            raise wrong("quality", quality, "integers in 1..95")
        self.bounds = require_bounds("jpeg", bounds)

    def __call__(self, x: Tensor, random: KeyedRandom) -> tuple[Tensor, Tensor | None]:
        black, white = self.bounds
        colours = 3 if x.shape[1] >= 3 else 1
        unit = (x[:, :colours] - black).div_(white - black).clamp_(0, 1)
        raw = (unit * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        decoded = np.stack([*map(through_jpeg, raw, self._qualities(x, random))])
        noisy = torch.from_numpy(decoded).permute(0, 3, 1, 2).to(x) / 255 * (white - black) + black
        return torch.cat([noisy, x[:, colours:]], dim=1), None

    def _qualities(self, x: Tensor, random: KeyedRandom) -> list[int]:
        """The quality of each image."""
        qualities = torch.as_tensor(self.quality(x, random)).round().int().flatten()
        return qualities.expand(len(x)).tolist()


class NoisyPairs(Corruption):
    """The user's own noise: noisy images that come with the clean ones, `fit(X, noisy=Y)`."""

    paired = True
    makes_noise = False

    def __call__(self, x: Tensor, random: KeyedRandom) -> tuple[Tensor, Tensor | None]:
        if random.noisy is None:
            raise wrong("pairs", "clean images alone", "noisy ones with them", "give noisy=Y")
        return random.noisy, None


class TwoShots(NoisyPairs):
    """Two noisy images of one scene, of which one is predicted from the other: `fit(X, noisy=Y)`."""

    target = "noisy"
