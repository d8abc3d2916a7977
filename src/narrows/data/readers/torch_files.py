"""Tensors saved by torch, `.pt` and `.pth`: one tensor, images and labels, or a dict of them.

They are read with `weights_only=True`, which admits tensors and plain values and runs no code. A
tensor of the newer, zipped form is mapped, not loaded.

    tensor                         images
    (images, labels), a list       as torchvision's processed MNIST has them
    dict                           images under images, data, X or x (or the option `array`), labels
                                   under labels, targets or y

Images are `(N, H, W)`, `(N, C, H, W)` with C of 1, 3 or 4, as torch has them, or `(N, H, W, C)`.
Rows of values stay a table, unless the option `shape` says what they are.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from narrows.data.image_set import ImageSet, refuse_parts
from narrows.data.readers.reading import (
    Labels,
    Shape,
    images_of_rows,
    labels_or_note,
    readable,
    set_of,
    settled,
)
from narrows.errors import DataError, did_you_mean
from narrows.tensors import numpy_of

IMAGE_KEYS = ("images", "data", "X", "x")
LABEL_KEYS = ("labels", "targets", "y")
CHANNELS = (1, 3, 4)


def read_torch(path: Path, split: str = "all", array: str = "", shape: Shape = None) -> ImageSet:
    """The images in a file of torch. array: the key of the images in a dict. shape: (H, W) or
    (H, W, C), if images are rows. Raises `DataError`.
    """
    refuse_parts(path, split)
    with readable(path, "tensors of torch", "save tensors alone, with torch.save"):
        images, labels, key = _images_and_labels(_loaded(path), array, path)
        images, labels = (
            _as_array(images, path),
            labels if labels is None else _as_array(labels, path),
        )
    found = Labels()
    if labels is not None:
        found = labels_or_note(labels, len(images), key, path)
    images = settled(_channels_last(images))
    if images.ndim == 2 and shape is not None:
        images, _ = images_of_rows(images, shape, path)
    return set_of(images, found, path, f"the tensors in {path}")


def _loaded(path: Path) -> Any:
    import torch  # here, because it is slow to import

    with open(path, "rb") as file:
        is_zip = file.read(2) == b"PK"
    return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)


def _images_and_labels(content: Any, array: str, path: Path) -> tuple[Any, Any, str]:
    """Images, labels or None, and what the labels are called."""
    if isinstance(content, (tuple, list)) and len(content) == 2:
        return content[0], content[1], "labels"
    if not isinstance(content, Mapping):
        return content, None, ""
    key = array or next((key for key in IMAGE_KEYS if key in content), "")
    if key not in content:
        raise DataError(
            f"{path} has no images under {array or ', '.join(IMAGE_KEYS)}; "
            f"{did_you_mean(array, map(str, content))}; choose one by array (--array)"
        )
    label = next((name for name in LABEL_KEYS if name in content and name != key), "")
    return content[key], content.get(label), label


def _as_array(value: Any, path: Path) -> np.ndarray:
    """A tensor as an array; bfloat16, which NumPy does not have, as float32."""
    import torch

    if not isinstance(value, torch.Tensor):
        raise DataError(f"{path} holds a {type(value).__name__} in place of a tensor")
    return numpy_of(value)


def _channels_last(images: np.ndarray) -> np.ndarray:
    if images.ndim == 4 and images.shape[1] in CHANNELS:
        return images.transpose(0, 2, 3, 1)
    return images
