"""Rounding with a gradient: what a network in integers computes, and can be trained through.

    rounded(t, u) = u round(t / u),   floored(t, u) = u floor(t / u),   the gradient is that of t

Units u are powers of two, so that floats on such a grid are integers times u, and their sums and products are
exact as those of the integers are (`narrows.codec.integers`).

Reference: Y. Bengio, N. Leonard, A. Courville, "Estimating or propagating gradients through stochastic
neurons for conditional computation", 2013, https://arxiv.org/abs/1308.3432 (the straight-through estimator).
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor


class _To(torch.autograd.Function):
    """A multiple of a unit, chosen by a function of t / unit."""

    @staticmethod
    def forward(ctx: Any, t: Tensor, unit: float, choose: Callable[[Tensor], Tensor]) -> Tensor:
        return choose(t / unit) * unit

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gradients[0], None, None


def rounded(t: Tensor, unit: float) -> Tensor:
    """The nearest multiple of `unit`."""
    return cast(Tensor, _To.apply(t, unit, torch.round))


def floored(t: Tensor, unit: float) -> Tensor:
    """The multiple of `unit` below."""
    return cast(Tensor, _To.apply(t, unit, torch.floor))


def unit_of(weights: Tensor, most: int, share: float = 0.999) -> float:
    """The power of two by which that share of the weights is at most `most` units."""
    size = float(torch.quantile(weights.detach().abs().flatten(), share))
    return 2.0 ** int(torch.tensor(max(size, 2.0**-12) / most).log2().ceil())


def weights_in_units(weights: Tensor, unit: float, most: int) -> Tensor:
    """Rounded to at most `most` units."""
    return rounded(weights.clamp(-most * unit, most * unit), unit)
