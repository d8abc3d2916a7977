"""How odd an image is: one number an image, higher is odder, the same at every call.

With x̂ the reconstruction of x, e = (x̂ - x)² on [0, 1], and z the code (where codes are sampled, the mean of q(z|x)):

    error   Σ e                                  summed over the image
    patch   max over windows of the mean of e    the worst patch: a small defect drowns in a sum
    bound   -log p(x|z) + KL(q(z|x) ‖ p(z))      nats, of variational models alone
    code    (z - μ)ᵀ Σ⁻¹ (z - μ)                 how far the code is from the training codes, whatever the image

The windows of "patch" are squares with a quarter of the image's shorter side (7 x 7 pixels of 28 x 28), at every
place where they fit: large enough for single pixels of noise to average out, and a sixteenth of a square image.

"patch" is the usual one of images, "error" of tables. A sum measures ink before it measures oddness: a digit of few
strokes has a small error even where none is right. In two hard tasks on MNIST the worst patch is the best of all for
every model that was tried (`docs/choose.md`); "bound" wins an easy one and falls behind in these.

μ and Σ of "code" are those of up to 10,000 training codes (P. Mahalanobis, "On the generalised distance in
statistics", 1936). Where there are few codes their covariance S is nearly singular, and S⁻¹ finds everything
odd; so it is drawn towards a sphere, Σ = (1 - α) S + α (tr S / size) I, with the α of the least expected error
(O. Ledoit, M. Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", 2004,
https://doi.org/10.1016/S0047-259X(03)00096-4). Codes of more than 256 numbers are feature maps: their Σ would
be larger than the network, and more than the codes can tell. There it is the variances alone, with α = 1 / (N +
1), as if one more code had come that knew no unit from another.

Reference: V. Chandola, A. Banerjee, V. Kumar, "Anomaly detection: a survey", 2009,
https://doi.org/10.1145/1541880.1541882.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from narrows.errors import BuildError, unknown, wrong
from narrows.layout import Layout
from narrows.parts.prior import FULL_COVARIANCE

QUANTILE = 0.99  # of the training images' scores: one of a hundred normal images lies above the threshold
WINDOW = 4  # of its windows fit side by side into the image's shorter side
USUAL = ("patch", "error", "bound")  # the first of these that a model has is meant where none is named


@dataclass
class CodeDensity:
    """Where the training codes lie. mean: μ, `(size,)`. white: L⁻¹ `(size, size)`, Σ = L Lᵀ, or its diagonal."""

    mean: Tensor
    white: Tensor

    @classmethod
    def of(cls, codes: Tensor) -> Self:
        """The cloud of codes `(N, size)`."""
        count, size = codes.shape
        mean, least = codes.mean(0), 1e-12  # that keeps a code that never moves from being divided by 0
        if size <= FULL_COVARIANCE and count > 1:
            from sklearn.covariance import ledoit_wolf

            one = torch.eye(size, dtype=torch.float64)
            covariance = torch.from_numpy(ledoit_wolf(codes.double().numpy())[0])
            factor = torch.linalg.cholesky(covariance + least * one)
            white = torch.linalg.solve_triangular(factor, one, upper=False)
        else:
            variance = codes.var(0, correction=0)
            white = ((count * variance + variance.mean()) / (count + 1) + least).rsqrt()
        return cls(mean, white.float())

    def __call__(self, codes: Tensor) -> Tensor:
        """(z - μ)ᵀ Σ⁻¹ (z - μ), `(N,)`."""
        rest = codes.cpu() - self.mean
        return (rest @ self.white.T if self.white.dim() == 2 else rest * self.white).square().sum(1)


@dataclass
class Outputs:
    """What a model makes of a batch: all that a score is computed from.

    errors: e, `(n, C, H, W)`. codes: `(n, size)`. bound: the negative bound `(n,)`, of variational models.
    cloud: where the training codes lie, once they are known.
    """

    errors: Tensor
    codes: Tensor
    bound: Tensor | None = None
    cloud: CodeDensity | None = None


def error(seen: Outputs) -> Tensor:
    """The squared error, summed over the image."""
    return seen.errors.flatten(1).sum(1)


def patch(seen: Outputs) -> Tensor:
    """The mean squared error of the worst window."""
    side = max(1, min(seen.errors.shape[-2:]) // WINDOW)
    rows = avg_pool2d(seen.errors.mean(1, keepdim=True), (side, 1), stride=1)
    return avg_pool2d(rows, (1, side), stride=1).flatten(1).amax(1)


def bound(seen: Outputs) -> Tensor:
    """The negative bound on the log-likelihood, at the mean code."""
    assert seen.bound is not None  # asked of variational models only
    return seen.bound


def code(seen: Outputs) -> Tensor:
    """The distance of the code from the training codes."""
    assert seen.cloud is not None
    return seen.cloud(seen.codes)


SCORES: dict[str, Callable[[Outputs], Tensor]] = {"error": error, "patch": patch, "bound": bound, "code": code}

LACKING = {  # what a kind needs, and what to do without it
    "patch": ("images, whose pixels have neighbours", "use kind='error' for tables"),
    "bound": ("a variational model", "use kind='error', or bottleneck='variational'"),
    "code": ("a model that has looked at its training codes", "fit it again; its file is older than this score"),
}


class AnomalyMixin:
    """What every model can say of odd images; `ImageModel` gives it the rest.

    thresholds_: of each kind of score, the 0.99 quantile over (up to 10,000) training images. threshold_: that of the
    usual kind, which `flag` goes by; it may be set to a number of one's own, and is kept in the model file.
    """

    threshold_: float | None = None
    thresholds_: Mapping[str, float] = {}
    cloud_: CodeDensity

    if TYPE_CHECKING:
        layout_: Layout

        def _accept(self, X: Any) -> tuple[np.ndarray, Layout]: ...
        def _each(self, array: np.ndarray, layout: Layout, function: Callable[[Tensor], Tensor]) -> np.ndarray: ...
        def _see(self, x: Tensor) -> Outputs: ...

    def anomaly_score(self, X: Any, kind: str | None = None) -> np.ndarray:
        """How odd each image is, `(N,)` float32; higher is odder, and the same at every call.

        kind: "error" (the squared error, summed over the image), "patch" (its mean in the worst window), "bound" (the
        negative bound at the mean code, in nats, of variational models), "code" (the distance of the code from the
        training codes), or None for the usual one: "patch" of images, "error" of tables. The squared error is on
        [0, 1], of tables on the working scale.
        """
        images = self._accept(X)
        score = SCORES[self._kind(kind)]
        return self._each(*images, lambda x: score(self._see(x)))

    def flag(self, X: Any, kind: str | None = None) -> np.ndarray:
        """Which images are odd, `(N,)` booleans: those that score above the threshold of that kind of score."""
        scores = self.anomaly_score(X, kind)
        threshold = self.threshold_ if kind is None else self.thresholds_.get(kind)
        cure = f"fit it again, or compare anomaly_score(X, kind={kind!r}) with a threshold of your own"
        if threshold is None:
            raise wrong("flag", "a model without a threshold for this score", "one that has it", cure)
        return scores > threshold

    def error_map(self, X: Any) -> np.ndarray:
        """Where the error is: squared errors on [0, 1], summed over channels, `(N, H, W)` float32.

        Of a table `(N, 1, D)`, on the working scale.
        """
        return self._each(*self._accept(X), lambda x: self._see(x).errors.sum(1))

    @property
    def _variational(self) -> bool:
        """Whether codes are sampled."""
        return False

    # -- what a fit learns of it ------------------------------------------------------------------------------

    @property
    def _usual(self) -> str:
        """The kind of score that is meant where none is named."""
        kinds = self.thresholds_ or [kind for kind, fits in self._fitting().items() if fits]
        return next(kind for kind in USUAL if kind in kinds)

    def _fitting(self) -> dict[str, bool]:
        """Whether this model has what each kind needs."""
        there = {"patch": not self.layout_.is_table, "bound": self._variational, "code": hasattr(self, "cloud_")}
        return {kind: there.get(kind, True) for kind in SCORES}

    def _kind(self, kind: str | None) -> str:
        kind = self._usual if kind is None else kind
        if kind not in SCORES:
            raise unknown("anomaly score", kind, SCORES)
        if not self._fitting()[kind]:
            wanted, cure = LACKING[kind]
            raise BuildError(f"the anomaly score {kind!r} needs {wanted}; {cure}")
        return kind

    def _marks(self, seen: Outputs) -> dict[str, Tensor]:
        """The codes of training images, and each score that does not need to know all of them."""
        fits = [kind for kind, fine in self._fitting().items() if fine and kind != "code"]
        return {"code": seen.codes.cpu()} | {kind: SCORES[kind](seen).cpu() for kind in fits}

    def _settle(self, marks: Iterable[dict[str, Tensor]]) -> None:
        """Learn where the training codes lie, and the thresholds."""
        marks = list(marks)
        whole = {kind: torch.cat([some[kind] for some in marks]) for kind in marks[0]}
        self.cloud_ = CodeDensity.of(whole["code"])
        whole["code"] = self.cloud_(whole["code"])
        self.thresholds_ = {kind: float(np.quantile(scores.numpy(), QUANTILE)) for kind, scores in whole.items()}
        self.threshold_ = self.thresholds_[self._usual]

    def _recall(self, mean: Tensor | None, white: Tensor | None) -> None:
        """Take over what a model file holds of it; older files hold `threshold_` alone, and keep to its kind."""
        before = "bound" if self._variational else "error"
        self.thresholds_ = self.thresholds_ or ({} if self.threshold_ is None else {before: self.threshold_})
        if "code" in self.thresholds_:
            if mean is None or white is None:
                raise wrong("cloud.mean, cloud.white", None, "where the codes lie")
            self.cloud_ = CodeDensity(cast(Tensor, mean), cast(Tensor, white))
