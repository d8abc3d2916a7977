"""What several parts are made of: activations, dropout with a generator of its own, chains of layers."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from narrows.distributed.collectives import all_reduce, all_reduce_with_gradient
from narrows.distributed.process_group import rank_and_size
from narrows.errors import unknown, wrong
from narrows.randomness import KeyedRandom


def identity(h: Tensor) -> Tensor:
    return h


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": identity,
    "relu": F.relu,
    "leaky-relu": F.leaky_relu,
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
    "softplus": F.softplus,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}


class Activation(nn.Module):
    """An element-wise non-linearity, by name."""

    def __init__(self, name: str):
        super().__init__()
        if name not in ACTIVATIONS:
            raise unknown("activation", name, ACTIVATIONS)
        self.name = name

    def forward(self, h: Tensor) -> Tensor:
        return ACTIVATIONS[self.name](h)

    def extra_repr(self) -> str:
        return self.name


class Dropout(nn.Module):
    """Inverted dropout: in training each value is 0 with probability `rate`, the others are divided
    by 1 - rate.

    torch's own takes its numbers from the global generator; this one takes them from the step's
    `KeyedRandom`, so that a resumed or distributed run drops the same values.
    """

    def __init__(self, rate: float):
        super().__init__()
        if not (0 <= rate < 1):
            raise wrong("dropout", rate, "a rate in [0, 1)")
        self.rate = rate

    def forward(self, h: Tensor, random: KeyedRandom | None) -> Tensor:
        if not self.training or random is None or self.rate == 0:
            return h
        kept = random.chance("dropout", h, 1 - self.rate)
        # with h's own order in memory
        return h * torch.empty_like(h).copy_(kept).mul_(1 / (1 - self.rate))

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


class Chain(nn.ModuleList):
    """Layers one after the other; those that need random numbers are given them."""

    def forward(self, h: Tensor, random: KeyedRandom | None = None) -> Tensor:
        for layer in self:
            h = layer(h, random) if isinstance(layer, Dropout) else layer(h)
        return h


class _GlobalBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation over the global batch: ŷ = (h - μ) / √(σ² + ε), y = γ ŷ + β, for each
    channel.

    μ and σ² are those of all images of all ranks, and gradients flow through them to all. Outside
    of training, where the running averages of μ and σ² serve, it is torch's own.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or rank_and_size()[1] == 1:
            return super().forward(input)
        h = input if input.dtype == torch.float64 else input.float()
        shape = (1, -1, *[1] * (h.dim() - 2))  # of a number for each channel
        axes = (0, *range(2, h.dim()))
        count = all_reduce(h.new_tensor(h.numel() // h.shape[1]))
        mean = all_reduce_with_gradient(h.sum(axes)) / count
        centred = h - mean.view(shape)
        variance = all_reduce_with_gradient(centred.square().sum(axes)) / count
        # without bias, as torch's own
        self._average(mean.detach(), variance.detach() * count / (count - 1))
        y = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y.to(input.dtype)

    def _average(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running averages towards the moments of a batch."""
        if (
            self.running_mean is None
            or self.running_var is None
            or self.num_batches_tracked is None
        ):
            return
        self.num_batches_tracked += 1
        share = self.momentum
        if share is None:
            share = 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


class BatchNorm1d(_GlobalBatchNorm, nn.BatchNorm1d):
    """Of features `(N, C)`."""


class BatchNorm2d(_GlobalBatchNorm, nn.BatchNorm2d):
    """Of feature maps `(N, C, H, W)`."""


# torch's layers, and those that take their place where there are several ranks
SYNCHRONISED_NORMS: dict[type, type] = {nn.BatchNorm1d: BatchNorm1d, nn.BatchNorm2d: BatchNorm2d}


def after_weights(
    channels: int, activation: str, batch_norm: bool, dropout: float, flat: bool
) -> list[nn.Module]:
    """What follows a layer's weights: batch normalisation, the activation, dropout."""
    layers: list[nn.Module] = []
    if batch_norm:
        layers.append(nn.BatchNorm1d(channels) if flat else nn.BatchNorm2d(channels))
    layers.append(Activation(activation))
    if dropout:
        layers.append(Dropout(dropout))
    return layers


class Unproject(Chain):
    """From a code that is a vector back to a feature map; nothing if the code is a feature map.

    make_layers: a linear layer and what follows it, for two widths.
    """

    def __init__(
        self,
        code: tuple[int, ...],
        features: tuple[int, ...],
        make_layers: Callable[[list[int]], list[nn.Module]],
    ):
        self.shape = features
        if code == features:
            super().__init__()
        else:
            super().__init__(make_layers([prod(code), prod(features)]))

    def forward(self, h: Tensor, random: KeyedRandom | None = None) -> Tensor:
        if not len(self):
            return h
        return super().forward(h.flatten(1), random).view(-1, *self.shape)


def one_each(what: str, values: Any, count: int) -> Sequence[Any]:
    """One value for each stage, from one for all or a list of them."""
    if not isinstance(values, Sequence):
        return [values] * count
    if len(values) != count:
        raise wrong(what, values, f"one number, or {count}")
    return values
