"""Tensors of torch as NumPy arrays, on whatever device they are, and with a gradient or without.

NumPy has no type for bfloat16 and smaller floats: they become float32, which holds each of their
values. This module does not import torch: who has a tensor has it imported.
"""

from typing import Any

import numpy as np

from narrows.errors import ImageError

SHARED_FLOATS = ("torch.float16", "torch.float32", "torch.float64")  # those that NumPy has too


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor of torch."""
    return hasattr(value, "detach") and hasattr(value, "is_floating_point")


def without_tensors(values: Any) -> Any:
    """A tensor as an array, a list with tensors as a list of arrays; everything else as it is.

    Raises `ImageError` for a tensor that has no such form, such as a sparse one.
    """
    if isinstance(values, (list, tuple)) and any(map(is_tensor, values)):
        return [without_tensors(value) for value in values]
    return array_of(values) if is_tensor(values) else values


def numpy_of(tensor: Any) -> np.ndarray:
    """The values of a tensor; raises what torch raises."""
    if tensor.is_floating_point() and str(tensor.dtype) not in SHARED_FLOATS:
        tensor = tensor.float()
    return tensor.numpy(force=True)


def array_of(tensor: Any) -> np.ndarray:
    """The values of a tensor. Raises `ImageError`, see `without_tensors`."""
    try:
        return numpy_of(tensor)
    except (TypeError, RuntimeError) as error:  # sparse, quantised, or without memory
        kind = f"{tensor.dtype}, {tensor.layout}, on {tensor.device}"
        raise ImageError(
            f"got a tensor that makes no array ({kind}): {error}; pass a dense one with values in "
            "memory, such as x.to_dense()"
        ) from error
