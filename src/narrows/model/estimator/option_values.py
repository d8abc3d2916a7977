"""Values of options that no images can make right: they are refused before any image is read.

What a part refuses may depend on the images: a body that halves them too often for their size. So
the network is built twice, without memory (on torch's meta device), for images of two unlike
shapes. What both builds refuse in the same words is refused whatever the images.
"""

from collections.abc import Mapping
from numbers import Real
from typing import Any

import torch

from narrows import machine
from narrows.choose import choose
from narrows.errors import Faults, NarrowsError, unknown, wrong
from narrows.measure.conformal import check_false_alarms
from narrows.model.build import SPEC_NAMES, build
from narrows.model.estimator.arguments import check_integer, check_seed
from narrows.model.training.optimise import OPTIMISERS, SCHEDULES
from narrows.model.training.options import TrainingOptions
from narrows.model.training.split import check_calibration
from narrows.parts.register import custom_paths
from narrows.scale import SCALES, scale_without_images

SHAPES = ((1, 28, 28), (3, 1024, 1024))  # small and grey, large and coloured


def validate_values(options: dict[str, Any], faults: Faults) -> None:
    """Add to `faults` the values among a model's options that no fit could use, whatever the images."""
    for name, validate in VALIDATORS.items():
        if name in options:
            with faults.catch():
                validate(name, options[name])
    if set(SPEC_NAMES) <= set(options):
        _validate_parts(options, faults)


def _validate_count(name: str, value: Any) -> None:
    if value is not None:
        check_integer(name, value)


def _validate_share(name: str, value: Any) -> None:
    if isinstance(value, Real) and not 0 < float(value) < 1:
        raise wrong(name, value, "a share of the training images in (0, 1)")


def _validate_scale(name: str, value: Any) -> None:
    if value not in SCALES:
        raise unknown(name, value, SCALES)


def _validate_device(name: str, value: Any) -> None:
    machine.select_device(value)


def _validate_optimiser(name: str, value: Any) -> None:
    choose(name, OPTIMISERS, value, parameters=[torch.nn.Parameter(torch.zeros(1))])


def _validate_schedule(name: str, value: Any) -> None:
    choose(name, SCHEDULES, value)


def _validate_training(name: str, value: Any) -> None:
    if isinstance(value, Mapping):
        choose(name, {"options": TrainingOptions}, {"kind": "options", **value})


VALIDATORS = {
    "random_state": check_seed,
    "epochs": check_integer,
    "batch_size": check_integer,
    "n_components": _validate_count,
    "validation": _validate_share,
    "calibration": lambda name, value: check_calibration(value),
    "false_alarms": lambda name, value: check_false_alarms(value),
    "scale": _validate_scale,
    "device": _validate_device,
    "optimiser": _validate_optimiser,
    "schedule": _validate_schedule,
    "training": _validate_training,
}


def _validate_parts(options: dict[str, Any], faults: Faults) -> None:
    """Add to `faults` what the parts refuse for images of any shape.

    Parts of the user's own may not bear a build without memory: the fit says what they refuse.
    """
    specs = {name: options[name] for name in SPEC_NAMES}
    if custom_paths(specs):
        return
    scale = scale_without_images(options["scale"])
    refusals = [_refusal(specs, shape, scale) for shape in SHAPES]
    if refusals[0] is not None and str(refusals[0]) == str(refusals[1]):
        with faults.catch():
            raise refusals[0]


def _refusal(specs: dict[str, Any], shape: tuple[int, int, int], scale: Any) -> NarrowsError | None:
    """What a build for images of that shape says, or None if it succeeds."""
    try:
        with torch.device("meta"):
            build(specs, shape, scale, seed=0)
    except NarrowsError as error:
        return error
    return None
