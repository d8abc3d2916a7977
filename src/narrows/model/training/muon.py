"""Muon: steps of equal length in all directions of a matrix.

A step of Adam changes all directions of a matrix that gradients often have, and hardly those that they
rarely have, although these are learnt as well. Muon makes all directions of a step equally long:

    m ← 0.95 m + 0.05 G,   M = 0.95 m + 0.05 G,   W ← W - lr √max(1, rows / columns) U Vᵀ

where M = U S Vᵀ is the singular value decomposition; the weights of a convolution are a matrix with a
row for each channel that it puts out. U Vᵀ is found without it: singular values s of M / |M| are
brought close to 1 by five times s ← a s + b s³ + c s⁵, which takes products of matrices alone. A vector,
such as a bias, is a matrix of one column, whose step is M / |M| √rows; it takes a tenth of it.

Reference: K. Jordan and others, "Muon: an optimizer for hidden layers in neural networks", 2024,
https://kellerjordan.github.io/posts/muon/.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn, optim

MOMENTUM = 0.95
ITERATIONS, COEFFICIENTS = 5, (3.4445, -4.7750, 2.0315)  # a, b, c
VECTORS = 0.1  # the learning rate of vectors, relative to that of matrices


def orthogonal(matrices: Tensor) -> Tensor:
    """U Vᵀ of matrices U S Vᵀ, `(..., rows, columns)`, about: singular values are 0.7 to 1.2, but for
    those that are tiny next to the largest.
    """
    if matrices.shape[-2] > matrices.shape[-1]:
        return orthogonal(matrices.mT).mT
    a, b, c = COEFFICIENTS
    x = matrices / (matrices.norm(dim=(-2, -1), keepdim=True) + 1e-12)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x


def direction(gradient: Tensor, momentum: Tensor) -> Tensor:
    """M, of the shape of the gradient. Moves the momentum."""
    momentum.lerp_(gradient, 1 - MOMENTUM)
    return gradient.lerp(momentum, MOMENTUM)


def equalised(matrices: Tensor) -> Tensor:
    """√max(1, rows / columns) U Vᵀ of matrices `(..., rows, columns)`: the step, to be taken times lr."""
    rows, columns = matrices.shape[-2:]
    return orthogonal(matrices) * max(1, rows / columns) ** 0.5


class Muon(optim.Optimizer):
    """Muon for any parameters, in groups with `lr` and `weight_decay`, which is decoupled: w is shrunk
    by lr · weight_decay.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float):
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group["lr"], group["weight_decay"])

    def _move(self, parameter: Tensor, gradient: Tensor, lr: float, decay: float) -> None:
        momentum = self.state[parameter].setdefault("momentum", torch.zeros_like(gradient))
        if parameter.ndim < 2:
            lr *= VECTORS
        rows = parameter.shape[0] if parameter.ndim else 1
        step = equalised(direction(gradient, momentum).reshape(rows, -1)).view_as(parameter)
        parameter.mul_(1 - lr * decay).sub_(lr * step)
