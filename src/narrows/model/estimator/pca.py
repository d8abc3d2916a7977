"""PCA: the linear autoencoder in closed form.

Of all linear maps to k numbers and back, the one with the least squared error over the training images is
z = Vᵀ(x - μ), x̂ = V z + μ, where the columns of V are the k leading eigenvectors of the covariance
Σ = E[(x - μ)(x - μ)ᵀ]. A trained linear autoencoder reaches the same error, not the same axes (P. Baldi, K. Hornik,
"Neural networks and principal component analysis", 1989, https://doi.org/10.1016/0893-6080(89)90014-2).

Σ is summed a batch at a time, so that the set is never held as floats; its eigenvectors are LAPACK's. Where an image
has more values than there are images, or than 4096, the singular vectors of the whole set X - μ are found instead.

With sample weights, μ = Σ wᵢ xᵢ / W and Σ = Σ wᵢ (xᵢ - μ)(xᵢ - μ)ᵀ / (W - 1), W = Σ wᵢ. Weights that are all whole
numbers are counts, and give what repeated images give; others are scaled first, to a mean of 1 over the images whose
weight is above 0, so that W is the number of these.
"""

from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from narrows.errors import BuildError, Faults, wrong
from narrows.image_batches import ImageBatches, weighted
from narrows.machine import flush_denormals
from narrows.model.estimator.fitting import FittingMixin
from narrows.model.file_format import check_tensors
from narrows.model.trackers import Logger, reported
from narrows.model.training.sample_weight import effective_count
from narrows.parts.prior import Gaussian

WIDE = 4096  # values in an image, beyond which their covariance is too large to be worth it
Components = tuple[np.ndarray, np.ndarray, np.ndarray, float]


class PCA(FittingMixin):
    """Principal components of images.

    n_components: numbers in the code, 1 to min(N, D); None for all of them.
    add_mean: False leaves out μ on the way down and up (as lab E's report did; its error is larger).
    scale: "auto", "unit", "symmetric", "standard". image_shape: for tables that hold images.
    Fitted: mean_ `(D,)` and components_ `(k, D)` on the working scale, explained_variance_ `(k,)`.
    """

    mean_: np.ndarray
    components_: np.ndarray

    def __init__(
        self,
        n_components: int | None = None,
        *,
        add_mean: bool = True,
        scale: str = "auto",
        image_shape: tuple[int, ...] | None = None,
        random_state: Any = 0,
    ):
        self.n_components = n_components
        self.add_mean = add_mean
        self.scale = scale
        self.image_shape = image_shape
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, *, sample_weight: Any = None, logger: Logger | None = None) -> Self:
        """Find the components of images; `y` is not used.

        sample_weight: how much each image counts, `(N,)`, ≥ 0, see the module. logger: is told the options, and the
        share of the variance that the components explain (as of epoch 1).
        """
        with reported(logger, self.get_params(deep=False)) as report:
            report({"explained_variance_ratio": self._fit(X, sample_weight)}, 1)
        return self

    @flush_denormals()
    def _fit(self, X: Any, sample_weight: Any) -> float:
        """Find the components; returns the share of the variance that they explain."""
        faults = Faults("PCA cannot be fitted")
        array, weights = self._begin(X, self.scale, faults, sample_weight)
        there = len(array) if weights is None else np.count_nonzero(weights)
        most = min(there, self.n_features_in_)
        count = most if self.n_components is None else self.n_components
        with faults.catch():
            fits = isinstance(count, (int, np.integer)) and 1 <= count <= most
            if not fits:
                raise wrong("n_components", count, f"a whole number in 1..{most} (images, values in an image)")
        faults.stop(BuildError)
        pixels = ImageBatches(array, self.layout_, self.scale_, weights=weights)
        way = _by_covariance if self.n_features_in_ <= min(WIDE, there) else _by_singular_vectors
        found = way(pixels, int(count), effective_count(weights, len(array)))
        self.mean_, components, self.explained_variance_, whole = found
        self.components_ = np.ascontiguousarray(components)  # as they are read again: order decides the last bits
        self.code_size_ = int(count)
        self.prior_ = Gaussian(self.code_size_)
        self._survey(pixels, self.prior_)
        return float(self.explained_variance_.sum() / whole) if whole else 0.0

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        arrays = {"mean_": self.mean_, "components_": self.components_}
        arrays["explained_variance_"] = self.explained_variance_
        tensors = {name: torch.as_tensor(array) for name, array in arrays.items()}
        return tensors | {f"prior.{k}": v for k, v in self.prior_.state_dict().items()}, {}

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        size, width = len(tensors["components_"]), self.n_features_in_
        with torch.device("meta"):  # shapes, without memory
            empty = {"mean_": torch.empty(width), "components_": torch.empty(size, width)}
            empty |= {"explained_variance_": torch.empty(size)}
            density = {f"prior.{name}": tensor for name, tensor in Gaussian(size).state_dict().items()}
        check_tensors(empty | density, tensors)
        for name in empty:
            setattr(self, name, tensors[name].numpy())
        self.code_size_ = size
        self.prior_ = Gaussian(size)
        self.prior_.load_state_dict({name.removeprefix("prior."): tensors[name] for name in density})

    def _center(self) -> Tensor:
        mean = torch.as_tensor(self.mean_, dtype=torch.float32)
        return mean if self.add_mean else torch.zeros_like(mean)

    def _axes(self) -> Tensor:
        return torch.as_tensor(self.components_, dtype=torch.float32)

    @property
    def n_parameters_(self) -> int:
        """Numbers in the components and the mean."""
        return self.components_.size + self.mean_.size

    def _encode(self, x: Tensor) -> Tensor:
        return (x.flatten(1) - self._center()) @ self._axes().T

    def _decode(self, z: Tensor) -> Tensor:
        return (z @ self._axes() + self._center()).view(-1, *self.layout_.chw)

    def _sample_codes(self, count: int, seed: int) -> Tensor:
        return self.prior_.sample(count, seed)


