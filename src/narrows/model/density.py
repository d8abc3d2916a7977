"""The density of training codes: how far a code is from them, whatever its image.

    d(z) = (z - μ)ᵀ Σ⁻¹ (z - μ)

μ and Σ are those of up to 10,000 training codes (P. Mahalanobis, "On the generalised distance in
statistics", 1936). If there are few codes their covariance S is nearly singular, and S⁻¹ makes
every image anomalous; so it is shrunk towards a sphere, Σ = (1 - α) S + α (tr S / size) I, with the
α of the least expected error (O. Ledoit, M. Wolf, "A well-conditioned estimator for
large-dimensional covariance matrices", 2004, https://doi.org/10.1016/S0047-259X(03)00096-4).

Codes of more than 256 numbers are feature maps: their Σ would be larger than the network, and more
than the codes can determine. For these it is the variances alone, with α = 1 / (N + 1), as if there
were one more code in which all units vary alike.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from narrows.parts.prior import FULL_COVARIANCE

SMALLEST_VARIANCE = 1e-12  # keeps a code that never varies from a division by 0


@dataclass
class CodeDensity:
    """mean: μ, `(size,)`. whitening: L⁻¹ `(size, size)` of Σ = L Lᵀ, or the diagonal of it, `(size,)`."""

    mean: Tensor
    whitening: Tensor

    @classmethod
    def fit(cls, codes: Tensor) -> Self:
        """The density of codes `(N, size)`."""
        count, size = codes.shape
        if size <= FULL_COVARIANCE and count > 1:
            return cls(codes.mean(0), _full_whitening(codes))
        variance = codes.var(0, correction=0)
        shrunk = (count * variance + variance.mean()) / (count + 1)
        return cls(codes.mean(0), (shrunk + SMALLEST_VARIANCE).rsqrt().float())

    def distance(self, codes: Tensor) -> Tensor:
        """(z - μ)ᵀ Σ⁻¹ (z - μ), `(N,)`."""
        centred = codes.cpu() - self.mean
        if self.whitening.dim() == 2:
            return (centred @ self.whitening.T).square().sum(1)
        return (centred * self.whitening).square().sum(1)


def _full_whitening(codes: Tensor) -> Tensor:
    from sklearn.covariance import ledoit_wolf

    identity = torch.eye(codes.shape[1], dtype=torch.float64)
    covariance = torch.from_numpy(ledoit_wolf(codes.double().numpy())[0])
    factor = torch.linalg.cholesky(covariance + SMALLEST_VARIANCE * identity)
    whitening = torch.linalg.solve_triangular(factor, identity, upper=False).float()
    return whitening.contiguous()  # as read from a file: the order in memory decides the last bits
