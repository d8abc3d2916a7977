"""What users pass as images, as one array.

Besides arrays these forms are taken:

    pictures    a list of Pillow images, upright; palettes, CMYK and the like become RGB or RGBA,
                bits become grey
    tensors     of torch, on any device: `(N, C, H, W)` becomes `(N, H, W, C)` if C is 1 to 4 and W
                is more; bfloat16 becomes float32
    lists       of arrays, tensors or pictures of one shape
    data sets   of torch, with a length: each item, or the first entry of a tuple; all are held in memory
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from narrows.errors import ImageError, several
from narrows.layout import ImageShape, Layout, layout_of
from narrows.levels import LEVELS
from narrows.tensors import array_of, without_tensors

# of pictures whose pixels are taken as they are
KEPT_MODES = ("L", "LA", "RGB", "RGBA", "I;16", "F")
NUMBERS = "biufc"  # the kinds of NumPy's types that hold numbers


def as_images(X: Any, image_shape: ImageShape | None = None) -> tuple[np.ndarray, Layout]:
    """The images as an array, and their layout. Raises `ImageError` if they are not a batch of images."""
    array = _as_array(X)
    _refuse_other_than_numbers(array)
    if _is_table_of_numbers(array) and image_shape is None:
        array = array.astype(np.float64)
    if array.dtype.name not in LEVELS:
        raise ImageError(
            f"the images are of type {array.dtype}; known: {', '.join(LEVELS)}; "
            "for values 0..255 use X.astype('uint8')"
        )
    if array.ndim not in (2, 3, 4):
        raise ImageError(
            f"got an array of shape {array.shape}; expected (N, D), (N, H, W) or (N, H, W, C); "
            "a single image x goes in as x[None]"
        )
    if array.size == 0:
        raise ImageError(
            f"the set is empty: its shape is {array.shape}; at least 1 image with 1 pixel is needed"
        )
    return array, layout_of(array, image_shape)


def is_image_object(X: Any) -> bool:
    """Whether X is of a form that numpy would misread: Pillow images, or what torch trains on."""
    if isinstance(X, (list, tuple)) and X:
        X = X[0]
    return isinstance(X, (Image.Image, Dataset, DataLoader))


def _is_table_of_numbers(array: np.ndarray) -> bool:
    """Whether it is a table of a type whose values are rather numbers than pixels, such as int64."""
    is_pixels = array.dtype.name in LEVELS and array.dtype.kind != "i"
    return array.ndim == 2 and array.dtype.kind in "iuf" and not is_pixels


def _as_array(X: Any) -> np.ndarray:
    _refuse_single_objects(X)
    if isinstance(X, Dataset):
        return _array_of_data_set(X)
    if _is_list_of_images(X):
        X = _images_of_one_shape(X)
    if isinstance(X, Tensor):
        X = _channels_last(X, 4)
    X = without_tensors(X)
    try:
        return np.asarray(X)
    except ValueError as error:
        raise ImageError(f"the images make no array, their shapes differ: {error}") from error
    except (TypeError, RuntimeError) as error:  # of a library whose arrays NumPy does not read
        raise ImageError(f"a {type(X).__name__} makes no array of NumPy: {error}") from error


def _refuse_other_than_numbers(array: np.ndarray) -> None:
    """Refuse an array of texts or of other objects."""
    if array.dtype.kind in NUMBERS:
        return
    items = array.ravel().tolist()
    other = next((item for item in items if not isinstance(item, (int, float))), array)
    _refuse_dict(other)
    raise ImageError(
        f"the images make no array of numbers: got {str(other)[:40]!r} ({type(other).__name__}); "
        "pass an array of numbers, a list of pictures or a data set of torch; "
        "load_data(path) reads files"
    )


def _refuse_single_objects(X: Any) -> None:
    if isinstance(X, Image.Image):
        cure = "the images [x] of one image x"
    elif isinstance(X, DataLoader):
        cure = "its .dataset"
    else:
        return
    raise ImageError(
        f"got one object of type {type(X).__name__}, expected several images; pass {cure}"
    )


def _refuse_dict(item: Any) -> None:
    """Refuse a dict, as items of some data sets are, and say how to take the image out of it."""
    if not isinstance(item, Mapping):
        return
    keys = list(item)
    arrays = [key for key in keys if getattr(item[key], "shape", ())]
    key = next(iter([*arrays, *keys]), "image")
    raise ImageError(
        f"the images make no array of numbers: got a dict with {several(keys) or 'no keys'}, "
        f"expected images, or pairs (image, label); pass [item[{key!r}] for item in X]; "
        "load_data(path) reads files"
    )


def _is_list_of_images(X: Any) -> bool:
    """Whether X is a list of arrays, tensors or pictures, not of numbers."""
    if not isinstance(X, (list, tuple)) or not X:
        return False
    return hasattr(X[0], "__array__") or is_image_object(X)


def _images_of_one_shape(items: Sequence[Any]) -> list[np.ndarray]:
    images = [image_of(item) for item in items]
    shapes = Counter(image.shape for image in images)
    if len(shapes) > 1:
        counts = [
            f"{'x'.join(map(str, shape))} ({count})" for shape, count in shapes.most_common(5)
        ]
        raise ImageError(
            f"the images are of {len(shapes)} different shapes: {', '.join(counts)}; bring them "
            f"to one size first"
        )
    return images


def image_of(item: Any) -> np.ndarray:
    """One image of a list or of a data set."""
    _refuse_dict(item)
    if isinstance(item, Image.Image):
        return _pixels_of(item)
    if isinstance(item, Tensor):
        return array_of(_channels_last(item, 3))
    return np.asarray(without_tensors(item))


def _pixels_of(picture: Image.Image) -> np.ndarray:
    upright = ImageOps.exif_transpose(picture)
    if upright.mode in KEPT_MODES:
        return np.asarray(upright)
    if upright.mode == "1":
        return np.asarray(upright.convert("L"))
    return np.asarray(upright.convert("RGBA" if upright.has_transparency_data else "RGB"))


def _channels_last(x: Tensor, dims: int) -> Tensor:
    """A tensor of images (dims 4) or one image (dims 3) with its channels moved from first to last.

    Other tensors stay as they are. Raises `ImageError` if its shape can be read both ways.
    """
    if x.dim() != dims or not 1 <= x.shape[-3] <= 4:
        return x
    if x.shape[-1] <= 4:
        raise ImageError(
            f"a tensor of shape {tuple(x.shape)} may have its channels first or last; pass an array "
            "with the channels last, X.permute(0, 2, 3, 1).numpy() if they are first"
        )
    return x.movedim(-3, -1)


def _array_of_data_set(items: Any) -> np.ndarray:
    """The images of a data set of torch, in one array."""
    if not hasattr(items, "__len__") or not len(items):
        raise ImageError(
            f"this data set ({type(items).__name__}) has no length, or no images; expected 1 at least"
        )
    first = _image_of_data_set(items, 0)
    array = np.empty((len(items), *first.shape), first.dtype)
    array[0] = first
    for k in range(1, len(items)):
        image = _image_of_data_set(items, k)
        expected = (first.dtype.name, first.shape)
        got = (image.dtype.name, image.shape)
        if got != expected:
            raise ImageError(
                "the images of a data set must be of one type and shape: "
                f"the first is {expected}, number {k} is {got}"
            )
        array[k] = image
    return array


def _image_of_data_set(items: Any, k: int) -> np.ndarray:
    item = items[k]
    if isinstance(item, (tuple, list)):
        item = item[0]
    return image_of(item)
