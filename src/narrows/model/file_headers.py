"""The headers of model files and of checkpoints, each entry with its type (see `file_format`)."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from narrows.model.training.least_steps import Plan
from narrows.model.training.progress import ProgressHeader

PositiveInt = Annotated[int, Meta(ge=1)]


class LayoutHeader(Struct):
    """The layout of the images that the model was fitted on: `narrows.layout.Layout`."""

    came: Annotated[tuple[PositiveInt, ...], Meta(min_length=1, max_length=3)]
    image: tuple[PositiveInt, PositiveInt, Annotated[int, Meta(ge=1, le=4)]]
    dtype: str
    levels: tuple[float, float] | None = None


class CalibrationHeader(Struct):
    """The calibration: its scores are tensors. source: see `narrows.model.calibration.SOURCES`."""

    source: str
    false_alarms: float
    counts: dict[str, Annotated[int, Meta(ge=1, lt=2**53)]]


class ChoiceHeader(Struct):
    """What a detector found out, see `narrows.model.detector.choice.Choice`. scale: in words. epochs:
    of its networks, if it has tried some.
    """

    rows: list[dict[str, str | float]]
    standards: dict[str, tuple[float, float]]
    weights: dict[str, float]
    kinds: dict[str, str]
    scale: str
    epochs: int | None = None


class Facts(Struct):
    """What every fitted model knows, and an autoencoder of its training."""

    n_features_in_: int
    seed_: int
    threshold_: float | None = None
    thresholds_: dict[str, float] | None = None
    calibration_: CalibrationHeader | None = None
    history_: dict[str, list[float]] | None = None
    epochs_: int | None = None
    planned_: Plan | None = None
    choice_: ChoiceHeader | None = None


class Numbers(Struct):
    """Sizes of the model, for those who read the header alone."""

    parameters: int
    code: int
    side_bits: int


class Header(Struct):
    """The header. options: the constructor's. own: import paths of registered parts. about: the
    writer's. members: the headers of the models that it is made of, by name.
    """

    format: int
    estimator: str
    options: dict[str, Any]
    layout: LayoutHeader
    scale: Literal["unit", "symmetric", "standard", "each", "local"]
    facts: Facts
    versions: dict[str, str]
    about: dict[str, Any]
    numbers: Numbers | None = None
    own: dict[str, dict[str, str]] = {}
    members: dict[str, dict[str, Any]] = {}


class CheckpointHeader(Struct):
    """What a checkpoint holds next to its tensors. settings: of the training, flat, by name."""

    settings: dict[str, Any]
    numbers: ProgressHeader
