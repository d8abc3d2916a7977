"""How strong the noise of a picture is, by the picture alone.

    var(y | x) = a x + b      a: gain, of photons; b: floor, of the electronics; x: brightness

The picture is cut into overlapping blocks of 8 x 8, which are transformed by the orthonormal DCT:
white noise of variance v has the variance v in each coefficient. Structure is mostly in the low
frequencies, i + j < 9. Blocks of about one brightness are taken together, and among them the 5 %
with the least energy in low frequencies, the flattest. As noise is independent from coefficient to
coefficient, this choice leaves that of the high frequencies as it is:

    v = median over i + j >= 9 of (mean over the flattest blocks of C_ij²)

Where texture is everywhere v is too high, never too low: the line is fitted to the lower envelope.
For each ratio t of a line s_t(x) = t x + (1 - t) x̄ its height is a power mean of v / s_t, whose
exponent -8 lets the low values count. If no line fits twice as well as the constant, that is kept:
plain noise, a = 0.

Values that were clipped have lost noise. Groups of blocks with more than 1 % of the picture's lowest
or highest value are left out, if others remain.

References: M. Colom, A. Buades, "Analysis and extension of the Ponomarenko et al. method, estimating
a noise curve from a single image", Image Processing On Line 3, 2013,
https://doi.org/10.5201/ipol.2013.45; A. Foi et al., "Practical Poissonian-Gaussian noise modeling
and fitting for single-image raw-data", IEEE TIP 17(10), 2008, https://doi.org/10.1109/TIP.2008.2001399.
"""

from dataclasses import dataclass
from math import ceil, pi, sqrt
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

SIDE = 8  # of a block
HIGH = 9  # i + j from which frequencies count as high
FLATTEST = 0.05  # of the blocks of one brightness
FEWEST = 8  # blocks in a mean
GROUPS = 8  # of brightness, at most
GROUP = 500  # blocks in a group, at least
MOST = 65_536  # blocks of a picture, evenly spaced
CLIPPED = 0.01  # of the values of a group, beyond which it is left out
LOWEST = -8  # exponent of the power mean
RATIOS = 11  # of gain and floor that are tried
CLEARLY = 0.5  # of the constant's misfit, that a line must reach
NOTHING = 1e-12  # variance; a tenth of the rounding of 16 bits


@dataclass(frozen=True)
class NoiseLine:
    """Noise of independent pixels on images `(N, C, H, W)`, with the variance gain · x + floor.

    gain, floor: `(N, C)`, variances on the scale of [0, 1], not negative. brightness: the mean of each
    channel `(N, C)`.
    """

    gain: Tensor
    floor: Tensor
    brightness: Tensor

    def variance(self, x: Tensor) -> Tensor:
        """The variance of the noise at each pixel of `x`, `(N, C, H, W)`; below black as at black."""
        return self.gain[..., None, None] * x.clamp(min=0) + self.floor[..., None, None]

    @property
    def sigma(self) -> Tensor:
        """The standard deviation `(N, C)` at the mean brightness."""
        return (self.gain * self.brightness.clamp(min=0) + self.floor).sqrt()

    def times(self, strength: float) -> "NoiseLine":
        """Noise whose standard deviation is `strength` times this one's."""
        factor = strength**2
        return NoiseLine(self.gain * factor, self.floor * factor, self.brightness)


def plain_noise(images: Tensor, sigma: float) -> NoiseLine:
    """Noise of one standard deviation everywhere, on images `(N, C, H, W)`."""
    brightness = images.mean((2, 3))
    zero = torch.zeros_like(brightness)
    return NoiseLine(zero, zero + sigma**2, brightness)


def estimate_noise(images: Tensor) -> NoiseLine:
    """The noise of each channel of images `(N, C, H, W)` on [0, 1], or beyond.

    Within about 5 % for Gaussian noise from σ = 5/255 to 75/255 on photographs. What is textured
    everywhere, or as fine as its pixels, counts as noise.
    """
    lines = [_line(_groups(channel)) for channel in images.flatten(0, 1)]
    gain, floor = torch.stack(lines).view(*images.shape[:2], 2).unbind(-1)
    return NoiseLine(gain, floor, images.mean((2, 3)))


