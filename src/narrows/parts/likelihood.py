"""Likelihood: how probable an image is, given what the way up put out, -log p(x | out).

    gaussian    ½ (x - m)² / variance       + ½ log(2π · variance)      m = φ(out)
    laplace     |x - m| / width             + log(2 · width)            m = φ(out)
    bernoulli   -x log m - (1 - x) log(1 - m)                           m = sigmoid(out)

`nll` gives the first part, one value an element, in nats; `constant` is the second, which depends
on no parameter. A loss leaves it out, and a log-likelihood needs it. The gaussian's default
variance, ½, makes nll the squared error. On grey pixels the bernoulli is not a density of the data:
it bounds a pseudo-likelihood, though it is a good loss.

φ is the output's non-linearity: identity, sigmoid, tanh or relu. It must be able to reach the
working scale.
"""

from math import log, pi

import torch
from torch import Tensor
from torch.nn import functional as F

from narrows.errors import unknown, wrong
from narrows.parts.layers import ACTIVATIONS
from narrows.scale import Scale

INF = float("inf")
OUTPUTS = {"identity": (-INF, INF), "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, INF)}


class Likelihood:
    """The contract. out and x are `(N, C, H, W)`; `outputs` is how many values of out it needs for
    one of x.
    """

    outputs = 1
    constant = 0.0
    # the name under which `evaluate` reports the nll of an image, if it has one of its own
    measure = ""
    is_squared_error = False  # whether nll is (x - m)² exactly
    is_squared_error_of_sigmoid = False  # of which training may begin with a constant output

    def nll(self, out: Tensor, x: Tensor) -> Tensor:
        """-log p(x | out) without its constant, nats, one an element."""
        raise NotImplementedError

    def mean(self, out: Tensor) -> Tensor:
        """The expected image E[x | out], on the working scale."""
        raise NotImplementedError


class Located(Likelihood):
    """A likelihood about a mean m = φ(out). output: φ, one of identity, sigmoid, tanh, relu."""

    def __init__(self, scale: Scale, output: str = "identity"):
        if output not in OUTPUTS:
            raise unknown("output", output, OUTPUTS)
        low, high = scale.bounds or (-INF, INF)
        lowest, highest = OUTPUTS[output]
        if lowest > low or highest < high:
            expected = (
                f"one that reaches all of the working scale {scale.name!r}, {low:g} to {high:g}"
            )
            raise wrong("output", output, expected, "use 'identity', or another scale")
        self.phi = ACTIVATIONS[output]

    def mean(self, out: Tensor) -> Tensor:
        return self.phi(out)


class GaussianLikelihood(Located):
    """Squared error over twice the variance. variance: > 0, on the working scale; ½ makes nll the
    squared error.
    """

    def __init__(self, scale: Scale, variance: float = 0.5, output: str = "identity"):
        super().__init__(scale, output)
        if not (variance > 0):
            raise wrong("variance", variance, "a number > 0")
        self.variance, self.constant = variance, 0.5 * log(2 * pi * variance)
        self.is_squared_error = variance == 0.5
        self.is_squared_error_of_sigmoid = output == "sigmoid"

    def nll(self, out: Tensor, x: Tensor) -> Tensor:
        error = F.mse_loss(self.mean(out), x, reduction="none")  # one pass there and one back
        if self.is_squared_error:
            return error
        return error * (0.5 / self.variance)


class LaplaceLikelihood(Located):
    """Absolute error over the width. width: > 0, on the working scale."""

    def __init__(self, scale: Scale, width: float = 1.0, output: str = "identity"):
        super().__init__(scale, output)
        if not (width > 0):
            raise wrong("width", width, "a number > 0")
        self.width, self.constant = width, log(2 * width)

    def nll(self, out: Tensor, x: Tensor) -> Tensor:
        return F.l1_loss(self.mean(out), x, reduction="none") / self.width


class BernoulliLikelihood(Likelihood):
    """Cross-entropy, computed on the logits. For images on the scale "unit"."""

    measure = "bce"

    def __init__(self, scale: Scale):
        if scale.name != "unit":
            raise wrong("scale", scale.name, "'unit'", "set scale='unit', or likelihood='gaussian'")

    def nll(self, out: Tensor, x: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(out, x, reduction="none")

    def mean(self, out: Tensor) -> Tensor:
        return torch.sigmoid(out)


LIKELIHOODS = {
    "gaussian": GaussianLikelihood,
    "bernoulli": BernoulliLikelihood,
    "laplace": LaplaceLikelihood,
}
