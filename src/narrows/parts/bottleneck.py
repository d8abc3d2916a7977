"""Bottleneck: the narrow passage, code = bottleneck(h, prior).

Features h become a code of `size` numbers by one linear map, a = W h + b, and then

    plain         z = a
    relu          z = max(a, 0)
    sparse        z = max(a, 0), at a cost of weight · Σⱼ |zⱼ|
    topk          z = max(a, 0), of which the k largest are kept, the others 0
    variational   z ~ q(z|x) = N(μ, σ²), with μ and log σ² both linear in h, at a cost of β · KL(q(z|x) ‖ p(z))

With `size=None` the feature map itself takes the place of a (for a variational code: of the shape of μ), and the
code keeps its shape. A bottleneck owns the weights of its costs and their warm-up: over the first `warmup` epochs a
weight grows in proportion from 0 to its value. Validation and scoring always use the final weight.

References: A. Makhzani, B. Frey, "k-sparse autoencoders", ICLR 2014, https://arxiv.org/abs/1312.5663; I. Higgins et
al., "beta-VAE", ICLR 2017, https://openreview.net/forum?id=Sy2fzU9gl; S. Bowman et al., "Generating sentences from
a continuous space", CoNLL 2016, https://arxiv.org/abs/1511.06349 (warm-up).
"""

from math import prod

import numpy as np
import torch
from torch import Tensor, nn

from narrows.errors import wrong
from narrows.parts.code import Code, Posterior, UnitStatistics
from narrows.parts.prior import Prior
from narrows.parts.term import Term
from narrows.randomness import KeyedRandom

SMALLEST_KL = 0.01  # nats: a variational unit with less carries nothing
SMALLEST_VARIANCE = 0.01  # of a variational unit's mean over the images: below it the unit is called dead


class Bottleneck(nn.Module):
    """The contract. features: shape of h, of one image. size: numbers in the code; None keeps the features' shape."""

    variational = False
    default_prior = "gaussian"
    heads = 1
    rectified = False

    def __init__(self, features: tuple[int, ...], size: int | None = 32):
        super().__init__()
        whole = isinstance(size, int) and not isinstance(size, bool) and size >= 1
        if size is not None and not whole:
            raise wrong("size", size, "a whole number ≥ 1, or None for the feature map itself")
        self.shape = features if size is None else (int(size),)
        self.keeps_features = size is None
        wanted = self.heads * prod(self.shape)
        direct = size is None and self.heads == 1
        self.project = nn.Identity() if direct else nn.Linear(prod(features), wanted)

    @property
    def terms(self) -> tuple[Term, ...]:
        """What is said of the costs that it puts out, `Code.terms`."""
        return ()

    @property
    def is_feature_map(self) -> bool:
        """Whether the code is the feature map of the body, so that it has no size of its own."""
        return self.keeps_features

    def unused(self, statistics: UnitStatistics, kl: np.ndarray | None) -> np.ndarray:
        """Which units carry nothing, `(size,)`. kl: of each unit from N(0, 1), nats, of variational codes."""
        return statistics.constant

    @property
    def unused_because(self) -> str:
        """What makes a unit unused, as the end of a sentence about several units."""
        return "are the same for every image"

    @property
    def cure(self) -> str:
        """What to try if most units are unused."""
        return self._or_smaller("lower the learning rate")

    def code_measures(self, statistics: UnitStatistics) -> dict[str, float]:
        """What `evaluate` reports of the units: "dead_units", and "active_units" of an image if 0 means inactive."""
        return {"dead_units": int(statistics.constant.sum())}

    def _or_smaller(self, advice: str) -> str:
        """The advice, and a smaller size for a code that has a size."""
        return advice if self.is_feature_map else f"{advice}, or give it a smaller size"

    @property
    def linears(self) -> list[nn.Linear]:
        """Its linear layers, for a tied way up."""
        return [self.project] if isinstance(self.project, nn.Linear) else []

    def linear(self, h: Tensor) -> Tensor:
        """a = W h + b, `(N, heads · size)`; h as it is where `size` is None."""
        return self.project(h.flatten(1)).float()  # also under autocast: its costs need the digits

    def warm(self, weight: float, warmup: float, random: KeyedRandom | None) -> float:
        """The weight of a cost at this moment of training; its final value outside of training."""
        if not self.training or random is None or warmup <= 0:
            return weight
        return weight * min(1.0, random.progress / warmup)

    def forward(self, h: Tensor, prior: Prior, random: KeyedRandom | None = None) -> Code:
        """Features `(N, *features)` to a code; without `random` it is deterministic."""
        raise NotImplementedError


class Plain(Bottleneck):
    """z = a."""

    def forward(self, h: Tensor, prior: Prior, random: KeyedRandom | None = None) -> Code:
        return Code(self.linear(h).view(-1, *self.shape))


