"""Anomaly scores: one number an image, higher is more anomalous, the same at every call.

With x̂ the reconstruction of x, e = (x̂ - x)² on [0, 1] (on the working scale for tables, and where
each image sets its scale: an image of low contrast must not look normal because its errors are
small), and z the code (where codes are sampled, the mean of q(z|x)):

    error      Σ e                                  summed over the image
    patch      max over windows of the mean of e    the worst patch: a small defect is lost in a sum
    relative   max over windows of the mean of r    the same of r, the error divided by its usual size
                                                    at that pixel, see `narrows.model.usual_error`
    bound      -log p(x|z) + KL(q(z|x) ‖ p(z))      nats, of variational models alone
    code       (z - μ)ᵀ Σ⁻¹ (z - μ)                 the distance of the code from the training codes,
                                                    see `density`

The windows are squares with a quarter of the image's shorter side (7 x 7 pixels of 28 x
28), at every place where they fit: large enough for single pixels of noise to average out, and a
sixteenth of a square image.

A model may have kinds of its own (`own_scores_`): `neighbours`, `detector`. These come first;
otherwise "patch" is the default for images, "error" for tables. A sum measures ink before it measures
anomaly: a digit of few strokes has a small error even if none of it is right. In two hard tasks on
MNIST the worst patch is the best score for every model that was tried (`docs/choose.md`); "bound"
wins an easy one and falls behind in these.

Thresholds come from the scores of normal images that the model has not seen, see
`narrows.model.calibration`.

Reference: V. Chandola, A. Banerjee, V. Kumar, "Anomaly detection: a survey", 2009,
https://doi.org/10.1145/1541880.1541882.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from narrows.errors import BuildError, unknown
from narrows.model.estimator.inference import without_gradients
from narrows.model.outputs import Outputs
from narrows.model.protocol import Model

WINDOWS_PER_SIDE = 4  # windows of "patch" along the image's shorter side
LARGEST = 1e30  # of a value that is averaged
# the first of these that a model has is meant if none is named
DEFAULTS = ("patch", "error", "bound")


def error(outputs: Outputs) -> Tensor:
    """The squared error, summed over the image."""
    return outputs.errors.flatten(1).sum(1)


def patch(outputs: Outputs) -> Tensor:
    """The mean squared error of the worst window."""
    return _worst_window(outputs.errors.mean(1, keepdim=True))


def relative(outputs: Outputs) -> Tensor:
    """The same of the error divided by its usual size."""
    if outputs.usual is None:
        raise BuildError(f"the anomaly score 'relative' needs {SCORES['relative'].needs}")
    return _worst_window(outputs.usual.ratio(outputs.errors))


def _worst_window(values: Tensor) -> Tensor:
    """The highest mean in a window, `(n,)`, of values `(n, 1, H, W)`."""
    side = max(1, min(values.shape[-2:]) // WINDOWS_PER_SIDE)
    down, across = (_windows(length, side).to(values.device) for length in values.shape[-2:])
    finite = values.clamp(max=LARGEST)  # infinity times 0 would be NaN
    return (down @ finite @ across.T).flatten(1).amax(1)


def _windows(length: int, side: int) -> Tensor:
    """W `(length - side + 1, length)`: a line of values → the mean of each `side` neighbours. All
    windows of an image E are W E Wᵀ, two products of matrices, six times as fast as pooling.
    """
    starts, places = torch.arange(length - side + 1)[:, None], torch.arange(length)
    return ((places >= starts) & (places < starts + side)).float() / side


def bound(outputs: Outputs) -> Tensor:
    """The negative bound on the log-likelihood, at the mean code."""
    if outputs.bound is None:
        raise BuildError(f"the anomaly score 'bound' needs {SCORES['bound'].needs}")
    return outputs.bound


def code(outputs: Outputs) -> Tensor:
    """The distance of the code from the training codes."""
    if outputs.density is None:
        raise BuildError(f"the anomaly score 'code' needs {SCORES['code'].needs}")
    return outputs.density.distance(outputs.codes)


@dataclass(frozen=True)
class AnomalyScore:
    """A kind of score. available: whether a model has what it needs; needs, cure: in words."""

    compute: Callable[[Outputs], Tensor]
    available: Callable[[Model], bool] = lambda model: True
    needs: str = ""
    cure: str = ""


SCORES: dict[str, AnomalyScore] = {
    "error": AnomalyScore(error),
    "patch": AnomalyScore(
        patch,
        lambda model: not model.layout_.is_table,
        "images, whose pixels have neighbours",
        "use kind='error' for tables",
    ),
    "relative": AnomalyScore(
        relative,
        lambda model: model.usual_error_ is not None and not model.layout_.is_table,
        "images, and a model that knows the usual size of its errors",
        "use kind='error' for tables; fit the model again if its file is older than this score",
    ),
    "bound": AnomalyScore(
        bound,
        lambda model: model.is_variational,
        "a variational model",
        "use the score 'error', or train a model with a variational bottleneck",
    ),
    "code": AnomalyScore(
        code,
        lambda model: model.density_ is not None,
        "a model that knows the density of its training codes",
        "fit it again; its file is older than this score",
    ),
}


def score_table(model: Model) -> dict[str, AnomalyScore]:
    """The kinds of score, those that this model alone has first."""
    return {**model.own_scores_, **SCORES}


def own_score(kind: str) -> AnomalyScore:
    """A kind that a model computes by itself."""
    return AnomalyScore(lambda outputs: outputs.scores[kind])


def available_scores(model: Model) -> list[str]:
    """The kinds of score that a model can give."""
    return [kind for kind, score in score_table(model).items() if score.available(model)]


def default_score(model: Model) -> str:
    """The kind of score that is meant if none is named: of those with a threshold, if there are
    thresholds.
    """
    kinds = model.thresholds_ or available_scores(model)
    return next(kind for kind in (*model.own_scores_, *DEFAULTS) if kind in kinds)


def find_score(model: Model, kind: str | None) -> AnomalyScore:
    """The score of that kind. Raises `UnknownName`, and `BuildError` if the model cannot give it."""
    kind = kind or default_score(model)
    table = score_table(model)
    if kind not in table:
        raise unknown("anomaly score", kind, table)
    score = table[kind]
    if not score.available(model):
        raise BuildError(f"the anomaly score {kind!r} needs {score.needs}; {score.cure}")
    return score


def scores_of(
    model: Model, batches: Iterable[Tensor], kinds: Iterable[str] | None = None
) -> dict[str, Tensor]:
    """Scores of batches `(n, C, H, W)` on the working scale, of each kind, `(N,)`; by default of all
    kinds that the model can give.
    """
    table = score_table(model)
    chosen = available_scores(model) if kinds is None else list(kinds)
    found = []
    for x in batches:
        outputs = without_gradients(model._outputs, x, device=model.device_)
        found.append({kind: table[kind].compute(outputs).cpu() for kind in chosen})
    return {kind: torch.cat([batch[kind] for batch in found]) for kind in found[0]}
