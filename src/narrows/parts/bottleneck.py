"""Bottleneck: the narrow passage, code = bottleneck(h, prior).

Features h become a code of `size` numbers by one linear map, a = W h + b, and then

    plain         z = a
    relu          z = max(a, 0)
    sparse        z = max(a, 0), at a cost of weight · Σⱼ |zⱼ|
    topk          z = max(a, 0), of which the k largest are kept, the others 0
    variational   z ~ q(z|x) = N(μ, σ²), with μ and log σ² both linear in h, at a cost of
                  β · KL(q(z|x) ‖ p(z))

With `size=None` the feature map itself takes the place of a (for a variational code: of the shape
of μ), and the code keeps its shape. A bottleneck owns the weights of its costs and their warm-up:
over the first `warmup` epochs a weight grows in proportion from 0 to its value. Validation and
scoring always use the final weight.

*Unused units.* A unit that says nothing of the image is unused: a rectified one that is active for
no image; a variational one with a KL below 0.01 nats, KLⱼ = E ½ (μⱼ² + σⱼ² - 1 - log σⱼ²), or,
where only means are at hand, with a variance of μⱼ over the images below 0.01 (Burda et al.); any
other that has the same value for every image. Each bottleneck counts its own and says what to try.

References: A. Makhzani, B. Frey, "k-sparse autoencoders", ICLR 2014,
https://arxiv.org/abs/1312.5663; I. Higgins et al., "beta-VAE", ICLR 2017,
https://openreview.net/forum?id=Sy2fzU9gl; S. Bowman et al., "Generating sentences from a continuous
space", CoNLL 2016, https://arxiv.org/abs/1511.06349 (warm-up); Y. Burda et al., "Importance
weighted autoencoders", ICLR 2016, https://arxiv.org/abs/1509.00519 (unused units).
"""

from math import prod

import numpy as np
import torch
from torch import Tensor, nn

from narrows.errors import wrong
from narrows.measure.code_statistics import CodeStatistics
from narrows.parts.code import Code, Posterior
from narrows.parts.prior import Prior
from narrows.parts.term import Term
from narrows.randomness import KeyedRandom

LEAST_KL = 0.01  # nats; a unit with a smaller one is unused
LEAST_VARIANCE = 0.01  # of a unit's mean over the images
LOG_VARIANCES = (-30.0, 20.0)  # their exponentials are finite


class Bottleneck(nn.Module):
    """The contract. features: shape of h, of one image. size: numbers in the code; None keeps the
    features' shape.
    """

    variational = False
    rectified = False
    default_prior = "gaussian"
    heads = 1
    warmup: float = 0

    def __init__(self, features: tuple[int, ...], size: int | None = 32):
        super().__init__()
        if size is not None and not _positive_integer(size):
            raise wrong("size", size, "an integer ≥ 1, or None for the feature map itself")
        self.is_feature_map = size is None
        self.shape = features if size is None else (int(size),)
        if self.is_feature_map and self.heads == 1:
            self.project = nn.Identity()
        else:
            self.project = nn.Linear(prod(features), self.heads * prod(self.shape))

    def forward(self, h: Tensor, prior: Prior, random: KeyedRandom | None = None) -> Code:
        """Features `(N, *features)` to a code; without `random` it is deterministic."""
        raise NotImplementedError

    # -- what subclasses are made of ----------------------------------------------------------

    def linear(self, h: Tensor) -> Tensor:
        """a = W h + b, `(N, heads · size)`; h as it is where `size` is None."""
        return self.project(h.flatten(1)).float()  # also under autocast: its costs need the digits

    def warm(self, weight: float, warmup: float, random: KeyedRandom | None) -> float:
        """The weight of a cost at this moment of training; its final value outside of training."""
        if not self.training or random is None or warmup <= 0:
            return weight
        return random.warm(weight, warmup)

    @property
    def linears(self) -> list[nn.Linear]:
        """Its linear layers, for a tied way up."""
        return [self.project] if isinstance(self.project, nn.Linear) else []

    # -- what it says of itself ---------------------------------------------------------------

    @property
    def terms(self) -> tuple[Term, ...]:
        """Its costs, by the names under which it puts them out."""
        return ()

    def unused(self, statistics: CodeStatistics, kl: np.ndarray | None = None) -> np.ndarray:
        """Which units say nothing of the images, `(size,)` booleans.

        statistics: of the codes of many images. kl: of each unit from N(0, 1), averaged over them,
        nats, `(size,)`, of a variational code.
        """
        return statistics.constant

    @property
    def unused_because(self) -> str:
        """The end of a sentence, "3 of its 20 units ..."."""
        return "are the same for every image"

    @property
    def cure(self) -> str:
        """What to try where units are unused: advice that this bottleneck's options can follow."""
        return "lower the learning rate" + self._or_smaller

    def code_measures(self, statistics: CodeStatistics) -> dict[str, float]:
        """Measures of the codes of two images or more, by name."""
        return {"dead_units": int(self.unused(statistics).sum())}

    @property
    def _or_smaller(self) -> str:
        """The end of a piece of advice; a feature map, and a code of one number, cannot be made
        smaller.
        """
        if self.is_feature_map or self.shape == (1,):
            return ""
        return ", or give it a smaller size"


