"""A code of integers, at the price of the bits that it takes.

Features h become a = W h + b, and the code is a rounded to integers. Rounding has no gradient, so in training
uniform noise takes its place, which makes the same error on average:

    training   z = a + u,  u ~ U(-1/2, 1/2)        otherwise   z = round(a)

Each unit learns a density f of a, a mixture of logistics with the distribution function F, and with it the
probability of each integer:

    p(z) = F(z + 1/2) - F(z - 1/2),    F(t) = sum_k pi_k sigmoid((t - mu_k) / s_k)

The loss is error + weight * bits,  bits = -sum_j log2 p_j(z_j): a weight is what one more bit an image must
save of the squared error of an image. An entropy coder with the frequencies of the integers takes about
these bits (`narrows.codec.codes`).

Reference: J. Ballé, V. Laparra, E. Simoncelli, "End-to-end optimized image compression", ICLR 2017,
https://arxiv.org/abs/1611.01704.
"""

from math import prod

import torch
from torch import Tensor, nn

from narrows.errors import wrong
from narrows.parts.bottleneck import Bottleneck, epochs_of
from narrows.parts.code import Code
from narrows.parts.prior import Prior
from narrows.parts.term import Term
from narrows.randomness import KeyedRandom

LOGISTICS = 3  # of the density of a unit
GAIN = 8.0  # of the first weights: features of size one must span several integers, or noise drowns them
LEAST = 1e-9  # probability, so that its logarithm is finite


class Rounded(Bottleneck):
    """z = round(a) at a cost of weight * bits, per image.

    weight: >= 0, squared error an image for one bit. warmup: epochs over which it grows to its value, >= 0.
    """

    def __init__(
        self,
        features: tuple[int, ...],
        size: int | None = 32,
        weight: float = 0.05,
        warmup: float = 0,
    ):
        super().__init__(features, size)
        if not (weight >= 0):
            raise wrong("weight", weight, "a number ≥ 0")
        self.weight, self.warmup = weight, epochs_of(warmup)
        units = prod(self.shape)
        with torch.no_grad():
            for layer in self.linears:
                layer.weight.mul_(GAIN)
        start = torch.linspace(-1, 1, LOGISTICS).repeat(units, 1)
        self.shares = nn.Parameter(torch.zeros(units, LOGISTICS))  # log pi, but for a constant
        self.means = nn.Parameter(start)
        self.log_scales = nn.Parameter(torch.zeros(units, LOGISTICS))

    def forward(self, h: Tensor, prior: Prior, random: KeyedRandom | None = None) -> Code:
        a = self.linear(h).flatten(1)
        symbols = a.round()
        z = symbols
        if random is not None and self.training:
            z = a + random.uniform("code", a) - 0.5
        cost = self.warm(self.weight, self.warmup, random) * self.bits(z)
        return Code(z.view(-1, *self.shape), {"rate": cost}, symbols=symbols.view(-1, *self.shape))

    def bits(self, z: Tensor) -> Tensor:
        """-log2 p(z) of each image, `(N,)`, of codes `(N, size)`."""
        above, below = self._distribution(z + 0.5), self._distribution(z - 0.5)
        return -(above - below).clamp(min=LEAST).log2().sum(1)

    def _distribution(self, t: Tensor) -> Tensor:
        """F of each unit at `(N, size)`."""
        inner = (t[..., None] - self.means) * (-self.log_scales).exp()
        return (self.shares.softmax(1) * inner.sigmoid()).sum(2)

    @property
    def terms(self) -> tuple[Term, ...]:
        return (Term("rate", "rate", "", f"{self.weight:g} · bits of the code of an image"),)

    @property
    def cure(self) -> str:
        if not self.weight:
            return super().cure
        return "lower its weight: they are not worth their bits"
