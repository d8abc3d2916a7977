"""A network in floats that becomes one in integers (`narrows.codec.integers`).

It computes in units of powers of two: some number in 1 of the inputs, 128 of activations h = a / 128, 256 of
logits in nats, and

    hidden(z) = clip(floor(z, 1/128), 0, 1023/128)

where floor(t, unit) is the multiple of the unit below t. At first nothing is rounded, and floor(t, unit) is
its mean, t - unit / 2. From `round_weights` on the weights of a layer are multiples of a power of two, its
unit, and biases are multiples of a unit of all, with the gradient of what is rounded (`rounding`). As all
of these are integers times powers of two, the floats are then exactly those of the network in integers,
whose weights and shifts `integers` gives:

    W = weights / unit,   shift = log2 (units of W x in 1 / units of its result in 1)
"""

from collections.abc import Mapping
from math import log2
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from narrows.codec.integers import HIGHEST
from narrows.codec.training.rounding import floored, rounded, unit_of, weights_in_units

ACTIVATION = 128  # units in 1
MOST = HIGHEST / ACTIVATION


class IntegerNetwork(nn.Module):
    """Weights by their names in the model file.

    LAYERS: the units in 1 of the inputs and of the result of each layer. BIASES: the layers to which
    biases are added. most_units: of a weight, at most 127. bias_units: units in 1 of biases. Fewer of
    either make a smaller model file.
    """

    LAYERS: ClassVar[Mapping[str, tuple[int, int]]]
    BIASES: ClassVar[Mapping[str, str]]
    most_units = 127
    bias_units = 64

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.ParameterDict()
        self.units: dict[str, float] = {}

    def round_weights(self) -> None:
        """From now on compute what the network in integers does."""
        self.units = {name: unit_of(self.exact(name), self.most_units) for name in self.LAYERS}

    def matrices(self) -> list[nn.Parameter]:
        """The weights of layers that are products of matrices: W1, W2, ..."""
        return [self.weights[name] for name in self.LAYERS if name.startswith("W")]

    def exact(self, name: str) -> Tensor:
        """Weights before they are rounded."""
        return self.weights[name]

    def get(self, name: str) -> Tensor:
        """Weights, as they are used."""
        weights = self.exact(name)
        if not self.units:
            return weights
        if name in self.BIASES:
            return rounded(weights, 1 / self.bias_units)
        return weights_in_units(weights, self.units[name], self.most_units)

    def floor(self, t: Tensor, units: int) -> Tensor:
        """floor(t, 1 / units); before weights are rounded t less the mean of what that takes away."""
        return floored(t, 1 / units) if self.units else t - 0.5 / units

    def hidden(self, z: Tensor) -> Tensor:
        """Activations."""
        return self.floor(z, ACTIVATION).clamp(0, MOST)

    @torch.no_grad()
    def integers(self) -> tuple[dict[str, np.ndarray], list[int]]:
        """The tensors of a model file, and the shifts of its layers. After `round_weights`."""
        tensors, shifts = {}, []
        for name, (units, result) in self.LAYERS.items():
            tensors[name] = _integers(self.get(name) / self.units[name])
            shifts.append(round(log2(units / self.units[name] / result)))
        for name, layer in self.BIASES.items():
            units = self.LAYERS[layer][0] / self.units[layer]
            tensors[name] = _integers(self.get(name) * units)
        return tensors, shifts


def uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Weights in +-1/sqrt(inputs); inputs are the last dimension."""
    return torch.empty(shape).uniform_(-1, 1, generator=generator) / shape[-1] ** 0.5


def _integers(t: Tensor) -> np.ndarray:
    return t.double().round().to(torch.int64).numpy()
