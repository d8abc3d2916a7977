"""Two batches of images, compared image by image: the one module of this package that reads arguments.

A measure is a formula on two tensors `(n, C, H, W)` that gives one value an image, `(n,)`.
`per_image` brings to it either kind of argument, a piece at a time, so that the memory used does
not grow with the set:

    numpy arrays    (N, H, W) or (N, H, W, C), C of 1 to 4     ->  array (N,)
    torch tensors   (..., C, H, W), any batch shape            ->  tensor of the batch shape, on its device

The arithmetic is float32, and float64 where an argument is: integers become floats before anything
is subtracted (in uint8, 3 - 5 is 254).
"""

from collections.abc import Callable
from math import inf, prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.errors import ImageError
from narrows.image_batches import shared_tensor
from narrows.levels import LEVELS

# values that are compared at once: with all that is computed from them they fit in the cache; with
# 2**20 a comparison took 1.3 times as long
PIECE = 2**17

Images = Any  # np.ndarray | Tensor: what comes in leaves as the same kind
Formula = Callable[[Tensor, Tensor], Tensor]
Check = Callable[[Tensor, Tensor], None]


def per_image(formula: Formula, a: Images, b: Images, check: Check | None = None) -> Any:
    """`formula(a, b)` for each image: `(N,)`, or the batch shape of tensors.

    check: gets each piece before the formula, and raises if it cannot be used.
    Raises `ImageError` if the two do not agree, or are not images.
    """
    _agree(a, b)
    if isinstance(a, Tensor):
        image = a.shape[-3:]
        values = _compare(formula, a.reshape(-1, *image), b.reshape(-1, *image), check)
        return values.reshape(a.shape[:-3])
    return _compare(formula, a, b, check).numpy()


def _compare(formula: Formula, a: Images, b: Images, check: Check | None) -> Tensor:
    """The formula of two sets `(N, ...)`, a piece at a time: `(N,)`."""
    dtype = torch.promote_types(_precision(a), _precision(b))
    step = max(1, PIECE // max(1, prod(a.shape[1:])))
    values = []
    for start in range(0, max(1, len(a)), step):
        pair = [_read(x[start : start + step], dtype) for x in (a, b)]
        # bfloat16 products would ruin the variances
        with torch.autocast(pair[0].device.type, enabled=False):
            if check is not None:
                check(*pair)
            values.append(formula(*pair))
    return torch.cat(values)


def peak(a: Images, b: Images, data_range: float | None = None) -> float:
    """From black to white: `data_range`, by default 255 for uint8, 65535 for uint16, 1 for floats.

    Raises `ImageError` where it is not a number above 0, or where the two types call for different
    ones.
    """
    if data_range is not None:
        _validate_range(data_range)
        return float(data_range)
    levels, others = LEVELS.get(_type(a)), LEVELS.get(_type(b))
    if levels is None or levels != others:
        raise ImageError(
            f"the images are of types {_type(a)} and {_type(b)}, from which no common range follows; "
            "bring both to one scale (uint8 divided by 255 is in [0, 1]), or say data_range"
        )
    return float(levels.span)


def _validate_range(data_range: float) -> None:
    if not (isinstance(data_range, (int, float)) and 0 < data_range < inf):
        raise ImageError(
            f"data_range: got {data_range!r}, expected a number > 0: the highest value minus the lowest"
        )


def _agree(a: Images, b: Images) -> None:
    known = isinstance(a, (np.ndarray, Tensor)) and isinstance(b, (np.ndarray, Tensor))
    if not known or isinstance(a, Tensor) != isinstance(b, Tensor):
        raise ImageError(
            f"got {type(a).__name__} and {type(b).__name__}, expected two numpy arrays or two torch tensors"
            "; np.asarray(x) and torch.as_tensor(x) convert"
        )
    if a.shape != b.shape:
        raise ImageError(
            f"the two batches must have one shape; got {tuple(a.shape)} and {tuple(b.shape)}"
        )
    if isinstance(a, Tensor):
        _validate_tensor(a)
    else:
        _validate_array(a)


def _validate_tensor(images: Tensor) -> None:
    if images.ndim < 3 or not 1 <= images.shape[-3] <= 4:
        raise ImageError(
            f"got tensors of shape {tuple(images.shape)}, expected (..., C, H, W) with C of 1 to 4; "
            "grey images (N, H, W) go in as x[:, None]"
        )


def _validate_array(images: np.ndarray) -> None:
    channels = images.shape[3] if images.ndim == 4 else 1
    if images.ndim not in (3, 4) or not 1 <= channels <= 4:
        raise ImageError(
            f"got arrays of shape {images.shape}, expected (N, H, W) or (N, H, W, C) with C of 1 to 4; "
            "a single image x goes in as x[None], images of D values as x.reshape(-1, H, W)"
        )


def _read(images: Images, dtype: torch.dtype) -> Tensor:
    if isinstance(images, Tensor):
        return images.to(dtype)
    count, height, width = images.shape[:3]
    channels = images.shape[3] if images.ndim == 4 else 1
    x = shared_tensor(images).to(dtype)  # before it is re-ordered: torch's uint8 is as good as any
    return x.reshape(count, height, width, channels).permute(0, 3, 1, 2)


def _type(images: Images) -> str:
    name = str(images.dtype).removeprefix("torch.")
    return "float32" if name == "bfloat16" else name


def _precision(images: Images) -> torch.dtype:
    return torch.float64 if _type(images) == "float64" else torch.float32
