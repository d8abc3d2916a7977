"""The networks of the mixture model (`narrows.codec.mixture`) while they are trained.

They compute in floats what the networks in integers will (`integer_network`), of inputs x / 8:

    h1 = hidden(W1 x / 8 + b1),   h2 = hidden(W2 h1 + b2),   z, m, l = floor(W3 h2 + b3, 1/256)

the logits of the components in nats, their centres p + base + 4 m 2^u and log-scales l - log 32. Inputs
that a plane does not know have the weight 0. The cost of a value is that of its mixture, with the least
probability 2^-24 that integers give it.

Inputs are much alike: all neighbours of an edge are far from the guess together, and steps down the gradient
change little else. So what is trained is U of W1 = U T, as if the inputs were T x, nearly uncorrelated:

    T = (C + c/1000)^(-1/2) / median,   C = mean x x'

with c the largest eigenvalue of C, and the median of the eigenvalues of what is divided.

Reference: Y. LeCun, L. Bottou, G. Orr, K.-R. Mueller, "Efficient BackProp", 1998,
http://yann.lecun.com/exdb/publis/pdf/lecun-98b.pdf (inputs should be uncorrelated).
"""

from collections.abc import Mapping
from math import log
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.codec.integers import LOGIT
from narrows.codec.logistics import ALL, FRACTION, SCALES, SMALLEST
from narrows.codec.mixture import guesses, planes_of, units
from narrows.codec.training.integer_network import ACTIVATION, IntegerNetwork, uniform
from narrows.codec.training.samples import Batch
from narrows.codec.wavefront import neighbour_count

INPUT = 8  # units in 1
REGULARISATION = 1e-3  # of the largest eigenvalue
LEVELS = LOGIT / FRACTION  # levels, times 2^u, of m = 1
FIRST_CENTRES, FIRST_SCALES = (-0.2, 0.2), (1.0, 8.0)  # in m, and in levels times 2^u


class MixtureNetwork(IntegerNetwork):
    """Networks to be trained.

    options: of the model file, but for `shifts`, as `Mixture` takes them. widths: A, B. components: M.
    whitening: T.
    """

    learning_rate = 1e-2
    LAYERS = {
        "W1": (INPUT, ACTIVATION),
        "W2": (ACTIVATION, ACTIVATION),
        "W3": (ACTIVATION, LOGIT),
    }
    BIASES = {"b1": "W1", "b2": "W2", "b3": "W3"}

    def __init__(
        self,
        options: Mapping[str, Any],
        widths: tuple[int, int],
        components: int,
        whitening: Tensor,
        generator: torch.Generator,
    ):
        super().__init__()
        self.whitening = whitening
        self.values, self.unit = int(options["values"]), int(options["unit"])
        planes = int(options["channels"])
        near = neighbour_count(options["radius"]) * planes
        inputs = torch.arange(near + planes - 1)
        known = inputs < near + torch.arange(planes)[:, None]
        self.known = known[:, None].float()  # (planes, 1, inputs)
        sizes = len(inputs), *widths, 3 * components
        for layer, columns, rows in zip(self.LAYERS, sizes, sizes[1:]):
            self.weights[layer] = uniform((planes, rows, columns), generator)
        for bias, rows in zip(self.BIASES, sizes[1:]):
            self.weights[bias] = torch.zeros(planes, rows)
        self.weights["b3"].data += self._first(components)

    def _first(self, components: int) -> Tensor:
        """What comes out before there is anything to see, `(3 M,)`."""
        low, high = (log(SMALLEST * scale) + log(2) * self.unit for scale in FIRST_SCALES)
        centres = torch.linspace(*FIRST_CENTRES, components)
        return torch.cat([0 * centres, centres, torch.linspace(low, high, components)])

    def exact(self, name: str) -> Tensor:
        weights = super().exact(name)
        return weights @ self.whitening * self.known if name == "W1" else weights

    def outputs(self, x: Tensor) -> Tensor:
        """z, m, l of inputs `(n, K C + C - 1)`, `(C, n, 3 M)`."""
        h = self.hidden(self._affine("1", x / INPUT))
        return self.floor(self._affine("3", self.hidden(self._affine("2", h))), LOGIT)

    def _affine(self, layer: str, h: Tensor) -> Tensor:
        """`(C, n, rows)`."""
        return h @ self.get(f"W{layer}").mT + self.get(f"b{layer}")[:, None]

    def nats(self, x: Tensor, level: Tensor, value: Tensor) -> Tensor:
        """-log p of each pixel.

        level, value: `(C, n)` p + base, and the value, of each plane in turn.
        """
        z, m, log_scale = self.outputs(x).chunk(3, dim=2)
        centre = level[..., None] + m * (LEVELS * 2**self.unit)
        log_scale = log_scale.clamp(0, (SCALES - 1) / LOGIT) - log(SMALLEST)
        p = value_probabilities(value[..., None], centre, log_scale, self.values)
        p = (z.softmax(2) * p).sum(2) * (1 - self.values / ALL) + 1 / ALL
        return -p.log().sum(0)


def whitening_of(x: Tensor) -> Tensor:
    """T of inputs `(n, inputs)`."""
    moments = x.double().T @ x.double() / len(x)
    values, vectors = torch.linalg.eigh(moments)
    scales = (values + REGULARISATION * values[-1] + 1e-9).rsqrt()
    return (vectors * (scales / scales.median()) @ vectors.T).float()


def value_probabilities(value: Tensor, centre: Tensor, log_scale: Tensor, values: int) -> Tensor:
    """The probability of integers between 0 and `values` - 1 by logistic distributions; the lowest and the
    highest take the tails.
    """
    d, inverse = value - centre, (-log_scale).exp()
    far = -d.abs()  # the two tails are alike, and the lower one is exact
    inner = ((far + 0.5) * inverse).sigmoid() - ((far - 0.5) * inverse).sigmoid()
    low, high = ((d + 0.5) * inverse).sigmoid(), ((0.5 - d) * inverse).sigmoid()
    return torch.where(value == 0, low, torch.where(value == values - 1, high, inner))


def inputs_of(pixels: Batch, options: Mapping[str, Any]) -> tuple[Tensor, ...]:
    """What `MixtureNetwork.nats` takes."""
    order, base = options["order"], options["base"]
    around, y = (planes_of(array, order, base) for array in (pixels.x, pixels.value))
    guess = guesses(around)
    near = units(around - guess[:, None], options["unit"]).reshape(len(y), -1)
    known = units(y - guess, options["unit"])[:, :-1]
    value = pixels.value[:, order].astype(np.float32)
    arrays = np.concatenate([near, known], axis=1), (value - y + guess).T, value.T
    return tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays)
