"""Restoration with a denoiser as the prior: lost pixels, small pictures, a known blur.

    x = argmin_x  1/(2 σ²) ‖A x - y‖² - log p(x)

p is the density of photographs, of which a denoiser knows the score (lab A's theory: f(x̃) - x̃ is
σ² ∇ log p(x̃)). Half-quadratic splitting introduces z near x, and alternates

    x ← argmin_x  ‖A x - y‖² + α ‖x - z‖²,    α = λ σ² / s²      (AᵀA + α) x = Aᵀ y + α z
    z ← denoise(x, s)                                            a step towards the data

while s, the distance that the denoiser bridges, falls from 49/255 to the noise of y in steps of one
ratio. The linear equations are solved by conjugate gradients, which need A and Aᵀ alone.

References: S. Venkatakrishnan et al., "Plug-and-play priors for model based reconstruction", GlobalSIP
2013, https://doi.org/10.1109/GlobalSIP.2013.6737048; K. Zhang et al., "Plug-and-play image restoration
with deep denoiser prior", IEEE TPAMI 2021, https://arxiv.org/abs/2008.13751 (splitting, the values of
s and λ).
"""

from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.choose import choose
from narrows.denoise.denoise import denoise
from narrows.denoise.operators import OPERATORS, Operator
from narrows.errors import ImageError, wrong
from narrows.levels import from_unit_values, levels_of, unit_values

FIRST = 49 / 255  # s of the first step
LEAST = 1 / 255  # s of the last, and σ, at least
WEIGHT = 0.23  # λ
TOLERANCE = 1e-5  # of the residual of the linear equations, relative to their right side
MOST = 50  # steps of conjugate gradients
Apply = Callable[[Tensor], Tensor]


def restore(
    image: Any, operator: Any, denoiser: Any = "photo", *, sigma: float = 0.0, steps: int = 20
) -> np.ndarray:
    """A picture without the damage that `operator` describes, in the type in which it came.

    image: `(H, W)` or `(H, W, C)`, C 1 or 3; of 8 or 16 bits, or floats with black 0 and white 1.
    operator: {"kind": "mask", "mask": array}, {"kind": "downsample", "factor": 2} or {"kind": "blur",
    "kernel": array}, see `narrows.denoise.operators`. denoiser: what `narrows.denoise` takes as a model.
    sigma: standard deviation of the noise of the picture, on [0, 1]. steps: of the splitting.

    Raises `ImageError` for what is not such a picture, or a mask of another size; `BuildError`.
    """
    pixels = np.asarray(image)
    _validate(pixels, sigma, steps)
    damage = choose("operator", OPERATORS, operator)
    y = torch.from_numpy(unit_values(np.atleast_3d(pixels), None)).permute(2, 0, 1)[None]
    x = damage.shown(_split(y.contiguous(), damage, denoiser, max(sigma, LEAST), steps))
    unit = x[0].permute(1, 2, 0).numpy()
    values = from_unit_values(unit, pixels.dtype, levels_of(pixels.dtype))
    return values if pixels.ndim == 3 else values[..., 0]


def _split(y: Tensor, damage: Operator, denoiser: Any, sigma: float, steps: int) -> Tensor:
    """x `(1, C, H, W)` by half-quadratic splitting."""
    z = x = damage.first_guess(y)
    back = damage.adjoint(y)
    for s in np.geomspace(max(FIRST, sigma), sigma, steps).tolist():
        alpha = WEIGHT * sigma**2 / s**2
        x = solve(lambda v, a=alpha: damage.adjoint(damage(v)) + a * v, back + alpha * z, z)
        z = _denoised(x, denoiser, s)
    return z


def solve(apply: Apply, right: Tensor, start: Tensor) -> Tensor:
    """x with apply(x) = right, by conjugate gradients, for a symmetric and positive `apply`."""
    x, residual = start.clone(), right - apply(start)
    direction, power = residual.clone(), residual.square().sum()
    target = TOLERANCE**2 * right.square().sum()
    for _ in range(MOST):
        if power <= target:
            break
        applied = apply(direction)
        step = power / (direction * applied).sum()
        x, residual = x + step * direction, residual - step * applied
        power, before = residual.square().sum(), power
        direction = residual + power / before * direction
    return x


def _denoised(x: Tensor, denoiser: Any, sigma: float) -> Tensor:
    """The denoiser's result, as floats."""
    pictures = x.permute(0, 2, 3, 1).contiguous().numpy()
    clean = denoise(pictures, denoiser, sigma=sigma)
    return torch.from_numpy(clean).permute(0, 3, 1, 2).contiguous()


def _validate(pixels: np.ndarray, sigma: float, steps: int) -> None:
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.ndim not in (2, 3) or channels not in (1, 3) or not pixels.size:
        raise ImageError(f"got an array of shape {pixels.shape}, expected (H, W) or (H, W, 3)")
    if not np.isfinite(pixels).all():
        raise ImageError("the picture holds NaN or infinity; mark such pixels as lost by a mask")
    if not (isfinite(sigma) and sigma >= 0):
        raise wrong("sigma", sigma, "a standard deviation ≥ 0, where white is 1")
    if type(steps) is not int or steps < 1:
        raise wrong("steps", steps, "an integer from 1")
