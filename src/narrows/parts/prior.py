"""Prior: a density over codes, p(z): its logarithm, samples of it, and a fit to codes that were seen.

    normal     N(0, I), what a variational code is trained against
    gaussian   N(μ, Σ) fitted to the training codes
    mixture    Σₖ πₖ N(μₖ, Σₖ), fitted by expectation-maximisation

The last two are for codes that nothing pulls towards N(0, I), so that any autoencoder can be sampled; before they are
fitted they are N(0, I) too. Beside a variational code they are fitted after training ("ex-post density estimation":
P. Ghosh et al., "From variational to deterministic autoencoders", ICLR 2020, https://arxiv.org/abs/1903.12436).
"""

import warnings
from math import log, pi

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
        """Fit the density to codes `(N, size)`; nothing to do where it is fixed."""

    def kl(self, posterior: Posterior, z: Tensor) -> Tensor:
        """KL(q(z|x) ‖ p(z)), one an image: estimated at the sample `z` of q."""
        return posterior.log_prob(z) - self.log_prob(z)


class Normal(Prior):
    """N(0, I). Its divergence is exact: KL = ½ Σⱼ (μⱼ² + σⱼ² - 1 - log σⱼ²)."""

    def log_prob(self, z: Tensor) -> Tensor:
        return -0.5 * (z.square() + log(2 * pi)).sum(1)

    def sample(self, count: int, seed: int) -> Tensor:
        return torch.randn(count, self.size, generator=keyed_generator(seed, "sample"))

    def kl(self, posterior: Posterior, z: Tensor) -> Tensor:
        mean, log_variance = posterior.mean, posterior.log_variance
        return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)


class Mixture(Prior):
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
            raise wrong("components", components, "a whole number ≥ 1")
        full = size <= FULL_COVARIANCE
        factors = torch.zeros(components, *[size] * (1 + full))
        (factors.diagonal(dim1=1, dim2=2) if full else factors).fill_(1)
        self.register_buffer("weights", torch.full((components,), 1 / components))
        self.register_buffer("means", torch.zeros(components, size))
        self.register_buffer("factors", factors)

    def log_prob(self, z: Tensor) -> Tensor:
        rest = z[:, None] - self.means  # (N, K, size)
        if self.factors.dim() == 3:
            white = torch.linalg.solve_triangular(self.factors, rest.permute(1, 2, 0), upper=False).permute(2, 0, 1)
            diagonal = self.factors.diagonal(dim1=1, dim2=2)
        else:
            white, diagonal = rest / self.factors, self.factors
        each = -0.5 * (white.square() + log(2 * pi)).sum(2) - diagonal.log().sum(1)
        return torch.logsumexp(self.weights.log() + each, dim=1)

    def sample(self, count: int, seed: int) -> Tensor:
        stream = keyed_generator(seed, "sample")
        steps = self.weights.cpu().cumsum(0)
        k = torch.searchsorted(steps, torch.rand(count, generator=stream) * steps[-1]).clamp(max=len(steps) - 1)
        noise = torch.randn(count, self.size, generator=stream)
        factors, means = self.factors.cpu()[k], self.means.cpu()[k]
        return means + (torch.einsum("nij,nj->ni", factors, noise) if factors.dim() == 3 else factors * noise)

    def fit(self, codes: Tensor, seed: int) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        data = codes[:MOST_CODES].detach().cpu().numpy().astype(np.float64)
        spread = float(data.var(axis=0).mean())
        least = max(len(self.weights), 2)
        if len(data) < least:  # a mixture needs a code for each component, and two at least
            data = np.resize(data, (least, self.size))
        model = GaussianMixture(
            len(self.weights),
            covariance_type="full" if self.factors.dim() == 3 else "diag",
            reg_covar=1e-6 * spread + 1e-9,  # keeps units that never vary from making Σ singular
            random_state=seed % 2**32,
            max_iter=50,
        )
        with warnings.catch_warnings():
            # a density for sampling need not have converged
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(data)
        covariances = np.asarray(model.covariances_)
        factors = np.linalg.cholesky(covariances) if covariances.ndim == 3 else np.sqrt(covariances)
        for name, value in (("weights", model.weights_), ("means", model.means_), ("factors", factors)):
            setattr(self, name, torch.as_tensor(np.asarray(value), dtype=torch.float32, device=codes.device))


class Gaussian(Mixture):
    """One Gaussian, N(μ, Σ): the mixture of a single component."""

    def __init__(self, size: int):
        super().__init__(size, components=1)


PRIORS = {"normal": Normal, "gaussian": Gaussian, "mixture": Mixture}