class Plain(Bottleneck):
    """z = a."""

    def forward(self, h: Tensor, prior: Prior, random: KeyedRandom | None = None) -> Code:
        if self.is_feature_map:
            return Code(h.float().contiguous())  # of another size than the features', if images are
        return Code(self.linear(h).view(-1, *self.shape))


class Rectified(Bottleneck):
    """The contract of codes z ≥ 0 in which 0 means inactive."""

    rectified = True

    def unused(self, statistics: CodeStatistics, kl: np.ndarray | None = None) -> np.ndarray:
        return statistics.dead

    @property
    def unused_because(self) -> str:
        return "are active for no image"

    def code_measures(self, statistics: CodeStatistics) -> dict[str, float]:
        return {"active_units": statistics.active, **super().code_measures(statistics)}


class Relu(Rectified):
    """z = max(a, 0)."""

    def forward(self, h: Tensor, prior: Prior, random: KeyedRandom | None = None) -> Code:
        return Code(self.linear(h).relu().view(-1, *self.shape))


class Sparse(Rectified):
    """z = max(a, 0) at a cost of weight · Σⱼ |zⱼ|, per image.

    weight: ≥ 0, next to a loss that is summed over the image. warmup: epochs, ≥ 0.
    """

    def __init__(
        self,
        features: tuple[int, ...],
        size: int | None = 32,
        weight: float = 0.1,
        warmup: float = 0,
    ):
        super().__init__(features, size)
        if not (weight >= 0):
            raise wrong("weight", weight, "a number ≥ 0")
        self.weight, self.warmup = weight, epochs_of(warmup)

    def forward(self, h: Tensor, prior: Prior, random: KeyedRandom | None = None) -> Code:
        z = self.linear(h).relu()
        cost = self.warm(self.weight, self.warmup, random) * z.sum(1)
        return Code(z.view(-1, *self.shape), {"l1": cost})

    @property
    def terms(self) -> tuple[Term, ...]:
        return (Term("l1", "L1 of the code", "", f"{self.weight:g} · Σⱼ |zⱼ| of an image"),)

    @property
    def cure(self) -> str:
        if not self.weight:
            return super().cure
        return "lower its weight, or the learning rate"


class TopK(Rectified):
    """z = max(a, 0), of which the k largest are kept. k: 1 to size."""

    def __init__(self, features: tuple[int, ...], size: int | None = 64, k: int = 8):
        super().__init__(features, size)
        if not (_positive_integer(k) and k <= prod(self.shape)):
            raise wrong("k", k, f"an integer in 1..{prod(self.shape)}")
        self.k = k

    def forward(self, h: Tensor, prior: Prior, random: KeyedRandom | None = None) -> Code:
        a = self.linear(h).relu()
        kept = a.topk(self.k, dim=1)
        z = torch.zeros_like(a).scatter(1, kept.indices, kept.values)
        return Code(z.view(-1, *self.shape))

    @property
    def cure(self) -> str:
        if self.k == prod(self.shape):
            return super().cure
        return "raise k, or " + super().cure


class Variational(Bottleneck):
    """z ~ N(μ, σ²) at a cost of β · KL(q(z|x) ‖ p(z)) nats, per image. Without random numbers z = μ.

    beta: ≥ 0; with 1 the loss is the negative ELBO. warmup: epochs over which β grows to its value,
    ≥ 0.
    """

    variational = True
    default_prior = "normal"
    heads = 2

    def __init__(
        self, features: tuple[int, ...], size: int | None = 20, beta: float = 1.0, warmup: float = 0
    ):
        super().__init__(features, size)
        if not (beta >= 0):
            raise wrong("beta", beta, "a number ≥ 0")
        self.beta, self.warmup = beta, epochs_of(warmup)

    def forward(self, h: Tensor, prior: Prior, random: KeyedRandom | None = None) -> Code:
        mean, log_variance = self.linear(h).chunk(2, dim=1)
        posterior = Posterior(mean, log_variance.clamp(*LOG_VARIANCES))
        z = mean if random is None else posterior.sample(random)
        cost = self.warm(self.beta, self.warmup, random) * prior.kl(posterior, z)
        return Code(z.view(-1, *self.shape), {"kl": cost}, posterior)

    @property
    def terms(self) -> tuple[Term, ...]:
        caption = "KL(q(z|x) ‖ p(z)) of an image"
        if self.beta != 1:
            caption = f"{self.beta:g} · {caption}"
        return (Term("kl", "KL to the prior", "nats an image", caption),)

    def unused(self, statistics: CodeStatistics, kl: np.ndarray | None = None) -> np.ndarray:
        if kl is None:
            return statistics.variance < LEAST_VARIANCE
        return kl < LEAST_KL

    @property
    def unused_because(self) -> str:
        return f"have a KL below {LEAST_KL} nats"

    @property
    def cure(self) -> str:
        if not self.beta:
            return super().cure
        if self.warmup:
            return "lower β, or let it grow over a longer warmup" + self._or_smaller
        return "lower β, or let it grow over a warmup" + self._or_smaller


def _positive_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def epochs_of(warmup: float) -> float:
    """A warm-up, once it is known to be a number of epochs."""
    if not (warmup >= 0):
        raise wrong("warmup", warmup, "a number of epochs ≥ 0")
    return warmup