def noise_correlation(images: Tensor) -> Tensor:
    """The correlation ρ of the noise of neighbours, `(N, C, 2)`: along rows, and along columns.

    images: pictures, or what a denoiser has removed, `(N, C, H, W)`. About 0 for independent pixels,
    positive for noise that was blurred, scaled up or compressed. By least squares on the flattest
    blocks' high frequencies, whose energy is to first order

        σ² (1 + 2 ρ_rows cos(π j / 8) + 2 ρ_columns cos(π i / 8))
    """
    energies = [_groups(channel).lowest() for channel in images.flatten(0, 1)]
    down, across = _high_frequencies().nonzero(as_tuple=True)
    waves = [
        torch.ones(len(down)),
        2 * torch.cos(pi * across / SIDE),
        2 * torch.cos(pi * down / SIDE),
    ]
    basis = torch.stack(waves, 1)
    fitted = torch.linalg.lstsq(basis, torch.stack(energies, 1)).solution
    correlation = fitted[1:] / fitted[:1].clamp(min=NOTHING)
    return correlation.mT.reshape(*images.shape[:2], 2)


class _Groups(NamedTuple):
    """Of the flattest blocks of each brightness: the mean brightness `(G,)`, the energies of their
    high frequencies `(G, F)`, and the share of values that may be clipped `(G,)`.
    """

    brightness: Tensor
    energies: Tensor
    clipped: Tensor

    def lowest(self) -> Tensor:
        """The energies `(F,)` of the groups with the least structure, in the mean."""
        variance = self.energies.median(1).values + NOTHING
        weights = (variance / variance.min()).pow(LOWEST)
        return weights @ self.energies / weights.sum()


def _groups(channel: Tensor) -> _Groups:
    """The groups of a channel `(H, W)`."""
    blocks = _blocks(channel)
    ends = (blocks == channel.min()) | (blocks == channel.max())
    clipped = ends.float().mean((1, 2))
    brightness = blocks.mean((1, 2))
    transform = _dct(blocks)
    spectrum = (transform @ blocks @ transform.mT).square_().flatten(1)
    is_high = _high_frequencies().flatten()
    low_energy = spectrum[:, ~is_high].sum(1) - spectrum[:, 0]
    count = min(GROUPS, max(1, len(blocks) // GROUP))
    groups = []
    for members in brightness.argsort().tensor_split(count):
        most = max(FEWEST, int(FLATTEST * len(members)))
        flattest = members[low_energy[members].argsort()[:most]]
        of_group = brightness[flattest], spectrum[flattest][:, is_high], clipped[flattest]
        groups.append([values.mean(0) for values in of_group])
    return _Groups(*map(torch.stack, zip(*groups)))


def _blocks(channel: Tensor) -> Tensor:
    """Blocks `(B, 8, 8)` of a channel `(H, W)`, which is continued by its edge if it is smaller."""
    height, width = channel.shape
    margins = (0, max(0, SIDE - width), 0, max(0, SIDE - height))
    channel = pad(channel[None], margins, mode="replicate")[0]
    step = max(2, ceil(sqrt(height * width / MOST)))
    return channel.unfold(0, SIDE, step).unfold(1, SIDE, step).reshape(-1, SIDE, SIDE)


def _dct(like: Tensor) -> Tensor:
    """The orthonormal DCT-II of 8 values, `(8, 8)`, frequencies down."""
    place = torch.arange(SIDE, dtype=like.dtype)
    waves = torch.cos(pi * (2 * place + 1) * place[:, None] / (2 * SIDE))
    waves[0] /= sqrt(2)
    return waves * sqrt(2 / SIDE)


def _high_frequencies() -> Tensor:
    """Which coefficients `(8, 8)` have a high frequency."""
    place = torch.arange(SIDE)
    return place[:, None] + place >= HIGH


def _line(groups: _Groups) -> Tensor:
    """Gain and floor `(2,)` of the lower envelope of the groups' variances."""
    usable = groups.clipped <= max(CLIPPED, float(groups.clipped.min()))
    x = groups.brightness[usable].clamp(min=0)
    v = groups.energies[usable].median(1).values + NOTHING
    middle = x.mean() + NOTHING
    t = torch.linspace(0, 1, RATIOS)[:, None]
    shapes = t * x / middle + 1 - t + NOTHING  # of each ratio: 1 at the middle
    ratios = v / shapes
    lowest = ratios.amin(1, keepdim=True)  # taken out: float32 has no powers of small values
    height = lowest * (ratios / lowest).pow(LOWEST).mean(1, keepdim=True).pow(1 / LOWEST)
    misfit = (ratios / height).log().abs().clamp(max=1).mean(1)
    best = int(misfit.argmin())
    if misfit[best] > CLEARLY * misfit[0]:
        best = 0
    gain, floor = height[best] * t[best] / middle, height[best] * (1 - t[best])
    return torch.cat([gain, floor])
