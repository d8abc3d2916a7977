"""What a model answers if it has nothing of its own to say: no training in epochs, no noise, no
side channel.

`narrows.model.protocol.Model` says what the answers mean.
"""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from narrows.errors import Faults, wrong
from narrows.layout import Layout, matching_levels
from narrows.levels import Levels, Window
from narrows.measure import CodeStatistics
from narrows.model.density import CodeDensity
from narrows.model.estimator.nested import nested_parameters, with_nested
from narrows.model.training.least_steps import Plan, respect_choice
from narrows.model.usual_error import UsualError
from narrows.parts.corruption import Corruption
from narrows.parts.term import Term


class DefaultAnswers:
    """The defaults of a model's attributes and questions."""

    device_: torch.device = torch.device("cpu")
    side_bits_: int = 0
    history_: Mapping[str, list[float]] = {}
    steps_: Mapping[str, np.ndarray] = {}
    epochs_: int | None = None
    planned_: Plan | None = None
    validation_index_: np.ndarray | None = None
    calibration_index_: np.ndarray | None = None
    density_: CodeDensity | None = None
    usual_error_: UsualError | None = None
    about_: Mapping[str, Any] = {}
    layout_: Layout
    # black and white of the images that come next, if a file says them: see `with_input_levels`
    input_levels: Levels | None = None

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The options of the constructor; deep: also those of its parts, such as `bottleneck__size`."""
        options = super().get_params(deep)  # type: ignore[misc]
        return {**options, **nested_parameters(options)} if deep else options

    def set_params(self, **params: Any) -> Self:
        """Change options, also those of parts: `set_params(bottleneck__size=8)`, see `nested`. With
        epochs or a batch size `least_steps` ends, see `narrows.model.training.least_steps`.

        Raises `NarrowsError` with every name that does not exist.
        """
        options = self.get_params(deep=False)
        changes = with_nested(options, params)
        if not {"training", "training__least_steps"} & params.keys():
            changes = respect_choice(options, changes)
        return super().set_params(**changes)  # type: ignore[misc]

    def levels_for(self, dtype: np.dtype) -> Levels:
        """Black and white of images of that type: what a file says of them, else those that the model
        was fitted on if these are of the same type, else those of the type. A window says nothing to
        a model that has levels of its own.
        """
        if isinstance(self.input_levels, Window) and self.layout_.has_own_levels:
            return self.layout_.levels
        return self.input_levels or matching_levels(dtype, self.layout_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    @property
    def terms_(self) -> Mapping[str, Term]:
        """The terms of its loss by their names in `history_`."""
        return {}

    @property
    def choice_in_words_(self) -> str:
        """What it has chosen by itself and why, as text; empty if there was nothing to choose."""
        return ""

    @property
    def own_tables_(self) -> list[dict[str, Any]]:
        """Tables that a page shows of this model alone: title, caption, rows."""
        return []

    @property
    def member_models_(self) -> Mapping[str, Any]:
        """The models that it is made of, by name."""
        return {}

    def take_member_models(self, members: Mapping[str, Any]) -> None:
        """Take over the models that it is made of, from a model file."""
        raise wrong("members", list(members), f"none: a {type(self).__name__} has none")

    def replace_member_models(self, members: Mapping[str, Any]) -> None:
        """Take others in place of the models that it is made of, of the same names."""

    @property
    def own_scores_(self) -> Mapping[str, Any]:
        """Kinds of anomaly score that this model alone has, the best first."""
        return {}

    @property
    def is_variational(self) -> bool:
        """Whether codes are sampled, so that there is a bound on the likelihood."""
        return False

    @property
    def fits_in_epochs(self) -> bool:
        """Whether it is trained epoch by epoch."""
        return False

    @property
    def wants_pairs(self) -> bool:
        """Whether `fit` needs the user's own noisy images."""
        return False

    @property
    def learns_from_noisy(self) -> bool:
        """Whether the images that `fit` takes are noisy themselves."""
        return False

    @property
    def noise_(self) -> Corruption | None:
        """The noise that it was trained on and can make, if any."""
        return None

    @property
    def margin_(self) -> int | None:
        """Pixels around a tile that its result depends on, of a network that is given the noise and takes
        images of any size; None of others. `narrows.denoise` has its pictures.
        """
        return None

    @property
    def code_is_feature_map_(self) -> bool:
        """Whether the code is the feature map of a network."""
        return False

    def validate_options(self, faults: Faults) -> None:
        """Add to `faults` the options that no fit could use, whatever the images."""

    def code_measures(self, statistics: CodeStatistics) -> dict[str, float]:
        """What `evaluate` reports of the units of the code."""
        return {}

    def filters(self, end: str) -> np.ndarray | None:
        """The units of the first linear layer ("encoder") or of the last ("decoder") as images."""
        return None

    def kernels(self) -> list[np.ndarray]:
        """The kernels of the convolutions of the decoder."""
        return []

    def exported_tensors(self) -> dict[str, Tensor]:
        """Its attributes that are arrays, as tensors, for ONNX."""
        return {}

    def exported_modules(self) -> dict[str, nn.Module]:
        """Its attributes that are modules, for ONNX."""
        return {}
