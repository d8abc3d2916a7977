"""What a batch of images is: the form of one image, the type of its values, and what they mean. numpy only.

Images are `(N, D)`, `(N, H, W)` or `(N, H, W, C)` with C of 1 to 4. A table `(N, D)` without an image shape is
treated as D values in one row, `(N, 1, 1, D)`.
"""

from dataclasses import dataclass
from math import ceil, prod
from operator import index as integer
from typing import Any

import numpy as np

from narrows.errors import Faults, ImageError

WHITE_LEVELS = {"uint8": 255, "uint16": 65535, "bool": 1, "float16": 1, "float32": 1, "float64": 1}
CHECK = 4096  # images checked in one go


@dataclass(frozen=True)
class Layout:
    """The form of a batch: what one image looked like when it given, so that results go back in it.

    given: shape of one image as it was given: `(D,)`, `(H, W)` or `(H, W, C)`.
    image: the same as an image, always `(H, W, C)`.
    dtype: the name of its numpy type.
    """

    given: tuple[int, ...]
    image: tuple[int, int, int]
    dtype: str

    @property
    def white(self) -> int:
        return WHITE_LEVELS.get(self.dtype, 1)

    @property
    def chw(self) -> tuple[int, int, int]:
        height, width, channels = self.image
        return channels, height, width

    @property
    def is_table(self) -> bool:
        """A table of features, not images: one row of values."""
        return self.image == (1, prod(self.given), 1)


def layout_of(array: np.ndarray, image_shape: tuple[int, ...] | None) -> Layout:
    given = array.shape[1:]
    shape = given if image_shape is None else _numbers(image_shape)
    if image_shape is not None and (len(shape) not in (2, 3) or min(shape) < 1 or prod(shape) != prod(given)):
        raise ImageError(
            f"image_shape {image_shape} does not fit images of shape {given}; "
            f"expected (H, W) or (H, W, C) with {prod(given)} values in all"
        )
    image = (1, *shape, 1) if len(shape) == 1 else (*shape, 1) if len(shape) == 2 else shape
    if not 1 <= image[2] <= 4:
        raise ImageError(f"got {image[2]} channels (shape {array.shape}); expected 1 to 4 in the last place")
    return Layout(given, (image[0], image[1], image[2]), array.dtype.name)


def _numbers(shape: Any) -> tuple[int, ...]:
    """The whole numbers in `shape`; none where it is something else."""
    try:
        return tuple(integer(n) for n in shape)
    except TypeError:
        return ()


def validate_images(array: np.ndarray, layout: Layout, ranged: bool, expected: Layout | None = None) -> None:
    """Refuse what no model can use; all faults at once.

    ranged: floats that are images must lie in [0, 1] (asked for where a model is fitted).
    expected: the layout that the model was fitted on: channels and size must agree.
    """
    faults = Faults("these images cannot be used")
    if expected is not None:
        _agree(faults, layout, expected)
    if array.dtype.kind == "f":
        _values(faults, array, ranged and not layout.is_table)
    faults.stop(ImageError)


def _agree(faults: Faults, got: Layout, expected: Layout) -> None:
    if got.image[2] != expected.image[2]:
        faults.add(f"they have {got.image[2]} channels, the model was fitted on {expected.image[2]}")
    if got.image[:2] != expected.image[:2]:
        faults.add(
            f"they are {got.image[0]} x {got.image[1]} pixels, "
            f"the model was fitted on {expected.image[0]} x {expected.image[1]}"
        )


def _values(faults: Faults, array: np.ndarray, ranged: bool) -> None:
    low, high, bad, first = np.inf, -np.inf, 0, None
    for start in range(0, len(array), CHECK):
        part = array[start : start + CHECK].reshape(len(array[start : start + CHECK]), -1)
        fine = np.isfinite(part)
        if not fine.all():
            bad += int((~fine).sum())
            first = start + int((~fine.all(axis=1)).argmax()) if first is None else first
        low = min(low, part.min(where=fine, initial=np.inf))
        high = max(high, part.max(where=fine, initial=-np.inf))
    if bad:
        faults.add(f"{bad} values are NaN or infinity (the first in image {first})")
    if ranged and bad < array.size and (low < 0 or high > 1):
        cure = "divide by 255, or pass uint8" if 1 < high <= 255 and low >= 0 else "scale them to [0, 1]"
        faults.add(f"float images must lie in [0, 1], these run from {low:.4g} to {high:.4g}; {cure}")


def contact_sheet(
    images: np.ndarray, columns: int | None = None, gap: int = 1, fill: float | None = None
) -> np.ndarray:
    """Images `(N, H, W)` or `(N, H, W, C)` in rows, as one image; `gap` pixels of `fill`, or white, between them."""
    count, height, width = images.shape[:3]
    columns = columns or max(1, ceil(count**0.5))
    rows = ceil(count / columns)
    size = (rows * (height + gap) - gap, columns * (width + gap) - gap, *images.shape[3:])
    white = WHITE_LEVELS.get(images.dtype.name, 1)
    sheet = np.full(size, white if fill is None else fill, dtype=images.dtype)
    for k, image in enumerate(images):
        top, left = (k // columns) * (height + gap), (k % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet
