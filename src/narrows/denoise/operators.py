"""Operators: how a picture was damaged, y = A x + noise, and the adjoint Aᵀ that restoration needs.

    mask          A x = m x         pixels where m is 0 are lost                    Aᵀ y = m y
    downsample    A x = R x Cᵀ      rows of R and of C are a cubic filter           Aᵀ y = Rᵀ y C
    blur          A x = k * x       where all of k is inside of x, which is larger  Aᵀ y = k correlated with y

⟨A x, y⟩ = ⟨x, Aᵀ y⟩ for all x and y. A picture is `(N, C, H, W)`. What is beyond the edge of a blurred
picture is part of x, and unknown: no edge is made up.

Reference of the cubic filter: R. Keys, "Cubic convolution interpolation for digital image processing",
IEEE TASSP 29(6), 1981, https://doi.org/10.1109/TASSP.1981.1163711.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from narrows.errors import ImageError, wrong

CUBIC = -0.5  # Keys' parameter
LOBE = 2.0  # where the cubic filter ends, in pixels of the smaller picture


class Operator:
    """The contract: A (a call), its adjoint, a first guess of x from y, and the part of x that y shows."""

    def __call__(self, x: Tensor) -> Tensor:
        """A x."""
        raise NotImplementedError

    def adjoint(self, y: Tensor) -> Tensor:
        """Aᵀ y."""
        raise NotImplementedError

    def first_guess(self, y: Tensor) -> Tensor:
        """A picture to begin with, of the size of x."""
        raise NotImplementedError

    def shown(self, x: Tensor) -> Tensor:
        """The part of x that is the result."""
        return x


class Mask(Operator):
    """Lost pixels. mask: `(H, W)`, not 0 where a pixel is known."""

    def __init__(self, mask: Any):
        known = np.asarray(mask)
        if known.ndim != 2 or not known.any():
            expected = "(H, W), not 0 where pixels are known"
            raise wrong("mask", f"an array of shape {known.shape}", expected)
        self.known = torch.from_numpy(known != 0)

    def __call__(self, x: Tensor) -> Tensor:
        if x.shape[2:] != self.known.shape:
            mask, picture = (" x ".join(map(str, size)) for size in (self.known.shape, x.shape[2:]))
            raise ImageError(f"the mask has {mask} pixels, the picture {picture}; expected as many")
        return x * self.known.to(x)

    def adjoint(self, y: Tensor) -> Tensor:
        return self(y)

    def first_guess(self, y: Tensor) -> Tensor:
        """Lost pixels next to known ones become their mean, until none is left."""
        guess, known = self(y), self.known.to(y).expand(1, 1, -1, -1)
        while not bool(known.all()):
            count = _sums_of_neighbours(known)
            mean = _sums_of_neighbours(guess) / count.clamp(min=1)
            guess = torch.where(known > 0, guess, mean)
            known = (count > 0).to(y)
        return guess


class Downsample(Operator):
    """A smaller picture, by a cubic filter. factor: an integer from 2."""

    def __init__(self, factor: int = 2):
        if type(factor) is not int or factor < 2:
            raise wrong("factor", factor, "an integer from 2")
        self.factor = factor

    def __call__(self, x: Tensor) -> Tensor:
        rows, columns = (cubic(size // self.factor, size).to(x) for size in x.shape[2:])
        return rows @ x @ columns.mT

    def adjoint(self, y: Tensor) -> Tensor:
        rows, columns = (cubic(size, size * self.factor).to(y) for size in y.shape[2:])
        return rows.mT @ y @ columns

    def first_guess(self, y: Tensor) -> Tensor:
        """The picture enlarged by the same filter."""
        rows, columns = (cubic(size * self.factor, size).to(y) for size in y.shape[2:])
        return rows @ y @ columns.mT


class Blur(Operator):
    """A known blur. kernel: `(h, w)`, both odd, with a sum that is not 0, by which it is divided."""

    def __init__(self, kernel: Any):
        weights = np.asarray(kernel, dtype=np.float32)
        is_odd = weights.ndim == 2 and all(size % 2 for size in weights.shape)
        if not (is_odd and np.isfinite(weights).all() and weights.sum() != 0):
            expected = "finite numbers (h, w), both odd, with a sum that is not 0"
            raise wrong("kernel", f"an array of shape {weights.shape}", expected)
        flipped = weights[::-1, ::-1] / weights.sum()  # conv2d correlates
        self.weights = torch.from_numpy(flipped.copy())[None, None]
        self.margins = tuple(size // 2 for size in weights.shape)

    def __call__(self, x: Tensor) -> Tensor:
        return F.conv2d(x.flatten(0, 1)[:, None], self.weights.to(x)).view(
            *x.shape[:2], *self._less(x)
        )

    def adjoint(self, y: Tensor) -> Tensor:
        whole = F.conv_transpose2d(y.flatten(0, 1)[:, None], self.weights.to(y))
        return whole.view(*y.shape[:2], *whole.shape[2:])

    def first_guess(self, y: Tensor) -> Tensor:
        down, across = self.margins
        return F.pad(y, (across, across, down, down), mode="replicate")

    def shown(self, x: Tensor) -> Tensor:
        down, across = self.margins
        height, width = self._less(x)
        return x[..., down : down + height, across : across + width]

    def _less(self, x: Tensor) -> tuple[int, int]:
        """Height and width of A x."""
        down, across = self.margins
        return x.shape[2] - 2 * down, x.shape[3] - 2 * across


OPERATORS = {"mask": Mask, "downsample": Downsample, "blur": Blur}


def cubic(after: int, before: int) -> Tensor:
    """The matrix `(after, before)` that brings `before` pixels to `after`, float32; rows have the sum 1."""
    scale = before / after
    width = max(1.0, scale)
    centres = (torch.arange(after)[:, None] + 0.5) * scale
    weights = _keys((torch.arange(before) + 0.5 - centres).abs() / width)
    return weights / weights.sum(1, keepdim=True)


def _keys(t: Tensor) -> Tensor:
    """The cubic filter at a distance t ≥ 0."""
    near = ((CUBIC + 2) * t - (CUBIC + 3)) * t * t + 1
    far = ((CUBIC * t - 5 * CUBIC) * t + 8 * CUBIC) * t - 4 * CUBIC
    return torch.where(t < 1, near, torch.where(t < LOBE, far, 0.0))


def _sums_of_neighbours(x: Tensor) -> Tensor:
    """The sums of 3 x 3 pixels; beyond the edge are zeros."""
    return 9 * F.avg_pool2d(x, 3, stride=1, padding=1)
