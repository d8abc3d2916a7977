"""A model applied to many images: batch by batch, without gradients, on the model's device."""

from collections.abc import Callable
from copy import copy
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from narrows.errors import wrong
from narrows.image_batches import ImageBatches
from narrows.levels import Levels
from narrows.scale import Scale

T = TypeVar("T")
M = TypeVar("M")  # a model
Function = Callable[[Tensor], Tensor]
ToArray = Callable[[Tensor, Scale], np.ndarray]  # of what is computed, and the scale of the images


def without_gradients(function: Callable[..., T], *arguments: Any, device: torch.device) -> T:
    """`function` of the arguments, tensors moved to the device; no gradients are kept."""
    moved = [value.to(device) if isinstance(value, Tensor) else value for value in arguments]
    with torch.no_grad():
        return function(*moved)


def as_numbers(values: Tensor, scale: Scale) -> np.ndarray:
    """Values that are not images, as they are."""
    return values.numpy()


def map_batches(
    images: ImageBatches,
    function: Function,
    to_array: ToArray = as_numbers,
    *,
    device: torch.device,
    widest: int,
    fixed_size: int = 0,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """`function` of each batch, as one array, or written into `out`.

    Raises `BuildError` if `out` does not fit.

    widest: values of an image in the widest layer that it goes through. fixed_size: see
    `ImageBatches.inference_batches`.
    """
    for rows, x, scale in images.inference_batches(widest, fixed_size):
        values = without_gradients(function, x, device=device).cpu()
        array = to_array(values, scale)[: rows.stop - rows.start]
        out = _room(out, (len(images), *array.shape[1:]), array.dtype)
        out[rows] = array
    assert out is not None  # a set has at least one image
    return out


def _room(out: np.ndarray | None, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """The array to write into, of that shape and type."""
    if out is None:
        return np.empty(shape, dtype)
    if (out.shape, out.dtype) != (shape, dtype):
        raise wrong("out", f"{out.dtype} of shape {out.shape}", f"{dtype} of shape {shape}")
    return out


def with_input_levels(model: M, levels: Levels | None) -> M:
    """The same model for images with these levels of black and white; None: as without them."""
    if levels is None:
        return model
    other: Any = copy(model)
    other.input_levels = levels
    return other
