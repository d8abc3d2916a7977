"""Principal components: the leading eigenvectors of the covariance of images.

Σ is summed a batch at a time, so that the set is never held as floats; its eigenvectors are
LAPACK's. Where an image has more values than there are images, or than 4096, the singular vectors
V of the whole set X - μ are found instead.

Either way the images have coordinates in which the sums of the whole set are known: the pixels
themselves, S = Σ wᵢ (xᵢ - μ)(xᵢ - μ)ᵀ, or Vᵀ(x - μ), where S is the diagonal of the squared singular
values. So the components without some images F follow from sums over these alone. With
s = Σ_F wᵢ cᵢ over their coordinates c, and W' the weight of the others,

    μ' = μ + δ,   δ = -s / W',      S' = S - Σ_F wᵢ cᵢ cᵢᵀ - W' δ δᵀ

which is what a fit to the others gives, but for rounding.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from narrows.image_batches import ImageBatches, weighted

# values in an image, beyond which their covariance is too large to be worth it
WIDEST_COVARIANCE = 4096
Batches = Iterable[tuple[Tensor, Tensor | None]]  # images `(n, C, H, W)` and their weights


@dataclass
class Components:
    """mean `(D,)`, components `(k, D)`, their variances `(k,)`, and the variance of the images in all."""

    mean: np.ndarray
    axes: np.ndarray
    variances: np.ndarray
    total_variance: float

    @property
    def explained_share(self) -> float:
        """The share of the variance that the components explain."""
        return float(self.variances.sum() / self.total_variance) if self.total_variance else 0.0

    def explaining(self, share: float) -> "Components":
        """The first of them that explain this share of the variance, one at least."""
        before = np.cumsum(self.variances, dtype=np.float64) < share * self.total_variance
        size = min(1 + int(np.count_nonzero(before)), len(self.axes))
        return replace(self, axes=self.axes[:size], variances=self.variances[:size])


@dataclass
class Moments:
    """The sums of a set: mean μ `(D,)`, the sum of weights, and S `(d, d)` in the coordinates
    basis (x - μ), basis `(d, D)`; None: the pixels themselves. Of a diagonal S, `(d,)`.
    """

    mean: Tensor
    weight: float
    second: Tensor
    basis: Tensor | None = None

    def without(self, batches: Batches, size: int) -> tuple[np.ndarray, np.ndarray]:
        """The mean `(D,)` and the first `size` components `(k, D)` without some images."""
        shift, second = self._sums_without(batches)
        axes = self._pixels(_leading(second, size))
        mean = self.mean + self._pixels(shift.float()[None])[0]
        return mean.numpy(), (axes * _signs(axes)).contiguous().numpy()

    def _sums_without(self, batches: Batches) -> tuple[Tensor, Tensor]:
        """δ and S' without some images."""
        second = self.second.clone() if self.second.dim() == 2 else self.second.diag()
        first, weight = torch.zeros(len(second), dtype=torch.float64), self.weight
        for x, weights in batches:
            c = self._coordinates(x.flatten(1) - self.mean)
            first += weighted(c, weights).double().sum(0)
            second -= (c.T @ weighted(c, weights)).double()
            weight -= float(len(c) if weights is None else weights.double().sum())
        shift = -first / weight
        return shift, second - weight * torch.outer(shift, shift)

    def _coordinates(self, centred: Tensor) -> Tensor:
        return centred if self.basis is None else centred @ self.basis.T

    def _pixels(self, coordinates: Tensor) -> Tensor:
        return coordinates if self.basis is None else coordinates @ self.basis


def components_of(
    images: ImageBatches, size: int, count: int, total: float
) -> tuple[Components, Moments]:
    """The first `size` components of `count` images whose weights are W, `total`, together."""
    width = images.raw[0].numel()
    is_narrow = width <= min(WIDEST_COVARIANCE, count)
    compute = _by_covariance if is_narrow else _by_singular_vectors
    return compute(images, size, total)


def _by_covariance(images: ImageBatches, size: int, total: float) -> tuple[Components, Moments]:
    """The components, from the covariance. total: W."""
    mean = _mean(images)
    covariance = torch.zeros(len(mean), len(mean), dtype=torch.float64)
    for rows in images.batches():
        x = images.batch(rows).flatten(1) - mean
        covariance += (x.T @ weighted(x, images.weights_at(rows))).double()
    values, vectors = torch.linalg.eigh(covariance / _freedom(images, total))
    found = _components(mean, vectors.T.flip(0), values.flip(0).clamp(min=0), size)
    return found, Moments(mean, len(images), covariance)


def _by_singular_vectors(
    images: ImageBatches, size: int, total: float
) -> tuple[Components, Moments]:
    """The same, from the images themselves: Σ is AᵀA of the images A, each times the root of its
    weight.
    """
    mean = _mean(images)
    roots = None if images.weights is None else images.weights.sqrt()
    centred = torch.cat([images.batch(rows).flatten(1) - mean for rows in images.batches()])
    _, values, axes = torch.linalg.svd(weighted(centred, roots), full_matrices=False)
    squared = values.double().square()
    found = _components(mean, axes, squared / _freedom(images, total), size)
    return found, Moments(mean, len(images), squared, axes)


def _components(mean: Tensor, axes: Tensor, variances: Tensor, size: int) -> Components:
    """The first `size` components, signed so that the largest entry of each is positive."""
    axes = axes[:size]
    leading = variances[:size].float().numpy()
    signed = (axes * _signs(axes)).float().numpy()
    return Components(mean.numpy(), signed, leading, float(variances.sum()))


def _leading(second: Tensor, size: int) -> Tensor:
    """The first `size` eigenvectors of a symmetric matrix `(d, d)`, float32 `(size, d)`.

    These alone: of 784 coordinates that takes a fifth of the time of all of them.
    """
    from scipy.linalg import eigh

    width = len(second)
    last = [width - min(size, width), width - 1]
    _, vectors = eigh(second.numpy(), subset_by_index=last, check_finite=False)
    return torch.from_numpy(vectors.T[::-1].astype(np.float32))


def _signs(axes: Tensor) -> Tensor:
    """The sign of the largest entry of each, `(k, 1)`."""
    return axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()


def _mean(images: ImageBatches) -> Tensor:
    sums = []
    for rows in images.batches():
        x = weighted(images.batch(rows).flatten(1), images.weights_at(rows))
        sums.append(x.double().sum(0))
    return (torch.stack(sums).sum(0) / len(images)).float()


def _freedom(images: ImageBatches, total: float) -> float:
    """What sums over images are divided by, whose weights have a mean of 1: N (W - 1) / W."""
    return max(1, total - 1) * (len(images) / total)
