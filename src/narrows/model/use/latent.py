"""The space of codes: interpolation between images, and noise on codes.

interpolate   x_t = decode((1 - t) z(a) + t z(b)),  t = 0 ... 1
perturb       x_s = decode(z(x) + s ε),  ε ~ N(0, I)
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from narrows.errors import ImageError, wrong
from narrows.model.estimator.arguments import check_integer
from narrows.model.estimator.base import ImageModel
from narrows.randomness import keyed_generator


def interpolate(model: ImageModel, a: Any, b: Any, steps: int = 9) -> np.ndarray:
    """Images `(steps, ...)` on the straight line between the codes of two images, ends included."""
    check_integer("steps", steps, least=2)
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        raise ImageError(f"interpolate needs two images of one shape: got {a.shape} and {b.shape}")
    ends = model.transform(np.stack([a, b]))
    t = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    return model.inverse_transform((1 - t) * ends[:1] + t * ends[1:])


def perturb(
    model: ImageModel, X: Any, scale: float | Sequence[float] = 1.0, random_state: int = 0
) -> np.ndarray:
    """Images decoded from noisy codes: `(N, ...)` for one strength, `(len(scale), N, ...)` for
    several.

    scale: standard deviation of the noise on each unit of the code, ≥ 0. The same noise is used at
    each strength.
    """
    strengths = np.atleast_1d(np.asarray(scale, dtype=np.float32))
    if not (strengths >= 0).all():
        raise wrong("scale", scale, "numbers ≥ 0")
    codes = model.transform(X)
    generator = keyed_generator(random_state, "perturb")
    noise = torch.randn(codes.shape, generator=generator).numpy()
    images = [model.inverse_transform(codes + strength * noise) for strength in strengths]
    return np.stack(images) if np.ndim(scale) else images[0]
