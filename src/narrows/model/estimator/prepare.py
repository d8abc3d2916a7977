"""From options and images to a training: what is checked and built before the first step.

prepare_training    a first fit: images are read, all faults collected, the network built
continue_training   `partial_fit` after a fit: the same network on other images
restore_network     a model file: the network with the tensors of the file
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from narrows import machine
from narrows.errors import BuildError, Faults
from narrows.image_batches import ImageBatches
from narrows.machine import flush_denormals
from narrows.model.build import SPEC_NAMES, build, build_objective, rebuild, validate_specs
from narrows.model.estimator.arguments import check_integer
from narrows.model.estimator.fitting import FitInput, begin_fit
from narrows.model.estimator.network_model import NetworkModel
from narrows.model.network import Network
from narrows.model.training.augment import keep_noise
from narrows.model.training.correlation import warn_of_correlation
from narrows.model.training.known_noise import with_known_noise
from narrows.model.training.options import validate_training, validate_without_clean
from narrows.model.training.pairs import validate_noisy, validate_pairs, with_noisy
from narrows.model.training.progress import Progress
from narrows.model.training.sample_weight import validate_weights
from narrows.model.training.split import (
    check_calibration,
    split_calibration,
    split_validation,
)
from narrows.model.training.training import Training
from narrows.parts.term import present_names

AfterStep = Callable[[Any], None]
TRAINING_OPTIONS = ("epochs", "batch_size", "optimiser", "schedule")


@flush_denormals()
def prepare_training(
    model: NetworkModel,
    X: Any,
    sample_weight: Any = None,
    noisy: Any = None,
    after_step: AfterStep | None = None,
    groups: Any = None,
    calibration: float = 0,
    in_full: bool = False,
) -> Training:
    """Check everything, build the network, and set up its training. Raises every fault in one error.

    calibration: the share of the images that is held out for thresholds, unless validation images,
    which then serve for them too, are. in_full: for all of its epochs, which follow from the number
    of images if that is small; `partial_fit` takes one at a time.
    """
    faults = Faults(f"{type(model).__name__} cannot be fitted")
    given = begin_fit(model, X, model.scale, faults, sample_weight)
    _validate_numbers(model, faults)
    _validate_training(model, faults)
    with faults.catch():
        _build_network(model, partial(build, seed=model.seed_))
    with faults.catch():
        validate_pairs(model.corruption, noisy)
    train = validation = held_out = None
    with faults.catch():
        images = _images_of_fit(model, given, noisy)
        if not faults.found:  # there is a network
            images = _look_at_noise(model, images, groups)
        train, validation, held_out = _split(model, images, calibration, groups)
    faults.stop(BuildError)
    assert train is not None  # or there had been a fault
    options = model.training or {}
    least = options.get("least_steps") if in_full else None
    training = _training(model, train, validation, least, after_step=after_step)
    training.held_out = held_out
    model.planned_ = None if training.plan.is_as_asked else training.plan
    return training


@flush_denormals()
def continue_training(
    model: NetworkModel, training: Training | None, X: Any, sample_weight: Any, noisy: Any
) -> Training:
    """The training to continue on these images: the last one, or a new one of the fitted network."""
    ranged = model.scale_.name != "standard" and not model.learns_from_noisy
    array, layout = model._accept(X, ranged)
    validate_pairs(model.corruption, noisy)
    weights = validate_weights(sample_weight, len(array))
    images = ImageBatches(array, layout, model.scale_, model.device_, weights)
    images = _look_at_noise(model, with_noisy(images, noisy))
    if training is None or training.network is not model.network_:
        progress = Progress.of_fitted(model.epochs_ or 0, model.history_)
        return _training(model, images, None, least_steps=None, progress=progress)
    training.continue_with(images)
    return training


def restore_network(model: NetworkModel, tensors: dict[str, Tensor]) -> None:
    """Build the network of a model file, on the device that the model asks for if this machine has it."""
    model.device_ = machine.available_device(model.device)
    _build_network(model, partial(rebuild, tensors=tensors))
    names = present_names(model.history_, model.declared_terms)
    model.history_ = {names[name]: column for name, column in model.history_.items()}


def validate_options(model: NetworkModel, faults: Faults) -> None:
    """Add to `faults` the parts and training options that do not exist."""
    _validate_training(model, faults)
    with faults.catch():
        validate_specs(part_specs(model))


def _validate_training(model: NetworkModel, faults: Faults) -> None:
    """Optimiser, schedule and options of the training; faults are added to `faults`."""
    validate_training(faults, model.optimiser, model.schedule, model.training)
    if model.learns_from_noisy:
        validate_without_clean(faults, model.training)


def _images_of_fit(model: NetworkModel, given: FitInput, noisy: Any) -> ImageBatches:
    """The images of a first fit, with the noisy ones that belong to them."""
    images = ImageBatches(given.images, model.layout_, model.scale_, model.device_, given.weights)
    if model.learns_from_noisy:
        validate_noisy(images)
    return with_noisy(images, noisy if model.wants_pairs else None)


def _look_at_noise(model: NetworkModel, images: ImageBatches, groups: Any = None) -> ImageBatches:
    """Images whose noise is their own: warn if it is not independent from pixel to pixel; estimate it
    if the network is given it, nothing else says it, and it stays as it is.
    """
    if not (model.learns_from_noisy or model.wants_pairs):
        return images
    corruption = model.network_.corruption
    warn_of_correlation(images, corruption, model.objective_)
    augment = (model.training or {}).get("augment", ())
    if model.network_.body.takes_noise and not corruption.gives_noise and keep_noise(augment):
        return with_known_noise(images, groups)
    return images


def _split(
    model: NetworkModel, images: ImageBatches, calibration: float, groups: Any
) -> tuple[ImageBatches, ImageBatches | None, ImageBatches | None]:
    """Images to train on, to validate with, and for thresholds; their places go to the model."""
    check_calibration(calibration)
    train, validation = split_validation(
        images,
        model.validation,
        model.seed_,
        model.image_shape,
        groups,
        ranged=not model.learns_from_noisy,
    )
    model.validation_index_ = _places(validation)
    model.calibration_index_ = None
    if validation is not None:
        return train, validation, validation
    train, held_out = split_calibration(images, calibration, model.seed_, groups)
    model.calibration_index_ = _places(held_out)
    return train, None, held_out


def _validate_numbers(model: NetworkModel, faults: Faults) -> None:
    """Device and numbers; faults are added to `faults`."""
    model.device_ = torch.device("cpu")
    with faults.catch():
        model.device_ = machine.select_device(model.device)
    for name in ("epochs", "batch_size"):
        with faults.catch():
            check_integer(name, getattr(model, name))


def _build_network(model: NetworkModel, make: Callable[..., Network]) -> None:
    """Build the network and its objective for the layout and scale at hand."""
    specs = part_specs(model)
    model.network_ = make(specs, model.layout_.chw, model.scale_).to(model.device_)
    model.objective_ = build_objective(specs)
    model.side_bits_ = model.network_.body.side_bits


def part_specs(model: NetworkModel) -> dict[str, Any]:
    """What the model was given for each kind of part; "penalties" is a list."""
    options = model.get_params(deep=False)
    return {name: options[name] for name in SPEC_NAMES}


def _training(
    model: NetworkModel,
    train: ImageBatches,
    validation: ImageBatches | None,
    least_steps: int | None,
    **hooks: Any,
) -> Training:
    """The training of the network as it is."""
    settings = {name: getattr(model, name) for name in TRAINING_OPTIONS}
    return Training(
        model.network_,
        train,
        validation,
        objective=model.objective,
        seed=model.seed_,
        **settings,
        **hooks,
        **{**(model.training or {}), "least_steps": least_steps},
    )


def _places(held: ImageBatches | None) -> Any:
    """The places of images that are held back in the training set; None if they are images of their
    own, or none.
    """
    if held is None or held.rows is None:
        return None
    return held.rows.numpy(force=True)
