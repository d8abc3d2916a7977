"""Colours in an opponent space: luminance and two colour differences.

    y = T x,   T = [ 1/√3    1/√3    1/√3 ]    luminance
                   [ 1/√2    0      -1/√2 ]    red against blue
                   [ 1/√6   -2/√6    1/√6 ]    green against both

T is orthonormal, T Tᵀ = I: independent noise of one variance in red, green and blue keeps that
variance in each channel of y, while most of what a photograph shows is in its luminance. A grey
picture given three times has luminance √3 times its own, and no colour.

Tensors `(N, 3, H, W)`; those of other numbers of channels have no colours, and stay as they are.
"""

import torch
from torch import Tensor

COLOURS = 3
THIRD, HALF, SIXTH = 3**-0.5, 2**-0.5, 6**-0.5
T = ((THIRD, THIRD, THIRD), (HALF, 0.0, -HALF), (SIXTH, -2 * SIXTH, SIXTH))


def to_opponent(x: Tensor) -> Tensor:
    """y = T x at each pixel."""
    return _mixed(x, T)


def from_opponent(y: Tensor) -> Tensor:
    """x = Tᵀ y at each pixel."""
    return _mixed(y, tuple(zip(*T)))


def opponent_variance(variance: Tensor) -> Tensor:
    """The variances of y = T x, of those of x if the noise of its channels is independent."""
    return _mixed(variance, tuple(tuple(weight**2 for weight in row) for row in T))


def _mixed(x: Tensor, rows: tuple[tuple[float, ...], ...]) -> Tensor:
    """The sums of channels by the weights of each row."""
    if x.shape[1] != COLOURS:
        return x
    weights = torch.tensor(rows, dtype=x.dtype, device=x.device)
    return torch.einsum("ij,njhw->nihw", weights, x)
