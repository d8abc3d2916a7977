"""What the values of an image mean: the levels of black and white. numpy only.

They are those of the type of the values, unless a file or the user says otherwise (a camera of 12
bits in a file of 16 has 0 and 4095):

    unit = (v - black) / (white - black)
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from narrows.errors import ImageError, wrong


class Levels(NamedTuple):
    """The values of black and white."""

    black: float
    white: float

    @property
    def span(self) -> float:
        return self.white - self.black


class Window(Levels):
    """Black and white of values that mean the same in every file, such as Hounsfield units: a view of
    them, not their scale. A set has the lowest and the highest of its windows, and a model reads such
    values by its own levels.
    """

    __slots__ = ()


def common_window(windows: Iterable[Levels]) -> Window:
    """From the lowest black to the highest white."""
    blacks, whites = zip(*windows)
    return Window(min(blacks), max(whites))


LEVELS = {  # of each type of images
    "uint8": Levels(0, 255),
    "uint16": Levels(0, 65535),
    "int16": Levels(-32768, 32767),
    "bool": Levels(0, 1),
    "float16": Levels(0, 1),
    "float32": Levels(0, 1),
    "float64": Levels(0, 1),
}
UNIT_LEVELS = Levels(0, 1)
AUTO_LEVELS = "auto"
PERCENTILES = (0.1, 99.9)  # of the values of images, that `AUTO_LEVELS` stands for
PERCENTILES_OF = 1000  # images


def check_levels(levels: Any) -> Levels:
    """Levels given by a user or a file. Raises `BuildError` if they are not two finite numbers, black
    below white.
    """
    expected = "(black, white): two numbers, the first below the second, such as (0, 4095)"
    try:
        black, white = map(float, levels)
    except (TypeError, ValueError):
        raise wrong("levels", levels, expected) from None
    if not (np.isfinite((black, white, white - black)).all() and black < white):
        raise wrong("levels", levels, expected)
    return Levels(black, white)


def percentile_levels(array: np.ndarray) -> Levels:
    """The 0.1 and 99.9 percentiles of images, of at most 1,000 of them, evenly spaced.

    Raises `ImageError` if they are equal.
    """
    step = -(-len(array) // PERCENTILES_OF)
    values = np.asarray(array[::step], dtype=np.float64)
    low, high = np.percentile(values[np.isfinite(values)], PERCENTILES)
    if not low < high:
        raise ImageError(f"levels='auto': {PERCENTILES_OF} of the images have one value, {low:g}")
    return Levels(float(low), float(high))


def levels_of(dtype: np.dtype) -> Levels:
    """Black and white of a type of images: 0 and 255 for uint8, 0 and 1 for floats."""
    return LEVELS.get(dtype.name, UNIT_LEVELS)


def unit_values(images: np.ndarray, levels: Levels | None = None) -> np.ndarray:
    """Values as float32 in units of white, not clipped. levels: None for those of the type."""
    black, white = levels or levels_of(images.dtype)
    unit = images.astype(np.float32)
    if black:
        unit -= np.float32(black)
    return unit / np.float32(white - black)


def from_unit_values(unit: np.ndarray, dtype: np.dtype, levels: Levels | None = None) -> np.ndarray:
    """Values of that type for floats in units of white, clipped to [0, 1]; `unit` is written over.

    levels: None for those of the type.
    """
    black, white = levels or levels_of(dtype)
    np.clip(unit, 0, 1, out=unit)
    if (black, white) != UNIT_LEVELS:
        np.multiply(unit, white - black, out=unit)
        unit += black
    if dtype.kind in "iub":
        np.rint(unit, out=unit)
    return unit.astype(dtype)
