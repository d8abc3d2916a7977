"""What users pass as images, as one array.

Besides arrays there are four forms:

    pictures    a list of Pillow's, upright; palettes, CMYK and the like become RGB or RGBA, bits become grey
    tensors     of torch: `(N, C, H, W)` becomes `(N, H, W, C)` where C is 1 to 4 and W is more
    lists       of arrays, tensors or pictures of one shape
    data sets   of torch, with a length: each item, or the first entry of a tuple; all of them are held in memory
"""

from collections import Counter
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from narrows.errors import ImageError
from narrows.layout import WHITE_LEVELS, Layout, layout_of

KEPT_MODES = ("L", "LA", "RGB", "RGBA", "I;16", "F")  # of pictures whose pixels are taken as they are


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
    return array, layout_of(array, image_shape)


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
            picture if picture.mode in KEPT_MODES else picture.convert("L" if picture.mode == "1" else colour)
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
