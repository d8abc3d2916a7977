"""What a batch of images is: the shape of one image, the type of its values, and what they mean.
numpy only.

Images are `(N, D)`, `(N, H, W)` or `(N, H, W, C)` with C of 1 to 4. A table `(N, D)` without an
image shape is one row of D values an image: 1 channel, height 1, width D.
Its values lie between the levels of black and white (`narrows.levels`).
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, prod
from operator import index as as_integer
from typing import NamedTuple

import numpy as np

from narrows.errors import Faults, ImageError, NarrowsWarning
from narrows.levels import LEVELS, Levels, levels_of
from narrows.mapped import in_parts, scattered_parts

LOOKED_AT = 1000  # images, whose highest value is sought
FAR = 10  # spans from black to white, beyond which even noisy images are on another scale
ROUNDING = 1e-4  # by which a resampling or a division may miss [0, 1]

ImageShape = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """The shape and type of the images of a batch, so that results are handed back as the images
    were given.

    given: shape of one image as it was given: `(D,)`, `(H, W)` or `(H, W, C)`.
    image: the same as an image, always `(H, W, C)`.
    dtype: the name of its numpy type.
    levels: the values of black and white.
    """

    given: ImageShape
    image: tuple[int, int, int]
    dtype: str
    levels: Levels

    @property
    def has_own_levels(self) -> bool:
        """Whether black and white are others than those of the type."""
        return self.levels != LEVELS[self.dtype]

    @property
    def chw(self) -> tuple[int, int, int]:
        height, width, channels = self.image
        return channels, height, width

    @property
    def is_table(self) -> bool:
        """A table of features, not images: one row of values."""
        return self.image == (1, prod(self.given), 1)


def matching_levels(dtype: np.dtype, layout: Layout) -> Levels:
    """Those of the layout for values of its type, floats of any precision alike; else those of the type."""
    known = np.dtype(layout.dtype)
    if dtype == known or dtype.kind == known.kind == "f":
        return layout.levels
    return levels_of(dtype)


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
    return Layout(given, (height, width, channels), array.dtype.name, levels_of(array.dtype))


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
) -> "ValueRange | None":
    """Refuse what no model can use; all faults at once. Returns the range of floats.

    ranged: floats that are images must lie in [0, 1] (asked for when a model is fitted), but for
        rounding, and unless their levels are others.
    expected: the layout that the model was fitted on: channels and size must agree.
    """
    faults = Faults("these images cannot be used")
    if expected is not None:
        _compare_layouts(faults, layout, expected)
    values = None
    if array.dtype.kind == "f":
        values = value_range(array)
        has_range = ranged and not layout.is_table and not layout.has_own_levels
        _check_values(faults, values, has_range and values.not_finite < array.size)
    faults.stop(ImageError)
    return values


def _compare_layouts(faults: Faults, got: Layout, expected: Layout) -> None:
    height, width, channels = got.image
    fitted_height, fitted_width, fitted_channels = expected.image
    if channels != fitted_channels:
        faults.add(f"they have {channels} channels, the model was fitted on {fitted_channels}")
    if (height, width) != (fitted_height, fitted_width):
        faults.add(
            f"they are {height} x {width} pixels, the model was fitted on {fitted_height} x {fitted_width}"
        )


def _check_values(faults: Faults, values: "ValueRange", ranged: bool) -> None:
    if values.not_finite:
        faults.add(
            f"values that are NaN or infinity: {values.not_finite} (the first in image {values.first})"
        )
    if ranged and (values.low < -ROUNDING or values.high > 1 + ROUNDING):
        cure = "scale them to [0, 1]"
        if values.low >= 0 and 1 < values.high <= 255:
            cure = "divide by 255, or pass uint8, or say what is black and white: levels=(0, 255)"
        faults.add(
            f"float images must lie in [0, 1], these run from {values.low:.4g} to {values.high:.4g}; {cure}"
        )


def warn_of_dark_integers(array: np.ndarray, layout: Layout) -> None:
    """Warn of integers that use a small part of their type's range, as a camera of 12 bits does in
    files of 16.
    """
    if array.dtype.kind not in "iu" or layout.is_table or layout.has_own_levels:
        return
    high = max(int(images.max()) for images in scattered_parts(array, LOOKED_AT))
    bits = high.bit_length()
    if layout.levels.black == 0 and high > 0 and 2**bits <= layout.levels.white / 4:
        warnings.warn(
            f"the images are {array.dtype}, whose white is {layout.levels.white:,.0f}, and their highest "
            f"value is {high:,}: if they are of {bits} bits, say so: levels=(0, {2**bits - 1}) "
            f"(--range 0 {2**bits - 1})",
            NarrowsWarning,
            stacklevel=5,
        )


def warn_of_other_scale(values: "ValueRange", levels: Levels) -> None:
    """Warn of floats that are far from black and white, such as 0..255 where 1 is white."""
    black, white = levels
    if max(values.high - white, black - values.low) > FAR * levels.span:
        warnings.warn(
            f"these images run from {values.low:.4g} to {values.high:.4g}, and for this model black is "
            f"{black:g} and white is {white:g}: bring them to the same scale",
            NarrowsWarning,
            stacklevel=5,
        )


class ValueRange(NamedTuple):
    """Lowest and highest finite value, how many are not finite, and the first image with such a value."""

    low: float
    high: float
    not_finite: int
    first: int


def value_range(array: np.ndarray) -> ValueRange:
    """The range of the values of images `(N, ...)`, a part of them at a time."""
    low, high = np.inf, -np.inf
    not_finite = 0
    first = -1
    for start, images in in_parts(array):
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
        fill = levels_of(images.dtype).white
    sheet = np.full(shape, fill, dtype=images.dtype)
    for k, image in enumerate(images):
        row, column = divmod(k, columns)
        top = row * down
        left = column * across
        sheet[top : top + height, left : left + width] = image
    return sheet
