"""Options of a training: the dict `training` of an `Autoencoder`, and what it cannot hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import torch

from narrows.choose import choose, validate_spec
from narrows.errors import Faults, wrong
from narrows.image_batches import ImageBatches
from narrows.model.network import Network, device_of
from narrows.model.training.augment import AUGMENTATIONS, KEEP_NOISE, validate_augmentations
from narrows.model.training.optimise import OPTIMISERS, SCHEDULES
from narrows.model.training.validate import validate_measures

PRECISIONS = {"fp32": None, "tf32": None, "bf16": torch.bfloat16}  # the type of autocast, if any


@dataclass(frozen=True)
class TrainingOptions:
    """How a training runs.

    patience: stop after this many epochs without a lower validation loss (training loss without
        validation).
    keep: "best" ends with the weights of the lowest validation loss, "last" with the last ones.
    clip: largest norm of the gradient of all weights.
    ema: decay of an average of the weights, which is then what is validated and kept.
    precision: "fp32", "tf32" (on an NVIDIA GPU) or "bf16" (autocast).
    compile: True, False, or "auto" (only if it repays, see `narrows.model.training.compiled`).
    measures: of the validation images after each epoch, of mse, psnr, ssim, snr; measure_scale:
        "unit" or "symmetric", the scale on which they are taken.
    shard: divide the weights among the ranks, if one device has no room for them
        (`narrows.model.training.distributed`).
    augment: names of augmentations (`narrows.model.training.augment`), by which the images of a step
        are changed.
    least_steps: take at least this many, in smaller batches and more epochs if need be
        (`narrows.model.training.least_steps`).
    """

    patience: int | None = None
    keep: str = "best"
    clip: float | None = None
    ema: float | None = None
    precision: str = "fp32"
    compile: bool | str = False
    measures: Sequence[str] = ()
    measure_scale: str = "unit"
    shard: bool = False
    least_steps: int | None = None
    augment: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.keep not in ("best", "last"):
            raise wrong("keep", self.keep, "'best' or 'last'")
        if not _is_count(self.patience):
            raise wrong("patience", self.patience, "an integer of epochs ≥ 1, or None")
        if not _is_count(self.least_steps):
            raise wrong("least_steps", self.least_steps, "an integer ≥ 1, or None")
        if not (self.clip is None or self.clip > 0):
            raise wrong("clip", self.clip, "a number > 0, or None")
        if not (self.ema is None or 0 < self.ema < 1):
            raise wrong("ema", self.ema, "a decay in (0, 1), or None")
        if self.compile not in (True, False, "auto"):
            raise wrong("compile", self.compile, "True, False or 'auto'")
        validate_augmentations(self.augment)

    def validate(
        self, network: Network, images: ImageBatches, validation: ImageBatches | None
    ) -> None:
        """Refuse what this network, these images or this device cannot do. Raises `BuildError`."""
        precisions = _precisions(device_of(network))
        if self.precision not in precisions:
            raise wrong("precision", self.precision, f"one of {', '.join(precisions)}")
        if self.compile and network.needs_gradient:
            cure = "leave it out: a penalty on the gradient of the code needs second derivatives"
            raise wrong("compile", self.compile, "False", cure)
        validate_measures(self.measures, self.measure_scale, images, validation)


def _is_count(value: Any) -> bool:
    """Whether it is None or an integer ≥ 1."""
    return value is None or (value >= 1 and isinstance(value, Integral))


def _precisions(device: torch.device) -> list[str]:
    """The precisions that a device has."""
    return [name for name in PRECISIONS if name != "tf32" or device.type == "cuda"]


def choose_options(
    options: Mapping[str, Any],
    network: Network,
    images: ImageBatches,
    validation: ImageBatches | None,
) -> TrainingOptions:
    """The options of that dict. Raises `BuildError` for names that do not exist, and for values out
    of range.
    """
    chosen: TrainingOptions = choose("training", {"options": TrainingOptions}, _as_spec(options))
    chosen.validate(network, images, validation)
    return chosen


def _as_spec(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as those of a part, for `choose`."""
    return {"kind": "options", **options}


def validate_without_clean(faults: Faults, options: Any) -> None:
    """Add to `faults` the options that a training on images that are noisy themselves cannot have."""
    given = options if isinstance(options, Mapping) else {}
    if given.get("measures"):
        expected = "none without clean images to compare with"
        faults.add(str(wrong("measures", given["measures"], expected)))
    names = given.get("augment") or ()
    changing = [name for name in names if name in AUGMENTATIONS and name not in KEEP_NOISE]
    if changing:
        expected = f"those that leave the noise as it is: {', '.join(KEEP_NOISE)}"
        faults.add(str(wrong("augment", changing, expected, "leave the others out")))


def validate_training(faults: Faults, optimiser: Any, schedule: Any, options: Any) -> None:
    """Add to `faults` the names of optimisers, schedules and options that do not exist."""
    with faults.catch():
        if not isinstance(options, (Mapping, type(None))):
            raise wrong("training", options, "a dict of options, or None")
        validate_spec("training", {"options": TrainingOptions}, _as_spec(options or {}))
    with faults.catch():
        validate_spec("optimiser", OPTIMISERS, optimiser, ("parameters",))
    with faults.catch():
        validate_spec("schedule", SCHEDULES, schedule)
