"""Nearest neighbours: an image is as anomalous as it is far from the normal images nearest to it.

    f(x) = P x Qᵀ                                    the code: x, blurred and sampled on a grid
    d(x) = 1/k Σ_i |f(x) - f(xᵢ)|²                   xᵢ: the k training images whose codes are nearest
    x̂    = 1/k Σ_i f(xᵢ), interpolated               the normal image that x should have been

Two strokes that are a pixel apart have nothing in common pixel by pixel, and almost everything once
they are blurred: the blur, a Gaussian whose deviation is a share of the image's shorter side (1 pixel
of 28), is what makes the distance one between shapes. On a grid of at most 16 x 16 hardly anything is
lost of what it leaves. Both are linear, in rows and in columns: P and Q. Tables are compared as they are.

At most 20,000 codes are kept, chosen at random, and each image is compared with all of them: exact,
and for 6,000 of them some 20,000 images a second on two cores.

Reference: S. Ramaswamy, R. Rastogi, K. Shim, "Efficient algorithms for mining outliers from large
data sets", SIGMOD 2000, https://doi.org/10.1145/335191.335437 (the distance to the k-th).
"""

from collections.abc import Iterable
from copy import copy
from math import ceil
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from narrows.errors import BuildError, Faults, wrong
from narrows.image_batches import ImageBatches
from narrows.machine import flush_denormals
from narrows.model.calibration import FOLDS, Calibration
from narrows.model.estimator.anomaly import AnomalyScore, own_score
from narrows.model.estimator.arguments import check_integer
from narrows.model.estimator.base import ImageModel
from narrows.model.estimator.fitting import begin_fit, calibrate
from narrows.model.estimator.gathered_scores import gathered_scores
from narrows.model.file_format import check_tensors
from narrows.model.outputs import Outputs
from narrows.model.trackers import Logger, reported
from narrows.parts.prior import GaussianPrior
from narrows.randomness import keyed_generator

MOST_CODES = 20_000  # that are kept
MOST_SCORED = 2_000  # images, for thresholds
GRID = 16  # samples along the longer side of an image, at most
PRIOR = "prior."  # how the names of the prior's tensors begin in a model file


