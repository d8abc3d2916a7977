"""Prior: a density over codes, p(z): its logarithm, samples of it, and a fit to codes.

    normal     N(0, I), what a variational code is trained against
    gaussian   N(μ, Σ) fitted to the training codes
    mixture    Σₖ πₖ N(μₖ, Σₖ), fitted by expectation-maximisation

The last two are for codes that nothing pulls towards N(0, I), so that any autoencoder can be
sampled; before they are fitted they are N(0, I) too. With a variational code they are fitted after
training ("ex-post density estimation": P. Ghosh et al., "From variational to deterministic
autoencoders", ICLR 2020, https://arxiv.org/abs/1903.12436).
"""

import warnings
from math import log, pi
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from narrows.errors import wrong
from narrows.parts.code import Posterior
from narrows.randomness import keyed_generator

FULL_COVARIANCE = 256  # up to this many units a fitted covariance is full, beyond it is diagonal
MOST_CODES = 10_000  # codes that a density is fitted to, at most


class Prior(nn.Module):
    """The contract. Codes are `(N, size)`; log densities and divergences are in nats, one a code."""

    fitted = False

    def __init__(self, size: int):
        super().__init__()
        self.size = size

    def log_prob(self, z: Tensor) -> Tensor:
        raise NotImplementedError

    def sample(self, count: int, seed: int) -> Tensor:
        """Codes `(count, size)`, the same for the same seed."""
        raise NotImplementedError

    def fit(self, codes: Tensor, seed: int) -> None:
        """Fit the density to codes `(N, size)`; a fixed one stays as it is."""

    def kl(self, posterior: Posterior, z: Tensor) -> Tensor:
        """KL(q(z|x) ‖ p(z)), one an image: estimated at the sample `z` of q."""
        return posterior.log_prob(z) - self.log_prob(z)


class NormalPrior(Prior):
    """N(0, I). Its divergence is exact: KL = ½ Σⱼ (μⱼ² + σⱼ² - 1 - log σⱼ²)."""

    def log_prob(self, z: Tensor) -> Tensor:
        return -0.5 * (z.square() + log(2 * pi)).sum(1)

    def sample(self, count: int, seed: int) -> Tensor:
        return torch.randn(count, self.size, generator=keyed_generator(seed, "sample"))

    def kl(self, posterior: Posterior, z: Tensor) -> Tensor:
        mean, log_variance = posterior.mean, posterior.log_variance
        return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)


class MixturePrior(Prior):
    """A mixture of Gaussians, z = μₖ + Lₖ ε with k ~ π and ε ~ N(0, I).

    components: ≥ 1. Up to 256 units Σₖ = Lₖ Lₖᵀ is full, beyond that diagonal.
    """

    fitted = True
    weights: Tensor
    means: Tensor
    factors: Tensor

    def __init__(self, size: int, components: int = 10):
        super().__init__(size)
        if not (isinstance(components, int) and components >= 1):
            raise wrong("components", components, "an integer ≥ 1")
        if size <= FULL_COVARIANCE:
            # not torch.eye: without memory ("meta") it imports torch's compiler, which takes seconds
            factors = torch.zeros(components, size, size)
            factors.diagonal(dim1=1, dim2=2).fill_(1)
        else:
            factors = torch.ones(components, size)
        self.register_buffer("weights", torch.full((components,), 1 / components))
        self.register_buffer("means", torch.zeros(components, size))
        self.register_buffer("factors", factors)

    @property
    def is_full(self) -> bool:
        """Whether the covariances are full: `factors` are Lₖ, `(K, size, size)`, else their diagonals."""
        return self.factors.dim() == 3

    def log_prob(self, z: Tensor) -> Tensor:
        centred = z[:, None] - self.means  # (N, K, size)
        if self.is_full:
            columns = centred.permute(1, 2, 0)
            whitened = torch.linalg.solve_triangular(self.factors, columns, upper=False).permute(
                2, 0, 1
            )
            deviations = self.factors.diagonal(dim1=1, dim2=2)
        else:
            whitened, deviations = centred / self.factors, self.factors
        of_components = -0.5 * (whitened.square() + log(2 * pi)).sum(2) - deviations.log().sum(1)
        return torch.logsumexp(self.weights.log() + of_components, dim=1)

    def sample(self, count: int, seed: int) -> Tensor:
        generator = keyed_generator(seed, "sample")
        bounds = self.weights.cpu().cumsum(0)
        k = torch.searchsorted(bounds, torch.rand(count, generator=generator) * bounds[-1])
        k = k.clamp(max=len(bounds) - 1)
        noise = torch.randn(count, self.size, generator=generator)
        means, factors = self.means.cpu()[k], self.factors.cpu()[k]
        if self.is_full:
            return means + torch.einsum("nij,nj->ni", factors, noise)
        return means + factors * noise

    def fit(self, codes: Tensor, seed: int) -> None:
        data = codes[:MOST_CODES].detach().cpu().numpy().astype(np.float64)
        fewest = max(len(self.weights), 2)
        if len(data) < fewest:  # a mixture needs a code for each component, and two at least
            data = np.resize(data, (fewest, self.size))
        weights, means, covariances = self._fitted(data, seed)
        factors = np.linalg.cholesky(covariances) if self.is_full else np.sqrt(covariances)
        self.weights = _buffer(weights, codes.device)
        self.means = _buffer(means, codes.device)
        self.factors = _buffer(factors, codes.device)

    def _fitted(self, codes: np.ndarray, seed: int) -> tuple[np.ndarray, ...]:
        """Weights, means and covariances (full, or their diagonals) of codes `(N, size)`."""
        floor = floor_of(codes)
        if len(self.weights) == 1:
            return _gaussian(codes, floor, self.is_full)
        return self._mixture(codes, floor, seed)

    def _mixture(self, codes: np.ndarray, floor: float, seed: int) -> tuple[np.ndarray, ...]:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        mixture = GaussianMixture(
            len(self.weights),
            covariance_type="full" if self.is_full else "diag",
            reg_covar=floor,
            random_state=seed % 2**32,
            max_iter=50,
        )
        with warnings.catch_warnings():
            # a density for sampling need not have converged
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted: Any = mixture.fit(codes)
        return fitted.weights_, fitted.means_, fitted.covariances_


class GaussianPrior(MixturePrior):
    """One Gaussian, N(μ, Σ): the mixture of a single component."""

    def __init__(self, size: int):
        super().__init__(size, components=1)


def floor_of(codes: np.ndarray) -> float:
    """What is added to variances: it keeps units that never vary from making Σ singular."""
    return 1e-6 * float(codes.var(axis=0).mean()) + 1e-9


def _gaussian(codes: np.ndarray, floor: float, is_full: bool) -> tuple[np.ndarray, ...]:
    """Weight, mean and covariance of one Gaussian: those of the codes, the variances plus a floor."""
    mean = codes.mean(0)
    centred = codes - mean
    if is_full:
        covariance = centred.T @ centred / len(codes) + floor * np.eye(codes.shape[1])
    else:
        covariance = np.square(centred).mean(0) + floor
    return np.ones(1), mean[None], covariance[None]


def _buffer(values: Any, device: torch.device) -> Tensor:
    return torch.as_tensor(np.asarray(values), dtype=torch.float32, device=device)


PRIORS = {"normal": NormalPrior, "gaussian": GaussianPrior, "mixture": MixturePrior}
