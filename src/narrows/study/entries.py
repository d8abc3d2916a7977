"""What the entries of a history mean: the loss, the terms as the model names them, measures of
validation images.

    loss        the sum of its terms, in the unit that they share, if they share one
    NAME        a term of the loss; its title, unit and caption come from the part or the
                objective that makes it
    val_NAME    the same over the validation images, or a measure of them (`narrows.measure.names`)

Nothing here lists the terms: an entry that the model does not name is shown under its own name,
without a unit.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from narrows.measure.names import MEASURE_NAMES, measure_title, measure_unit, with_unit
from narrows.model.estimator.base import ImageModel
from narrows.study.trained import Trained

VALIDATION = "val_"
MEASURE_SCALES = {"unit": "[0, 1]", "symmetric": "[-1, 1]"}
# the ends of a unit of what is summed over an image, and of its share
AN_IMAGE, A_VALUE = " an image", " a value"


@dataclass(frozen=True)
class Entry:
    """An entry of a history in words. validation: whether it is of the validation images."""

    title: str
    unit: str = ""
    validation: bool = False

    @property
    def line(self) -> str:
        """The name of its line in a figure, such as "validation loss"."""
        return f"validation {self.title}" if self.validation else self.title

    @property
    def words(self) -> str:
        """Such as "validation loss, nats an image"."""
        part = "validation" if self.validation else "training"
        return with_unit(f"{part} {self.title}", self.unit)


def describe_entry(run: Trained, name: str) -> Entry:
    """An entry of the run's history, or of its steps."""
    validation, base = name.startswith(VALIDATION), name.removeprefix(VALIDATION)
    if base == "loss":
        return Entry("loss", loss_unit(run), validation)
    if base in run.terms:
        term = run.terms[base]
        return Entry(term.title, term.unit, validation)
    if base in MEASURE_NAMES:
        title, _, _ = measure_title(base).partition(",")
        return Entry(title, measure_unit(base, training_scale(run.model)), validation)
    return Entry(base, "", validation)


def loss_unit(run: Trained) -> str:
    """The unit of the loss: that of its terms, or "" if they do not share one."""
    return common_unit(term.unit for term in run.terms.values())


def common_unit(units: Iterable[str]) -> str:
    """The unit that all have, or ""."""
    kinds = set(units)
    return kinds.pop() if len(kinds) == 1 else ""


def per_value(unit: str) -> str:
    """The unit of a sum over an image, once it is divided by the number of values."""
    if unit.endswith(AN_IMAGE):
        return unit.removesuffix(AN_IMAGE) + A_VALUE
    return unit


def loss_entries(kept: Mapping[str, Any]) -> list[str]:
    """The loss and all its terms, of the training and then of the validation; not the measures and
    the times.
    """
    terms = [name for name in kept if not name.startswith(VALIDATION) and not is_time(name)]
    of_validation = [f"{VALIDATION}{name}" for name in terms]
    return terms + [name for name in of_validation if name in kept]


def is_time(name: str) -> bool:
    """Whether an entry is a wall time."""
    return name.endswith("seconds")


def training_scale(model: ImageModel) -> str:
    """The scale of the measures that are taken after each epoch."""
    options = model.get_params(deep=False).get("training") or {}
    return MEASURE_SCALES[options.get("measure_scale", "unit")]


def working_scale(model: ImageModel) -> str:
    """The scale that a model computes on, and its loss with it."""
    ends = model.scale_.bounds
    if model.scale_.is_per_image:
        return f"the scale {model.scale_.name!r}"
    if not ends:
        return "standardised features"
    return f"[{ends[0]:g}, {ends[1]:g}]"
