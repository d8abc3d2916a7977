"""The transposed convolution, as what it is: the adjoint of a convolution.

A convolution C with weights W takes images of b channels to maps of a channels, and is linear in
both. Then

    forward              y = Cᵀ h                      each value of h spreads W over y, stride s apart
    gradient to h        ∂L/∂h = C ∂L/∂y               a convolution
    gradient to W        that of the convolution C, with the input ∂L/∂y and the gradient h

torch has all three; on a CPU its own transposed convolution computes them in other ways, which are
slower: a step of lab F takes 1.2 times as long with it, one of lab E6 1.1 times. What made the
difference: the gradient to W as a convolution's, memory with the channels last, and for up to 4
channels of y (the image itself) one matrix product, whose columns are then added up where they
belong.

Reference: V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning", 2016,
https://arxiv.org/abs/1603.07285.
"""

from math import ceil
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight

FEW_CHANNELS = 4  # of y, up to which one matrix product is faster
Lengths = tuple[int, int]  # along height and width


class Transposed(nn.ConvTranspose2d):
    """`ConvTranspose2d`, its weights and its results, faster on a CPU."""

    def forward(self, h: Tensor) -> Tensor:  # type: ignore[override]
        """Maps `(N, a, H, W)` to `(N, b, H', W')`."""
        if h.device.type != "cpu" or torch.is_autocast_enabled("cpu") or not len(h):
            return super().forward(h)
        return Adjoint.apply(
            h, self.weight, self.bias, self.stride, self.padding, self.output_padding
        )


class Adjoint(torch.autograd.Function):
    """y = Cᵀ h + bias, and its gradients (see the module)."""

    @staticmethod
    def forward(
        ctx: Any,
        h: Tensor,
        weight: Tensor,
        bias: Tensor,
        stride: Lengths,
        padding: Lengths,
        out: Lengths,
    ) -> Tensor:
        ctx.stride, ctx.padding = stride, padding
        if weight.shape[1] <= FEW_CHANNELS:
            ctx.save_for_backward(h, weight)
            return torch.ops.aten.slow_conv_transpose2d(
                h, weight, weight.shape[2:], bias, stride, padding, out
            )
        h = h.contiguous(memory_format=torch.channels_last)
        ctx.save_for_backward(h, weight)
        return F.conv_transpose2d(h, weight, bias, stride, padding, out)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        h, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        needs_h, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        to_h = to_weight = to_bias = None
        if needs_h:
            to_h = F.conv2d(gradient, weight, None, ctx.stride, ctx.padding)
        if needs_weight:
            to_weight = conv2d_weight(gradient, weight.shape, h, ctx.stride, ctx.padding)
        if needs_bias:
            to_bias = gradient.sum((0, 2, 3))
        return to_h, to_weight, to_bias, None, None, None


def paddings_of(kernel: int, n: int, target: int) -> tuple[int, int]:
    """Padding p and output padding o in {0, 1} with 2 (n - 1) + kernel - 2 p + o = target."""
    excess = 2 * (n - 1) + kernel - target
    padding = ceil(excess / 2)
    return padding, 2 * padding - excess
