"""PCA: the linear autoencoder in closed form.

Of all linear maps to k numbers and back, the one with the least squared error over the training
images is z = Vᵀ(x - μ), x̂ = V z + μ, where the columns of V are the k leading eigenvectors of the
covariance Σ = E[(x - μ)(x - μ)ᵀ]. A trained linear autoencoder reaches the same error, not the same
axes (P. Baldi, K. Hornik, "Neural networks and principal component analysis", 1989,
https://doi.org/10.1016/0893-6080(89)90014-2).

How they are computed: `components`.

With sample weights, μ = Σ wᵢ xᵢ / W and Σ = Σ wᵢ (xᵢ - μ)(xᵢ - μ)ᵀ / (W - 1), W = Σ wᵢ. Weights
that are all integers are counts, and give what repeated images give; others are scaled first,
to a mean of 1 over the images whose weight is above 0, so that W is the number of these.
"""

from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from narrows.errors import BuildError, Faults, wrong
from narrows.image_batches import ImageBatches
from narrows.machine import flush_denormals
from narrows.model.calibration import FOLDS, Calibration
from narrows.model.estimator.base import ImageModel
from narrows.model.estimator.components import Moments, components_of
from narrows.model.estimator.fitting import begin_fit, calibrate
from narrows.model.estimator.folds import cross_scores
from narrows.model.file_format import check_tensors
from narrows.model.trackers import Logger, reported
from narrows.model.training.sample_weight import effective_count
from narrows.model.training.split import check_calibration
from narrows.parts.prior import GaussianPrior

FITTED_ARRAYS = ("mean_", "components_", "explained_variance_")
PRIOR = "prior."  # how the names of the prior's tensors begin in a model file


class PCA(ImageModel):
    """Principal components of images.

    n_components: numbers in the code, 1 to min(N, D); None for all of them; a share of the variance
        in (0, 1) for as many as explain it.
    add_mean: False leaves out μ in encoding and decoding (as lab E's report did; its error is
        larger).
    scale: "auto", "unit", "symmetric", "standard", "each", "local", see `narrows.scale`.
    levels: (black, white), the values of black and white if they are not those of the images' type,
        such as (0, 4095) for 12 bits in uint16; values beyond them are clipped. "auto": the 0.1 and
        99.9 percentiles of the training images.
    image_shape: for tables that hold images.
    calibration: the share of the images in a fold; each fold is scored by components of the other
        images, for the thresholds of anomaly scores (`folds`); 0 takes the scores of the images
        that they are fitted on.
    false_alarms: the share of normal images that `flag` may flag.
    Fitted: mean_ `(D,)` and components_ `(k, D)` on the working scale, explained_variance_ `(k,)`.
    """

    mean_: np.ndarray
    components_: np.ndarray
    explained_variance_: np.ndarray

    def __init__(
        self,
        n_components: int | float | None = None,
        *,
        add_mean: bool = True,
        scale: str = "auto",
        levels: tuple[float, float] | str | None = None,
        image_shape: tuple[int, ...] | None = None,
        calibration: float = 0.2,
        false_alarms: float = 0.01,
        random_state: Any = 0,
    ):
        self.n_components = n_components
        self.add_mean = add_mean
        self.scale = scale
        self.levels = levels
        self.image_shape = image_shape
        self.calibration = calibration
        self.false_alarms = false_alarms
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
        images, moments, share = self._learn(X, sample_weight)
        calibrate(self, images, self.prior_)
        if self.calibration and (scores := cross_scores(self, images, moments, self.calibration)):
            self._take_calibration(Calibration.of(FOLDS, self.false_alarms, scores))
        return share

    def fit_member(self, X: Any) -> Self:
        """Fit without thresholds and without a prior: as a member of a detector."""
        self._learn(X, None)
        return self

    def _learn(self, X: Any, sample_weight: Any) -> tuple[ImageBatches, Moments, float]:
        """Compute the components; returns the images, their sums, and the share of the variance that
        the components explain.
        """
        faults = Faults("PCA cannot be fitted")
        given = begin_fit(self, X, self.scale, faults, sample_weight)
        count = len(given.images) if given.weights is None else np.count_nonzero(given.weights)
        size = 1
        with faults.catch():
            size = self._resolve_size(min(int(count), self.n_features_in_))
        with faults.catch():
            check_calibration(self.calibration)
        faults.stop(BuildError)
        images = ImageBatches(given.images, self.layout_, self.scale_, weights=given.weights)
        total = effective_count(given.weights, len(given.images))
        components, moments = components_of(images, size, int(count), total)
        if isinstance(self.n_components, float):
            components = components.explaining(self.n_components)
        self.mean_, self.explained_variance_ = components.mean, components.variances
        # as read from a file: order decides the last bits
        self.components_ = np.ascontiguousarray(components.axes)
        self.code_size_ = len(self.components_)
        self.prior_ = GaussianPrior(self.code_size_)
        return images, moments, components.explained_share

    def _resolve_size(self, most: int) -> int:
        """How many components are asked for. Raises `BuildError` if there are not that many."""
        asked = self.n_components
        if isinstance(asked, float) and 0 < asked < 1:
            return most
        size = most if asked is None else asked
        if not isinstance(size, (int, np.integer)) or not 1 <= size <= most:
            expected = f"an integer in 1..{most} (images, values in an image), or a share in (0, 1)"
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
