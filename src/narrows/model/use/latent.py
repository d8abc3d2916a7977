"""The space of codes: interpolation between images, and noise on codes.

interpolate   x_t = decode((1 - t) z(a) + t z(b)),  t = 0 ... 1
perturb       x_s = decode(z(x) + s ε),  ε ~ N(0, I)

Under a scale that is per image both have the brightness and contrast of a typical image: the code
knows nothing of those.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from narrows.errors import ImageError, wrong
from narrows.model.estimator.arguments import check_integer
from narrows.model.estimator.base import ImageModel
from narrows.randomness import keyed_generator
from narrows.tensors import without_tensors


def interpolate(model: ImageModel, a: Any, b: Any, steps: int = 9) -> np.ndarray:
    """Images `(steps, ...)` on the straight line between the codes of two images, ends included."""
    check_integer("steps", steps, least=2)
    first, last = model.transform(_pair(a, b))
    t = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    return model.inverse_transform((1 - t) * first + t * last)


def _pair(a: Any, b: Any) -> np.ndarray:
    """Two images as an array `(2, ...)`. Raises `ImageError` if their shapes differ."""
    a, b = np.asarray(without_tensors(a)), np.asarray(without_tensors(b))
    if a.shape != b.shape:
        raise ImageError(f"interpolate needs two images of one shape: got {a.shape} and {b.shape}")
    return np.stack([a, b])


def perturb(
    model: ImageModel, X: Any, scale: float | Sequence[float] = 1.0, random_state: int = 0
) -> np.ndarray:
    """Images decoded from noisy codes: `(N, ...)` for one strength, `(len(scale), N, ...)` for
    several.

    scale: standard deviation of the noise on each unit of the code, ≥ 0. The same noise is used at
    each strength.
    """
    strengths = np.asarray(scale, dtype=np.float32)
    if not (strengths >= 0).all():
        raise wrong("scale", scale, "numbers ≥ 0")
    codes = model.transform(X)
    noise = _standard_normal(codes.shape, random_state)
    if not strengths.ndim:
        return model.inverse_transform(codes + strengths * noise)
    return np.stack([model.inverse_transform(codes + s * noise) for s in strengths])


def _standard_normal(shape: tuple[int, ...], random_state: int) -> np.ndarray:
    generator = keyed_generator(random_state, "perturb")
    return torch.randn(shape, generator=generator).numpy()