class Rectified(Bottleneck):
    """The base of codes z = max(a, 0): 0 means inactive. advice: what to try if most units are dead."""

    rectified = True
    advice = "lower the learning rate"

    def unused(self, statistics: UnitStatistics, kl: np.ndarray | None) -> np.ndarray:
        return statistics.dead

    @property
    def unused_because(self) -> str:
        return "are active for no image"

    @property
    def cure(self) -> str:
        return self.advice

    def code_measures(self, statistics: UnitStatistics) -> dict[str, float]:
        return {"active_units": statistics.active, "dead_units": int(statistics.dead.sum())}


class Relu(Rectified):
    """z = max(a, 0)."""

    def forward(self, h: Tensor, prior: Prior, random: KeyedRandom | None = None) -> Code:
        return Code(self.linear(h).relu().view(-1, *self.shape))


class Sparse(Rectified):
    """z = max(a, 0) at a cost of weight · Σⱼ |zⱼ|, per image.

    weight: ≥ 0, beside a loss that is summed over the image. warmup: epochs, ≥ 0.
    """

    advice = "lower its weight, or the learning rate"

    def __init__(self, features: tuple[int, ...], size: int | None = 32, weight: float = 0.1, warmup: float = 0):
        super().__init__(features, size)
        if not (weight >= 0):
            raise wrong("weight", weight, "a number ≥ 0")
        if not (warmup >= 0):
            raise wrong("warmup", warmup, "a number of epochs ≥ 0")
        self.weight, self.warmup = weight, warmup

    @property
    def terms(self) -> tuple[Term, ...]:
        return (Term("l1", "L1 of the code", "", f"{self.weight:g} · Σⱼ |zⱼ| of an image"),)

    def forward(self, h: Tensor, prior: Prior, random: KeyedRandom | None = None) -> Code:
        z = self.linear(h).relu()
        cost = self.warm(self.weight, self.warmup, random) * z.sum(1)
        return Code(z.view(-1, *self.shape), {"l1": cost})


class TopK(Rectified):
    """z = max(a, 0), of which the k largest are kept. k: 1 to size."""

    def __init__(self, features: tuple[int, ...], size: int | None = 64, k: int = 8):
        super().__init__(features, size)
        if not (isinstance(k, int) and 1 <= k <= prod(self.shape)):
            raise wrong("k", k, f"a whole number in 1..{prod(self.shape)}")
        self.k = k

    def forward(self, h: Tensor, prior: Prior, random: KeyedRandom | None = None) -> Code:
        a = self.linear(h).relu()
        kept = a.topk(self.k, dim=1)
        z = torch.zeros_like(a).scatter(1, kept.indices, kept.values)
        return Code(z.view(-1, *self.shape))


class Variational(Bottleneck):
    """z ~ N(μ, σ²) at a cost of β · KL(q(z|x) ‖ p(z)) nats, per image. Without random numbers z = μ.

    beta: ≥ 0; with 1 the loss is the negative ELBO. warmup: epochs over which β grows to its value, ≥ 0.
    """

    variational = True
    default_prior = "normal"
    heads = 2

    def __init__(self, features: tuple[int, ...], size: int | None = 20, beta: float = 1.0, warmup: float = 0):
        super().__init__(features, size)
        if not (beta >= 0):
            raise wrong("beta", beta, "a number ≥ 0")
        if not (warmup >= 0):
            raise wrong("warmup", warmup, "a number of epochs ≥ 0")
        self.beta, self.warmup = beta, warmup

    @property
    def terms(self) -> tuple[Term, ...]:
        factor = "" if self.beta == 1 else f"{self.beta:g} · "
        return (Term("kl", "KL to the prior", "nats an image", f"{factor}KL(q(z|x) ‖ p(z)) of an image"),)

    def unused(self, statistics: UnitStatistics, kl: np.ndarray | None) -> np.ndarray:
        return kl < SMALLEST_KL if kl is not None else statistics.variance < SMALLEST_VARIANCE

    @property
    def unused_because(self) -> str:
        return f"have a KL below {SMALLEST_KL} nats"

    @property
    def cure(self) -> str:
        advice = "lower β, or let it grow over a warmup"
        return advice if self.is_feature_map else f"{advice}; or give it a smaller size"

    def code_measures(self, statistics: UnitStatistics) -> dict[str, float]:
        return {"dead_units": int((statistics.variance < SMALLEST_VARIANCE).sum())}

    def forward(self, h: Tensor, prior: Prior, random: KeyedRandom | None = None) -> Code:
        mean, log_variance = self.linear(h).chunk(2, dim=1)
        posterior = Posterior(mean, log_variance.clamp(-30, 20))  # exp of more is no number
        z = mean if random is None else posterior.sample(random)
        cost = self.warm(self.beta, self.warmup, random) * prior.kl(posterior, z)
        return Code(z.view(-1, *self.shape), {"kl": cost}, posterior)


BOTTLENECKS = {"plain": Plain, "relu": Relu, "sparse": Sparse, "topk": TopK, "variational": Variational}