def _by_covariance(pixels: ImageBatches, count: int, total: float) -> Components:
    """Mean, components, their variances, and the variance in all, from the covariance. total: W."""
    mean = _mean(pixels)
    covariance = torch.zeros(len(mean), len(mean), dtype=torch.float64)
    for rows in pixels.batches():
        x = pixels.batch(rows).flatten(1) - mean
        covariance += (x.T @ weighted(x, pixels.weights_at(rows))).double()
    values, vectors = torch.linalg.eigh(covariance / _freedom(pixels, total))
    values = values.flip(0).clamp(min=0)
    return mean.numpy(), _turned(vectors.T.flip(0)[:count]), values[:count].float().numpy(), float(values.sum())


def _by_singular_vectors(pixels: ImageBatches, count: int, total: float) -> Components:
    """The same, from the images themselves: Σ is AᵀA of the images A, each times the root of its weight."""
    mean = _mean(pixels)
    roots = None if pixels.weights is None else pixels.weights.sqrt()
    flat = torch.cat([pixels.batch(rows).flatten(1) - mean for rows in pixels.batches()])
    _, values, axes = torch.linalg.svd(weighted(flat, roots), full_matrices=False)
    values = values.double().square() / _freedom(pixels, total)
    return mean.numpy(), _turned(axes[:count]), values[:count].float().numpy(), float(values.sum())


def _mean(pixels: ImageBatches) -> Tensor:
    sums = [
        weighted(pixels.batch(rows).flatten(1), pixels.weights_at(rows)).double().sum(0) for rows in pixels.batches()
    ]
    return (torch.stack(sums).sum(0) / len(pixels)).float()


def _freedom(pixels: ImageBatches, total: float) -> float:
    """What sums over images are divided by, whose weights have a mean of 1: N (W - 1) / W."""
    return max(1, total - 1) * (len(pixels) / total)


def _turned(axes: Tensor) -> np.ndarray:
    """Components whose largest entry is positive."""
    return (axes * axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()).float().numpy()
