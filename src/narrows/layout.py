"""What a batch of images is, and the one place that converts.

Images come in as `(N, D)`, `(N, H, W)` or `(N, H, W, C)` with C of 1 to 4, and go back in the form that they came
in. Besides arrays there are four forms, which become such arrays first:

    pictures    a list of Pillow's, upright; palettes, CMYK and the like become RGB or RGBA, bits become grey
    tensors     of torch: `(N, C, H, W)` becomes `(N, H, W, C)` where C is 1 to 4 and W is more
    lists       of arrays, tensors or pictures of one shape
    data sets   of torch, with a length: each item, or the first entry of a tuple; all of them are held in memory

Inside, a batch is a float32 tensor `(N, C, H, W)` on the *working scale* of the model:

    unit = raw / peak                    peak: 255 for uint8, 65535 for uint16, 1 for floats and booleans
    working = (unit - offset) * gain

    unit        offset 0     gain 1      [0, 1]
    symmetric   offset 1/2   gain 2      [-1, 1]
    standard    offset mean  gain 1/std  each feature of a table on its own

A table `(N, D)` without an image shape is treated as D values in one row, `(N, 1, 1, D)`.
"""

from collections import Counter
from dataclasses import dataclass, replace
from math import ceil, prod
from operator import index as whole
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from narrows.errors import Faults, ImageError, unknown

WHITE_LEVELS = {"uint8": 255, "uint16": 65535, "bool": 1, "float16": 1, "float32": 1, "float64": 1}
CHECK = 4096  # images checked in one go
KEPT = ("L", "LA", "RGB", "RGBA", "I;16", "F")  # modes of pictures whose pixels are taken as they are


@dataclass(frozen=True)
class Layout:
    """The form of a batch: what one image looked like when it came, so that results go back in it.

    came: shape of one image as given: `(D,)`, `(H, W)` or `(H, W, C)`.
    image: the same as an image, always `(H, W, C)`.
    dtype: the name of its numpy type.
    """

    came: tuple[int, ...]
    image: tuple[int, int, int]
    dtype: str

    @property
    def peak(self) -> int:
        return WHITE_LEVELS.get(self.dtype, 1)

    @property
    def chw(self) -> tuple[int, int, int]:
        height, width, channels = self.image
        return channels, height, width

    @property
    def is_table(self) -> bool:
        """A table of features, not images: one row of values."""
        return self.image == (1, prod(self.came), 1)

    def read(self, raw: Tensor) -> Tensor:
        """Values as they came, `(N, *came)`, as float32 `(N, C, H, W)` in units of the peak."""
        x = raw.reshape(raw.shape[0], *self.image).permute(0, 3, 1, 2).float()  # in memory: channels last
        return x if self.peak == 1 else x * (1 / self.peak)

    def back(self, images: Tensor) -> Tensor:
        """Images `(N, C, H, W)` in the form that they came in, `(N, *came)`."""
        return images.permute(0, 2, 3, 1).reshape(images.shape[0], *self.came)

    def give(self, unit: Tensor, exact: bool = False) -> np.ndarray:
        """Images `(N, C, H, W)` in units of the peak, back in the form, range and type that they came in.

        exact: hand back floats as they are, neither clipped nor rounded.
        """
        values = self.back(unit.detach().cpu()).numpy()
        if exact:
            return values
        if not self.is_table or self.peak > 1:
            values = np.clip(values, 0, 1)
        dtype = np.dtype(self.dtype)
        return (np.rint(values * self.peak) if dtype.kind in "ub" else values).astype(dtype)


def as_images(X: Any, image_shape: tuple[int, ...] | None = None) -> tuple[np.ndarray, Layout]:
    """The images as an array, and their layout. Raises `ImageError` where they are no batch of images."""
    array = _as_array(X)
    if array.dtype.name not in WHITE_LEVELS and array.ndim == 2 and image_shape is None and array.dtype.kind in "iuf":
        array = array.astype(np.float64)
    if array.dtype.name not in WHITE_LEVELS:
        raise ImageError(
            f"the images are of type {array.dtype}; known: {', '.join(WHITE_LEVELS)}; "
            "for values 0..255 use X.astype('uint8')"
        )
    if len(array.shape) not in (2, 3, 4):
        raise ImageError(
            f"got an array of shape {array.shape}; expected (N, D), (N, H, W) or (N, H, W, C); "
            "a single image x goes in as x[None]"
        )
    if 0 in array.shape:
        raise ImageError(f"the set is empty: its shape is {array.shape}; at least 1 image with 1 pixel is needed")
    return array, _layout(array, image_shape)


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


@dataclass(frozen=True)
class Scale:
    """The working scale: `working = (unit - offset) * gain` (see the module)."""

    name: str
    offset: float | Tensor
    gain: float | Tensor

    @property
    def range(self) -> tuple[float, float] | None:
        """Lowest and highest value of an image on this scale; None where there is none."""
        return {"unit": (0.0, 1.0), "symmetric": (-1.0, 1.0)}.get(self.name)

    def work(self, unit: Tensor) -> Tensor:
        return unit if self.name == "unit" else (unit - self.offset).mul_(self.gain)

    def unit(self, working: Tensor) -> Tensor:
        return working if self.name == "unit" else working / self.gain + self.offset

    def to(self, device: torch.device) -> "Scale":
        if isinstance(self.offset, Tensor) and isinstance(self.gain, Tensor):
            return replace(self, offset=self.offset.to(device), gain=self.gain.to(device))
        return self


