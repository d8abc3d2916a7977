"""PCA: the linear autoencoder in closed form.

Of all linear maps to k numbers and back, the one with the least squared error over the training
images is z = Vᵀ(x - μ), x̂ = V z + μ, where the columns of V are the k leading eigenvectors of the
covariance Σ = E[(x - μ)(x - μ)ᵀ]. A trained linear autoencoder reaches the same error, not the same
axes (P. Baldi, K. Hornik, "Neural networks and principal component analysis", 1989,
https://doi.org/10.1016/0893-6080(89)90014-2).

Σ is summed a batch at a time, so that the set is never held as floats; its eigenvectors are
LAPACK's. Where an image has more values than there are images, or than 4096, the singular vectors
of the whole set X - μ are found instead.

With sample weights, μ = Σ wᵢ xᵢ / W and Σ = Σ wᵢ (xᵢ - μ)(xᵢ - μ)ᵀ / (W - 1), W = Σ wᵢ. Weights
that are all integers are counts, and give what repeated images give; others are scaled first,
to a mean of 1 over the images whose weight is above 0, so that W is the number of these.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from narrows.errors import BuildError, Faults, wrong
from narrows.image_batches import ImageBatches, weighted
from narrows.machine import flush_denormals
from narrows.model.estimator.base import ImageModel
from narrows.model.estimator.fitting import begin_fit, calibrate
from narrows.model.file_format import check_tensors
from narrows.model.trackers import Logger, reported
from narrows.model.training.sample_weight import effective_count
from narrows.parts.prior import GaussianPrior

# values in an image, beyond which their covariance is too large to be worth it
WIDEST_COVARIANCE = 4096
FITTED_ARRAYS = ("mean_", "components_", "explained_variance_")
PRIOR = "prior."  # how the names of the prior's tensors begin in a model file


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


class PCA(ImageModel):
    """Principal components of images.

    n_components: numbers in the code, 1 to min(N, D); None for all of them.
    add_mean: False leaves out μ in encoding and decoding (as lab E's report did; its error is
        larger).
    scale: "auto", "unit", "symmetric", "standard", "each", "local", see `narrows.scale`.
    levels: (black, white), the values of black and white if they are not those of the images' type,
        such as (0, 4095) for 12 bits in uint16; values beyond them are clipped. "auto": the 0.1 and
        99.9 percentiles of the training images.
    image_shape: for tables that hold images.
    Fitted: mean_ `(D,)` and components_ `(k, D)` on the working scale, explained_variance_ `(k,)`.
    """

    mean_: np.ndarray
    components_: np.ndarray
    explained_variance_: np.ndarray

    def __init__(
        self,
        n_components: int | None = None,
        *,
        add_mean: bool = True,
        scale: str = "auto",
        levels: tuple[float, float] | str | None = None,
        image_shape: tuple[int, ...] | None = None,
        random_state: Any = 0,
    ):
        self.n_components = n_components
        self.add_mean = add_mean
        self.scale = scale
        self.levels = levels
        self.image_shape = image_shape
        self.random_state = random_state

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, logger: Logger | None = None
    ) -> Self:
        """Compute the components of images; `y` is not used.

        sample_weight: how much each image counts, `(N,)`, ≥ 0, see the module. logger: gets the
        options, and the share of the variance that the components explain (as of epoch 1).
        """
        with reported(logger, self.get_params(deep=False)) as report:
            report({"explained_variance_ratio": self._fit(X, sample_weight)}, 1)
        return self

    @flush_denormals()
    def _fit(self, X: Any, sample_weight: Any) -> float:
        """Compute the components; returns the share of the variance that they explain."""
        faults = Faults("PCA cannot be fitted")
        given = begin_fit(self, X, self.scale, faults, sample_weight)
        count = len(given.images) if given.weights is None else np.count_nonzero(given.weights)
        size = 1
        with faults.catch():
            size = self._resolve_size(min(int(count), self.n_features_in_))
        faults.stop(BuildError)
        images = ImageBatches(given.images, self.layout_, self.scale_, weights=given.weights)
        is_narrow = self.n_features_in_ <= min(WIDEST_COVARIANCE, count)
        compute = _by_covariance if is_narrow else _by_singular_vectors
        components = compute(images, size, effective_count(given.weights, len(given.images)))
        self.mean_, self.explained_variance_ = components.mean, components.variances
        # as read from a file: order decides the last bits
        self.components_ = np.ascontiguousarray(components.axes)
        self.code_size_ = size
        self.prior_ = GaussianPrior(size)
        calibrate(self, images, self.prior_)
        return components.explained_share

    def _resolve_size(self, most: int) -> int:
        """How many components are asked for. Raises `BuildError` if there are not that many."""
        size = most if self.n_components is None else self.n_components
        if not isinstance(size, (int, np.integer)) or not 1 <= size <= most:
            expected = f"an integer in 1..{most} (images, values in an image)"
            raise wrong("n_components", size, expected)
        return int(size)

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        prior = {PRIOR + name: tensor for name, tensor in self.prior_.state_dict().items()}
        return {**self.exported_tensors(), **prior}, {}

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        size, width = len(tensors["components_"]), self.n_features_in_
        with torch.device("meta"):  # shapes, without memory
            shapes = {
                "mean_": torch.empty(width),
                "components_": torch.empty(size, width),
                "explained_variance_": torch.empty(size),
            }
            prior = {
                PRIOR + name: tensor for name, tensor in GaussianPrior(size).state_dict().items()
            }
        check_tensors(shapes | prior, tensors)
        self.mean_ = tensors["mean_"].numpy()
        self.components_ = tensors["components_"].numpy()
        self.explained_variance_ = tensors["explained_variance_"].numpy()
        self.code_size_ = size
        self.prior_ = GaussianPrior(size)
        self.prior_.load_state_dict({name.removeprefix(PRIOR): tensors[name] for name in prior})

    def filters(self, end: str) -> np.ndarray | None:
        """The components as images `(k, H, W)`; None for images of colour, and tables."""
        channels, *size = self.layout_.chw
        if channels != 1 or self.layout_.is_table:
            return None
        return np.asarray(self.components_).reshape(-1, *size)

    @property
    def n_parameters_(self) -> int:
        """Numbers in the components and the mean."""
        return self.components_.size + self.mean_.size

    def exported_tensors(self) -> dict[str, Tensor]:
        """Mean, components and variances, for ONNX."""
        return {name: torch.as_tensor(getattr(self, name)) for name in FITTED_ARRAYS}

    def _centre(self) -> Tensor:
        mean = torch.as_tensor(self.mean_, dtype=torch.float32)
        return mean if self.add_mean else torch.zeros_like(mean)

    def _axes(self) -> Tensor:
        return torch.as_tensor(self.components_, dtype=torch.float32)

    def _encode(self, x: Tensor) -> Tensor:
        return (x.flatten(1) - self._centre()) @ self._axes().T

    def _decode(self, z: Tensor) -> Tensor:
        return (z @ self._axes() + self._centre()).view(-1, *self.layout_.chw)

    def _sample_codes(self, count: int, seed: int) -> Tensor:
        return self.prior_.sample(count, seed)


def _by_covariance(images: ImageBatches, size: int, total: float) -> Components:
    """The components, from the covariance. total: W."""
    mean = _mean(images)
    covariance = torch.zeros(len(mean), len(mean), dtype=torch.float64)
    for rows in images.batches():
        x = images.batch(rows).flatten(1) - mean
        covariance += (x.T @ weighted(x, images.weights_at(rows))).double()
    values, vectors = torch.linalg.eigh(covariance / _freedom(images, total))
    return _components(mean, vectors.T.flip(0), values.flip(0).clamp(min=0), size)


def _by_singular_vectors(images: ImageBatches, size: int, total: float) -> Components:
    """The same, from the images themselves: Σ is AᵀA of the images A, each times the root of its
    weight.
    """
    mean = _mean(images)
    roots = None if images.weights is None else images.weights.sqrt()
    centred = torch.cat([images.batch(rows).flatten(1) - mean for rows in images.batches()])
    _, values, axes = torch.linalg.svd(weighted(centred, roots), full_matrices=False)
    return _components(mean, axes, values.double().square() / _freedom(images, total), size)


def _components(mean: Tensor, axes: Tensor, variances: Tensor, size: int) -> Components:
    """The first `size` components, signed so that the largest entry of each is positive."""
    axes = axes[:size]
    signs = axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()
    leading = variances[:size].float().numpy()
    return Components(mean.numpy(), (axes * signs).float().numpy(), leading, float(variances.sum()))


def _mean(images: ImageBatches) -> Tensor:
    sums = []
    for rows in images.batches():
        x = weighted(images.batch(rows).flatten(1), images.weights_at(rows))
        sums.append(x.double().sum(0))
    return (torch.stack(sums).sum(0) / len(images)).float()


def _freedom(images: ImageBatches, total: float) -> float:
    """What sums over images are divided by, whose weights have a mean of 1: N (W - 1) / W."""
    return max(1, total - 1) * (len(images) / total)
