"""The working scale: the one place that converts between images as given and what a network
computes on.

Inside, a batch is a float32 tensor `(N, C, H, W)` on the *working scale* of the model:

    unit = (raw - black) / (white - black)    0 and 255 for uint8, 0 and 1 for floats: `levels`
    working = (unit - offset) * gain

    unit        offset 0     gain 1      [0, 1]
    symmetric   offset 1/2   gain 2      [-1, 1]
    standard    offset mean  gain 1/std  each feature of a table by itself
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from narrows.errors import unknown
from narrows.layout import Layout
from narrows.levels import UNIT_LEVELS, from_unit_values

CONSTANT = 1e-9  # a feature whose deviation is less, against 1 + |mean|, is constant


def to_unit(raw: Tensor, layout: Layout) -> Tensor:
    """Values as they were given, `(N, *given)`, as float32 `(N, C, H, W)` in units of white."""
    images = raw.reshape(raw.shape[0], *layout.image)
    unit = images.permute(0, 3, 1, 2).float()  # in memory: channels last
    if layout.levels == UNIT_LEVELS:
        return unit
    if layout.levels.black:
        unit = unit - layout.levels.black
    unit = unit * (1 / layout.levels.span)
    return unit.clamp(0, 1) if layout.has_own_levels else unit


def as_given(images: Tensor, layout: Layout) -> Tensor:
    """Images `(N, C, H, W)` in the shape in which they were given, `(N, *given)`."""
    return images.permute(0, 2, 3, 1).reshape(images.shape[0], *layout.given)


def to_user(unit: Tensor, layout: Layout, exact: bool = False) -> np.ndarray:
    """Images `(N, C, H, W)` in units of white, in the shape, range and type in which they were
    given.

    exact: hand back floats as they are, neither clipped nor rounded.
    """
    values = as_given(unit.detach().cpu(), layout).numpy()
    if exact:
        return values
    dtype = np.dtype(layout.dtype)
    if layout.is_table and layout.levels == UNIT_LEVELS:
        return values.astype(dtype)
    return from_unit_values(np.array(values), dtype, layout.levels)


@dataclass(frozen=True)
class Scale:
    """The working scale: `working = (unit - offset) * gain` (see the module)."""

    name: str
    offset: float | Tensor
    gain: float | Tensor

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Lowest and highest value of an image on this scale; None if it has no bounds."""
        return SCALE_BOUNDS.get(self.name)

    def work(self, unit: Tensor) -> Tensor:
        """From units of white to the working scale."""
        if self.name == "unit":
            return unit
        return (unit - self.offset).mul_(self.gain)

    def unit(self, working: Tensor) -> Tensor:
        """From the working scale back to units of white."""
        if self.name == "unit":
            return working
        return working / self.gain + self.offset

    def to(self, device: torch.device) -> "Scale":
        if isinstance(self.offset, Tensor) and isinstance(self.gain, Tensor):
            return replace(self, offset=self.offset.to(device), gain=self.gain.to(device))
        return self


SCALE_BOUNDS = {"unit": (0.0, 1.0), "symmetric": (-1.0, 1.0)}
FIXED_SCALES = {"unit": Scale("unit", 0.0, 1.0), "symmetric": Scale("symmetric", 0.5, 2.0)}
SCALES = ("auto", *FIXED_SCALES, "standard")


def choose_scale(name: str, array: np.ndarray, layout: Layout) -> Scale:
    """The scale of that name for these images. "auto": unit for images, standard for tables of floats."""
    if name not in SCALES:
        raise unknown("scale", name, SCALES)
    if name == "auto":
        name = "standard" if layout.is_table and layout.levels == UNIT_LEVELS else "unit"
    if name == "standard":
        return _standard_scale(array, layout)
    return FIXED_SCALES[name]


def _standard_scale(array: np.ndarray, layout: Layout) -> Scale:
    """Each feature to mean 0 and deviation 1; one that is constant stays constant."""
    array = np.ascontiguousarray(array)  # the order in memory decides the last digits of a sum
    black, span = layout.levels.black, layout.levels.span
    mean = (array.mean(axis=0, dtype=np.float64) - black) / span
    std = array.std(axis=0, dtype=np.float64) / span
    varies = std > CONSTANT * (1 + abs(mean))
    gain = 1 / np.where(varies, std, 1.0)
    return Scale("standard", _feature_map(mean, layout), _feature_map(gain, layout))


def _feature_map(values: np.ndarray, layout: Layout) -> Tensor:
    """One value a feature, `(*given)`, as float32 `(C, H, W)`."""
    return torch.from_numpy(values).reshape(layout.image).permute(2, 0, 1).float()
