"""What fitting has in common: a look at the images before it, and a calibration after it.

begin_fit   images → their layout, working scale, weights and the seed; all that is wrong with
            them goes to `Faults`
calibrate   some training images → the density of their codes; images that were held out → the
            thresholds of scores
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.distributed.collectives import broadcast_from_first
from narrows.errors import BuildError, Faults, TrainingError
from narrows.image_batches import ImageBatches
from narrows.image_inputs import as_images
from narrows.layout import LOOKED_AT, Layout, validate_images, warn_of_dark_integers
from narrows.levels import AUTO_LEVELS, Levels, check_levels, percentile_levels
from narrows.machine import give_back_freed_memory
from narrows.measure.conformal import check_false_alarms
from narrows.model.calibration import HELD_OUT, TRAINING, Calibration
from narrows.model.density import CodeDensity
from narrows.model.estimator.arguments import check_seed, check_table, is_table
from narrows.model.estimator.base import ImageModel
from narrows.model.estimator.gathered_scores import GatheredScores, gathered_scores
from narrows.model.outputs import Outputs
from narrows.model.training.sample_weight import validate_weights, weighted_stand_ins
from narrows.parts.prior import Prior
from narrows.randomness import keyed_generator
from narrows.scale import FIXED_SCALES, Scale, choose_scale

MOST_IMAGES = 10_000  # training images that are used for the calibration
# numbers in their codes, if codes are large, unless fewer than 200 images are left
MOST_VALUES = 20_000_000
LEARNT = (
    "code_size_",
    "threshold_",
    "thresholds_",
    "calibration_",
    "density_",
    "usual_error_",
)


@dataclass
class FitInput:
    """The images of a fit `(N, ...)`, as they were given, and their weights, or None."""

    images: np.ndarray
    weights: np.ndarray | None


def begin_fit(
    model: ImageModel, X: Any, scale: str, faults: Faults, sample_weight: Any = None
) -> FitInput:
    """Look at the images of a fit; the model learns their layout, scale and seed. Faults are added
    to `faults`.
    """
    for name in LEARNT:
        vars(model).pop(name, None)  # the model is not fitted until the fit has succeeded
    model.seed_ = resolve_seed(model.random_state)
    with faults.catch():
        check_false_alarms(model.false_alarms)
    array, layout = _read_images(model, X)
    with faults.catch():
        layout = replace(layout, levels=_levels_of_fit(model, array, layout))
    model.layout_ = layout
    model.n_features_in_ = int(np.prod(layout.given))
    model.image_shape_ = tuple(model.image_shape or layout.given)
    weights = None
    with faults.catch():
        weights = validate_weights(sample_weight, len(array))
    with faults.catch():
        ranged = scale != "standard" and not model.learns_from_noisy  # noise need not be clipped
        validate_images(array, layout, ranged=ranged)
        warn_of_dark_integers(array, layout)
    # if the name is wrong, so that other faults are reported too
    model.scale_ = FIXED_SCALES["unit"]
    with faults.catch():
        model.scale_ = _fitted_scale(scale, array, layout, weights)
    return FitInput(array, weights)


def resolve_seed(random_state: Any) -> int:
    """`random_state` as a number: itself, or drawn from the generator it is, or from the system for None."""
    from sklearn.utils import check_random_state

    check_seed("random_state", random_state)
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    if random_state is None:  # scikit-learn would move numpy's global generator
        return broadcast_from_first(lambda: int(np.random.default_rng().integers(2**31)))
    try:
        return int(check_random_state(random_state).randint(2**31))
    except ValueError as error:
        raise BuildError(f"random_state: {error}") from error


def _read_images(model: ImageModel, X: Any) -> tuple[np.ndarray, Layout]:
    if is_table(X):
        X = check_table(model, X, reset=True)
    return as_images(X, model.image_shape)


def _levels_of_fit(model: ImageModel, array: np.ndarray, layout: Layout) -> Levels:
    """Those that the user gives, that a file says, or of the type."""
    asked = model.levels
    if asked is None:
        return model.input_levels or layout.levels
    if isinstance(asked, str) and asked == AUTO_LEVELS:
        return percentile_levels(array)
    return check_levels(asked)


def _fitted_scale(
    name: str, array: np.ndarray, layout: Layout, weights: np.ndarray | None
) -> Scale:
    scale = choose_scale(name, array, layout)
    if weights is not None and scale.name == "standard":
        return choose_scale("standard", weighted_stand_ins(array, weights), layout)
    if weights is not None and scale.is_per_image:
        counted = np.flatnonzero(weights)
        step = -(-len(counted) // LOOKED_AT)
        return choose_scale(name, array[counted[::step]], layout)
    return scale


@dataclass
class Gathered:
    """What is gathered from training images, batch by batch.

    prior_codes: that a prior is fitted to. codes: without chance.
    """

    scores: GatheredScores
    prior_codes: list[Tensor] = field(default_factory=list)
    codes: list[Tensor] = field(default_factory=list)


def calibrate(
    model: ImageModel,
    images: ImageBatches,
    prior: Prior,
    held_out: ImageBatches | None = None,
    failed: bool = False,
) -> None:
    """Fit the density of the codes of some training images, and set the thresholds: from the scores
    of images that were held out, else from those of the training images.

    Images of weight 0 are left out; the others count alike. failed: after a training that has
    diverged, images whose code is not finite are left out too.
    """
    gathered = Gathered(GatheredScores(model, without=["code"]))
    for x in _chosen_batches(model, images, _most_images(prior.size), failed):
        outputs: Outputs = model._without_gradients(model._outputs, x)
        gathered.prior_codes.append(model._without_gradients(model._codes_for_prior, x, outputs))
        gathered.codes.append(outputs.codes.cpu())
        gathered.scores.add(outputs)
    _fit_prior(model, prior, torch.cat(gathered.prior_codes))
    codes = torch.cat(gathered.codes)
    model.density_ = CodeDensity.fit(codes)
    unseen = None
    if held_out is not None:
        unseen = gathered_scores(model, _chosen_batches(model, held_out, MOST_IMAGES, failed))
    _set_thresholds(model, gathered.scores, codes, unseen)


def _set_thresholds(
    model: ImageModel, seen: GatheredScores, codes: Tensor, unseen: GatheredScores | None
) -> None:
    """Thresholds from scores of images that were held out, else of training images with these codes."""
    if unseen is not None:
        model.usual_error_ = unseen.usual
        calibration = Calibration.of(HELD_OUT, model.false_alarms, unseen.scores())
    else:
        assert model.density_ is not None
        model.usual_error_ = seen.usual
        scores = {"code": model.density_.distance(codes), **seen.scores()}
        calibration = Calibration.of(TRAINING, model.false_alarms, scores)
    model._take_calibration(calibration)


def _fit_prior(model: ImageModel, prior: Prior, codes: Tensor) -> None:
    if not bool(torch.isfinite(codes).all()):
        raise TrainingError(
            "the training diverged in its last steps: its codes are not finite; try a lower learning rate"
        )
    if not model.side_bits_:  # otherwise no image follows from a code alone
        prior.fit(codes, model.seed_)


def _most_images(code_size: int) -> int:
    return min(MOST_IMAGES, max(200, MOST_VALUES // code_size))


def _chosen_batches(
    model: ImageModel, images: ImageBatches, most: int, failed: bool
) -> Iterator[Tensor]:
    """Batches of at most `most` images, chosen at random."""
    order = torch.randperm(len(images), generator=keyed_generator(model.seed_, "survey"))
    if images.weights is not None:
        order = order[images.weights.cpu()[order] > 0]
    places = order[:most].sort().values.to(images.raw.device)
    for index in places.split(images.step(model._widest)):
        give_back_freed_memory()
        x = images.batch(index)
        if failed:
            x = x[torch.isfinite(model._without_gradients(model._encode, x)).all(1)]
        yield x
