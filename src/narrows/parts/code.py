"""What a bottleneck says of a code: the code itself, its costs, and its uncertainty.

A variational code is a belief about z given x, q(z|x) = N(μ(x), diag σ²(x)); a sample of it is z =
μ + σ ε with ε ~ N(0, I), through which gradients pass (D. Kingma, M. Welling, "Auto-encoding
variational Bayes", ICLR 2014, https://arxiv.org/abs/1312.6114).
"""

from dataclasses import dataclass, field
from math import log, pi

import torch
from torch import Tensor

from narrows.errors import wrong
from narrows.randomness import KeyedRandom


@dataclass
class Posterior:
    """q(z|x) = N(mean, diag exp(log_variance)); both are `(N, size)`."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, random: KeyedRandom) -> Tensor:
        """z = μ + σ ε, `(N, size)`."""
        noise = random.normal("code", self.mean)
        return torch.addcmul(self.mean, noise, (0.5 * self.log_variance).exp())

    def log_prob(self, z: Tensor) -> Tensor:
        """log q(z|x), nats, `(N,)`."""
        white = (z - self.mean).square() * (-self.log_variance).exp()
        return -0.5 * (white + self.log_variance + log(2 * pi)).sum(1)


@dataclass
class Code:
    """What the bottleneck gives for a batch.

    z: the codes, `(N, *shape)`. terms: its costs by name, weighted, one value an image, `(N,)`.
    posterior: q(z|x), of variational codes. symbols: integers, of quantised codes.
    """

    z: Tensor
    terms: dict[str, Tensor] = field(default_factory=dict)
    posterior: Posterior | None = None
    symbols: Tensor | None = None

    def require_posterior(self) -> Posterior:
        """q(z|x). Raises `BuildError` if the code is not variational."""
        if self.posterior is None:
            raise wrong("the code", "one without a posterior", "that of a variational bottleneck")
        return self.posterior

    @property
    def mean(self) -> Tensor:
        """The code without chance, `(N, size)`: of a variational one the mean of q(z|x)."""
        return (self.posterior.mean if self.posterior else self.z).flatten(1)
