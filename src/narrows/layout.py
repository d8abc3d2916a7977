"""What a batch of images is: the shape of one image, the type of its values, and what they mean.
numpy only.

Images are `(N, D)`, `(N, H, W)` or `(N, H, W, C)` with C of 1 to 4. A table `(N, D)` without an
image shape is one row of D values an image: 1 channel, height 1, width D.

A value v is between the levels of black and white, which are those of its type unless a file or the
user says otherwise (a camera of 12 bits in a file of 16: 0 and 4095):

    unit = (v - black) / (white - black)
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, prod
from operator import index as as_integer
from typing import NamedTuple

import numpy as np

from narrows.errors import Faults, ImageError


class Levels(NamedTuple):
    """The values of black and white."""

    black: float
    white: float

    @property
    def span(self) -> float:
        return self.white - self.black


LEVELS = {  # of each type of images
    "uint8": Levels(0, 255),
    "uint16": Levels(0, 65535),
    "bool": Levels(0, 1),
    "float16": Levels(0, 1),
    "float32": Levels(0, 1),
    "float64": Levels(0, 1),
}
WHITE_LEVELS = {name: levels.white for name, levels in LEVELS.items()}
UNIT_LEVELS = Levels(0, 1)
CHECKED_AT_ONCE = 4096  # images

ImageShape = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """The shape and type of the images of a batch, so that results are handed back as the images
    were given.

    given: shape of one image as it was given: `(D,)`, `(H, W)` or `(H, W, C)`.
    image: the same as an image, always `(H, W, C)`.
    dtype: the name of its numpy type.
    """

    given: ImageShape
    image: tuple[int, int, int]
    dtype: str

    @property
    def white(self) -> float:
        """The value of white: 255 for uint8."""
        return WHITE_LEVELS.get(self.dtype, 1)

    @property
    def chw(self) -> tuple[int, int, int]:
        height, width, channels = self.image
        return channels, height, width

    @property
    def is_table(self) -> bool:
        """A table of features, not images: one row of values."""
        return self.image == (1, prod(self.given), 1)


def white_level(array: np.ndarray) -> float:
    """The value of white in an array of images: 255 for uint8, 1 for floats."""
    return WHITE_LEVELS.get(array.dtype.name, 1)


def layout_of(array: np.ndarray, image_shape: ImageShape | None) -> Layout:
    """The layout of images `(N, *given)`. Raises `ImageError`.

    image_shape: what a table's rows are as images, `(H, W)` or `(H, W, C)`; None: `given` says it.
    """
    given = array.shape[1:]
    shape = given
    if image_shape is not None:
        shape = _checked_image_shape(image_shape, given)
    if len(shape) == 1:
        shape = (1, *shape)
    if len(shape) == 2:
        shape = (*shape, 1)
    height, width, channels = shape
    if not 1 <= channels <= 4:
        raise ImageError(
            f"got {channels} channels (shape {array.shape}); expected 1 to 4 in the last place"
        )
    return Layout(given, (height, width, channels), array.dtype.name)


def _checked_image_shape(image_shape: Iterable[int], given: ImageShape) -> ImageShape:
    try:
        shape = tuple(as_integer(side) for side in image_shape)
    except TypeError:  # not a sequence, or not of integers
        shape = ()
    if len(shape) not in (2, 3) or min(shape) < 1 or prod(shape) != prod(given):
        raise ImageError(
            f"image_shape {image_shape} does not fit images of shape {given}; "
            f"expected (H, W) or (H, W, C) with {prod(given)} values in all"
        )
    return shape


def validate_images(
    array: np.ndarray, layout: Layout, ranged: bool, expected: Layout | None = None
) -> None:
    """Refuse what no model can use; all faults at once.

    ranged: floats that are images must lie in [0, 1] (asked for when a model is fitted).
    expected: the layout that the model was fitted on: channels and size must agree.
    """
    faults = Faults("these images cannot be used")
    if expected is not None:
        _compare_layouts(faults, layout, expected)
    if array.dtype.kind == "f":
        _check_values(faults, array, ranged and not layout.is_table)
    faults.stop(ImageError)


def _compare_layouts(faults: Faults, got: Layout, expected: Layout) -> None:
    height, width, channels = got.image
    fitted_height, fitted_width, fitted_channels = expected.image
    if channels != fitted_channels:
        faults.add(f"they have {channels} channels, the model was fitted on {fitted_channels}")
    if (height, width) != (fitted_height, fitted_width):
        faults.add(
            f"they are {height} x {width} pixels, the model was fitted on {fitted_height} x {fitted_width}"
        )


def _check_values(faults: Faults, array: np.ndarray, ranged: bool) -> None:
    values = value_range(array)
    if values.not_finite:
        faults.add(
            f"{values.not_finite} values are NaN or infinity (the first in image {values.first})"
        )
    if not ranged or values.not_finite == array.size:
        return
    if values.low < 0 or values.high > 1:
        cure = "scale them to [0, 1]"
        if values.low >= 0 and 1 < values.high <= 255:
            cure = "divide by 255, or pass uint8"
        faults.add(
            f"float images must lie in [0, 1], these run from {values.low:.4g} to {values.high:.4g}; {cure}"
        )


class ValueRange(NamedTuple):
    """Lowest and highest finite value, how many are not finite, and the first image with such a value."""

    low: float
    high: float
    not_finite: int
    first: int


def value_range(array: np.ndarray) -> ValueRange:
    """The range of the values of images `(N, ...)`, a few thousand images at a time."""
    low, high = np.inf, -np.inf
    not_finite = 0
    first = -1
    for start in range(0, len(array), CHECKED_AT_ONCE):
        images = array[start : start + CHECKED_AT_ONCE]
        rows = images.reshape(len(images), -1)
        finite = np.isfinite(rows)
        low = min(low, rows.min(where=finite, initial=np.inf))
        high = max(high, rows.max(where=finite, initial=-np.inf))
        if finite.all():
            continue
        if not not_finite:
            first = start + int(finite.all(axis=1).argmin())
        not_finite += int(np.count_nonzero(~finite))
    return ValueRange(low, high, not_finite, first)


def contact_sheet(
    images: np.ndarray, columns: int | None = None, gap: int = 1, fill: float | None = None
) -> np.ndarray:
    """Images `(N, H, W)` or `(N, H, W, C)` in rows, as one image.

    gap: pixels between them, of the value `fill`; None: white.
    """
    count, height, width = images.shape[:3]
    columns = columns or max(1, ceil(count**0.5))
    rows = ceil(count / columns)
    down = height + gap
    across = width + gap
    shape = (rows * down - gap, columns * across - gap, *images.shape[3:])
    if fill is None:
        fill = white_level(images)
    sheet = np.full(shape, fill, dtype=images.dtype)
    for k, image in enumerate(images):
        row, column = divmod(k, columns)
        top = row * down
        left = column * across
        sheet[top : top + height, left : left + width] = image
    return sheet
