"""What the numbers of a model file must be: integers in their ranges, tensors of their shapes.

Whoever wrote the file may have meant harm, so nothing in it is believed before it is checked.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

LEAST_SHIFT, MOST_SHIFT = -16, 32


def require_between(what: str, got: Any, least: int, most: int) -> int:
    """An integer of `least` to `most`. Raises `ValueError`."""
    if type(got) is not int or not least <= got <= most:
        raise ValueError(f"{what}: {got}, expected an integer from {least} to {most}")
    return got


def require_shifts(got: Sequence[Any], layers: int) -> None:
    """Shifts of that many layers. Raises `ValueError`."""
    if len(got) != layers:
        raise ValueError(f"shifts {got} of {layers} layers")
    for shift in got:
        require_between("shift", shift, LEAST_SHIFT, MOST_SHIFT)


def require_shapes(
    tensors: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Exactly these tensors, of these shapes. Raises `ValueError`."""
    got = {name: tensor.shape for name, tensor in tensors.items()}
    for name in got.keys() | shapes:
        if got.get(name) != shapes.get(name):
            expected = shapes.get(name, "none")
            raise ValueError(f"{name} of shape {got.get(name, 'none')}, expected {expected}")