class Neighbours(ImageModel):
    """The k nearest images of a training set.

    neighbours: k, at least 1; fewer if the set has fewer images.
    blur: the deviation of the blur, as a share of the image's shorter side; 0 for none.
    scale: as of `PCA`; "each" compares images whatever their brightness and contrast.
    levels, image_shape, false_alarms: as of `PCA`.
    Fitted: bank_ `(n, size)`, the codes that are kept. Thresholds come from up to 2,000 of these
        images, each compared with the others.
    """

    bank_: Tensor
    passed_over = 0  # the nearest, where it is the image itself

    def __init__(
        self,
        neighbours: int = 5,
        *,
        blur: float = 0.035,
        scale: str = "auto",
        levels: tuple[float, float] | str | None = None,
        image_shape: tuple[int, ...] | None = None,
        false_alarms: float = 0.01,
        random_state: Any = 0,
    ):
        self.neighbours = neighbours
        self.blur = blur
        self.scale = scale
        self.levels = levels
        self.image_shape = image_shape
        self.false_alarms = false_alarms
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, *, logger: Logger | None = None) -> Self:
        """Keep the codes of images; `y` is not used. logger: gets the options."""
        with reported(logger, self.get_params(deep=False)):
            self._fit(X)
        return self

    @flush_denormals()
    def _fit(self, X: Any) -> None:
        images, order = self._keep_codes(X)
        calibrate(self, images, self.prior_)
        if len(images) > 1:
            sample = order[:MOST_SCORED].sort().values
            self._leave_one_out(images.batch(rows) for rows in sample.split(images.step()))

    def fit_member(self, X: Any) -> Self:
        """Fit without thresholds and without a prior: as a member of a detector."""
        self._keep_codes(X)
        return self

    def _keep_codes(self, X: Any) -> tuple[ImageBatches, Tensor]:
        """Keep the codes of images, and return these with the order in which they are chosen."""
        faults = Faults("Neighbours cannot be fitted")
        given = begin_fit(self, X, self.scale, faults)
        with faults.catch():
            check_integer("neighbours", self.neighbours)
        with faults.catch():
            if not 0 <= self.blur < 1:
                raise wrong("blur", self.blur, "a share of the image's shorter side in [0, 1)")
        faults.stop(BuildError)
        images = ImageBatches(given.images, self.layout_, self.scale_)
        order = torch.randperm(len(images), generator=keyed_generator(self.seed_, "bank"))
        kept = order[:MOST_CODES].sort().values.split(images.step())
        self.bank_ = torch.cat([self._encode(images.batch(rows)) for rows in kept])
        self.code_size_ = self.bank_.shape[1]
        self.prior_ = GaussianPrior(self.code_size_)
        return images, order

    def _leave_one_out(self, batches: Iterable[Tensor]) -> None:
        """Thresholds from images whose codes are kept, each compared with the others."""
        others = copy(self)
        others.passed_over = 1
        gathered = gathered_scores(others, batches)
        self.usual_error_ = gathered.usual
        self._take_calibration(Calibration.of(FOLDS, self.false_alarms, gathered.scores()))

    def nearest(self, codes: Tensor) -> Tensor:
        """The k nearest codes that are kept, of each of the codes, `(n, k, size)`."""
        bank = self.bank_.to(codes.device)
        most = min(self.neighbours + self.passed_over, len(bank))
        lengths = bank.square().sum(1)
        # without |z|², which is the same for all
        rest = torch.addmm(lengths, codes, bank.T, alpha=-2)
        places = rest.topk(most, largest=False).indices[:, self.passed_over :]
        return bank[places]

    # -- what every model defines -------------------------------------------------------------

    @property
    def own_scores_(self) -> dict[str, AnomalyScore]:
        """The distance d."""
        return {"neighbours": own_score("neighbours")}

    def _encode(self, x: Tensor) -> Tensor:
        """f of images `(n, C, H, W)`, on the scale on which they are compared."""
        if self.layout_.is_table:
            return x.flatten(1)
        height, width = x.shape[-2:]
        deviation, step = self.blur * min(height, width), self._step
        rows = sampling(height, deviation, step).to(x.device)
        columns = sampling(width, deviation, step).to(x.device)
        return (rows @ x.contiguous() @ columns.T).flatten(1)

    def _decode(self, z: Tensor) -> Tensor:
        channels, height, width = self.layout_.chw
        if self.layout_.is_table:
            return z.view(-1, channels, height, width)
        grid = z.view(-1, channels, ceil(height / self._step), ceil(width / self._step))
        return interpolate(grid, (height, width), mode="bilinear", align_corners=False)

    @property
    def _step(self) -> int:
        """Pixels from one sample to the next."""
        return ceil(max(self.layout_.image[:2]) / GRID)

    def _reconstruct(self, x: Tensor) -> Tensor:
        return self._decode(self.nearest(self._encode(x)).mean(1))

    def _outputs(self, x: Tensor) -> Outputs:
        codes = self._encode(x)
        near = self.nearest(codes)
        errors = self._squared_error(self._decode(codes), self._decode(near.mean(1)))
        scores = {"neighbours": mean_distance(codes, near)}
        return Outputs(errors, codes, density=self.density_, usual=self.usual_error_, scores=scores)

    def _score(self, x: Tensor, kind: str | None) -> Tensor:
        if kind in (None, "neighbours"):  # which needs no errors
            codes = self._encode(x)
            return mean_distance(codes, self.nearest(codes))
        return super()._score(x, kind)

    def _sample_codes(self, count: int, seed: int) -> Tensor:
        return self.prior_.sample(count, seed)

    @property
    def _widest(self) -> int:
        """An image has as many distances as there are codes."""
        return len(self.bank_)

    @property
    def n_parameters_(self) -> int:
        """Numbers in the codes that are kept."""
        return self.bank_.numel()

    def exported_tensors(self) -> dict[str, Tensor]:
        """The codes that are kept, for ONNX."""
        return {"bank_": self.bank_}

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        prior = {PRIOR + name: tensor for name, tensor in self.prior_.state_dict().items()}
        return {"bank_": self.bank_, **prior}, {}

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        self.code_size_ = self._size_of_code()
        rows = len(tensors.get("bank_", ()))
        self.prior_ = GaussianPrior(self.code_size_)
        with torch.device("meta"):  # shapes, without memory
            expected = {"bank_": torch.empty(max(1, rows), self.code_size_)}
        prior = {PRIOR + name: tensor for name, tensor in self.prior_.state_dict().items()}
        check_tensors(expected | prior, tensors)
        self.bank_ = tensors["bank_"]
        self.prior_.load_state_dict({name.removeprefix(PRIOR): tensors[name] for name in prior})

    def _size_of_code(self) -> int:
        channels, height, width = self.layout_.chw
        if self.layout_.is_table:
            return width
        return channels * ceil(height / self._step) * ceil(width / self._step)


def mean_distance(codes: Tensor, near: Tensor) -> Tensor:
    """The mean squared distance of codes `(n, size)` from those near them `(n, k, size)`: `(n,)`."""
    return (near - codes[:, None]).square().sum(2).mean(1)


def sampling(length: int, deviation: float, step: int) -> Tensor:
    """P, `(⌈length / step⌉, length)`: a line of pixels → the line, blurred by a Gaussian of that
    deviation in pixels and averaged over each `step` of them. Each row has the sum 1.
    """
    places = torch.arange(length, dtype=torch.float32)
    blur = torch.eye(length)
    if deviation > 0:
        weights = torch.exp(-0.5 * ((places[:, None] - places) / deviation).square())
        blur = weights / weights.sum(1, keepdim=True)
    rows = blur.split(step)
    return torch.stack([few.mean(0) for few in rows])