FIXED_SCALES = {"unit": Scale("unit", 0.0, 1.0), "symmetric": Scale("symmetric", 0.5, 2.0)}
SCALES = ("auto", *FIXED_SCALES, "standard")


def choose_scale(name: str, array: np.ndarray, layout: Layout) -> Scale:
    """The scale of that name for these images. "auto": unit for images, standard for tables of floats."""
    if name not in SCALES:
        raise unknown("scale", name, SCALES)
    if name == "auto":
        name = "standard" if layout.is_table and layout.peak == 1 else "unit"
    if name == "standard":
        mean = array.mean(axis=0, dtype=np.float64) / layout.peak
        std = array.std(axis=0, dtype=np.float64) / layout.peak
        gain = 1 / np.where(std > 1e-9 * (1 + abs(mean)), std, 1.0)  # a constant feature stays constant
        return Scale(name, *(layout.read(torch.from_numpy(v[None]))[0] * layout.peak for v in (mean, gain)))
    return FIXED_SCALES[name]


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


def is_image_object(X: Any) -> bool:
    """Whether X is of a form that numpy would misread: pictures of Pillow's, or what torch trains on."""
    some = X[0] if isinstance(X, (list, tuple)) and len(X) else X
    return isinstance(some, (Image.Image, Dataset, DataLoader))


def _as_array(X: Any) -> np.ndarray:
    if isinstance(X, (Image.Image, DataLoader)):
        cure = "the images [x] of one image x" if isinstance(X, Image.Image) else "its .dataset"
        raise ImageError(f"got one object of type {type(X).__name__}, expected several images; pass {cure}")
    if isinstance(X, Dataset):
        return _collected(X)
    if isinstance(X, (list, tuple)) and len(X) and (hasattr(X[0], "__array__") or is_image_object(X)):
        X = [_one(x) for x in X]
        shapes = Counter(x.shape for x in X)
        if len(shapes) > 1:
            found = ", ".join("x".join(map(str, s)) + f" ({n})" for s, n in shapes.most_common(5))
            raise ImageError(
                f"the images are of {len(shapes)} different shapes: {found}; bring them to one size first"
            )
    try:
        array = np.asarray(_channels_last(X, 4) if isinstance(X, Tensor) else X)
    except ValueError as error:
        raise ImageError(f"the images make no array, their shapes differ: {error}") from error
    if array.dtype.kind == "O":
        raise ImageError("the images make no array of numbers: their shapes differ, or they hold other objects")
    return array


def _one(x: Any) -> np.ndarray:
    """One image of a list or of a data set."""
    if isinstance(x, Image.Image):
        picture = ImageOps.exif_transpose(x)
        colour = "RGBA" if picture.has_transparency_data else "RGB"
        return np.asarray(
            picture if picture.mode in KEPT else picture.convert("L" if picture.mode == "1" else colour)
        )
    return np.asarray(_channels_last(x, 3) if isinstance(x, Tensor) else x)


def _channels_last(x: Tensor, dims: int) -> Tensor:
    """A tensor of so many dimensions with its channels at the end; they stood first where only that can be."""
    x = x.detach().cpu()
    if x.dim() != dims or not 1 <= x.shape[-3] <= 4:
        return x
    if x.shape[-1] <= 4:
        cure = "pass an array with the channels last, X.permute(0, 2, 3, 1).numpy() where they are first"
        raise ImageError(f"a tensor of shape {tuple(x.shape)} may have its channels first or last; {cure}")
    return x.movedim(-3, -1)


def _collected(items: Any) -> np.ndarray:
    """The images of a data set of torch, in one array."""
    if not hasattr(items, "__len__") or not len(items):
        raise ImageError(f"this data set ({type(items).__name__}) has no length, or no images; expected 1 at least")
    out = np.empty(0)
    for k in range(len(items)):
        item = items[k]
        one = _one(item[0] if isinstance(item, (tuple, list)) else item)
        if k == 0:
            out = np.empty((len(items), *one.shape), one.dtype)
        got, first = (one.dtype.name, one.shape), (out.dtype.name, out.shape[1:])
        if got != first:
            raise ImageError(
                f"the images of a data set must be of one form: the first is {first}, number {k} is {got}"
            )
        out[k] = one
    return out


def _layout(array: np.ndarray, image_shape: tuple[int, ...] | None) -> Layout:
    came = array.shape[1:]
    shape = came if image_shape is None else _numbers(image_shape)
    if image_shape is not None and (len(shape) not in (2, 3) or min(shape) < 1 or prod(shape) != prod(came)):
        raise ImageError(
            f"image_shape {image_shape} does not fit images of shape {came}; "
            f"expected (H, W) or (H, W, C) with {prod(came)} values in all"
        )
    image = (1, *shape, 1) if len(shape) == 1 else (*shape, 1) if len(shape) == 2 else shape
    if not 1 <= image[2] <= 4:
        raise ImageError(f"got {image[2]} channels (shape {array.shape}); expected 1 to 4 in the last place")
    return Layout(came, (image[0], image[1], image[2]), array.dtype.name)


def _numbers(shape: Any) -> tuple[int, ...]:
    """The whole numbers in `shape`; none where it is something else."""
    try:
        return tuple(whole(n) for n in shape)
    except TypeError:
        return ()


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
