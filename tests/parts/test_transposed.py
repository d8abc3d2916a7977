"""A transposed convolution is the adjoint of its convolution, and torch's own up to rounding."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from narrows.parts.transposed import FEW_CHANNELS, Transposed, paddings_of

CASES = [  # channels in and out, size, kernel, stride, padding, output padding
    (5, 7, (4, 4), 3, 2, (1, 1), (1, 1)),
    (5, 1, (4, 4), 3, 2, (1, 1), (1, 1)),
    (3, FEW_CHANNELS, (7, 5), 4, 2, (1, 1), (0, 0)),
    (3, FEW_CHANNELS + 1, (3, 6), 3, 2, (0, 1), (0, 1)),
    (4, 2, (5, 5), 3, 1, (1, 1), (0, 0)),
    (4, 8, (1, 9), 5, 2, (2, 2), (1, 1)),
]
cases = pytest.mark.parametrize(("a", "b", "size", "kernel", "stride", "padding", "out"), CASES)


def pair(a, b, size, kernel, stride, padding, out) -> tuple[Any, Any, list[torch.Tensor]]:
    """Ours and torch's with the same weights, and an input of each memory format."""
    torch.manual_seed(0)
    ours = Transposed(a, b, kernel, stride, padding, out)
    theirs = nn.ConvTranspose2d(a, b, kernel, stride, padding, out)
    theirs.load_state_dict(ours.state_dict())
    h = torch.randn(3, a, *size)
    return ours, theirs, [h, h.contiguous(memory_format=torch.channels_last)]


@cases
def test_values_and_gradients_are_those_of_torch(a, b, size, kernel, stride, padding, out):
    ours, theirs, inputs = pair(a, b, size, kernel, stride, padding, out)
    for h in inputs:
        found = []
        for layer in (ours, theirs):
            x = h.clone().requires_grad_()
            y = layer(x)
            slope = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
            found.append([y, *torch.autograd.grad(y, [x, layer.weight, layer.bias], slope)])
        assert "Adjoint" in type(found[0][0].grad_fn).__name__, "the fast way is taken on a CPU"
        for mine, yours in zip(*found):
            torch.testing.assert_close(mine, yours, rtol=1e-4, atol=1e-5)


@cases
def test_it_is_the_adjoint_of_the_convolution(a, b, size, kernel, stride, padding, out):
    ours, _, (h, _) = pair(a, b, size, kernel, stride, padding, out)
    nn.init.zeros_(ours.bias)
    y = ours(h)
    x = torch.randn_like(y)
    down = F.conv2d(x, ours.weight, None, stride, padding)
    torch.testing.assert_close((y * x).sum(), (h * down).sum(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kernel", [3, 4, 5, 8])
@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize("odd", [0, 1])
def test_paddings_solve_for_the_target_with_the_least_output_padding(kernel, n, odd):
    target = 2 * n - odd
    padding, out = paddings_of(kernel, n, target)
    assert 2 * (n - 1) + kernel - 2 * padding + out == target
    assert out in (0, 1)
    assert padding >= 0


def test_a_weight_that_is_frozen_gets_no_gradient():
    ours, _, (h, _) = pair(*CASES[0])
    ours.weight.requires_grad_(False)
    ours(h.requires_grad_()).sum().backward()
    assert ours.weight.grad is None
    assert h.grad is not None
    assert ours.bias.grad is not None


@cases
def test_under_autocast_it_is_torchs(a, b, size, kernel, stride, padding, out):
    ours, theirs, (h, _) = pair(a, b, size, kernel, stride, padding, out)
    with torch.autocast("cpu", torch.bfloat16):
        assert ours(h).dtype == torch.bfloat16
        torch.testing.assert_close(ours(h), theirs(h))


@cases
def test_no_images_are_no_images(a, b, size, kernel, stride, padding, out):
    ours, theirs, (h, _) = pair(a, b, size, kernel, stride, padding, out)
    assert ours(h[:0]).shape == theirs(h[:0]).shape


def test_double_precision_goes_through():
    ours, theirs, (h, _) = pair(*CASES[1])
    torch.testing.assert_close(ours.double()(h.double()), theirs.double()(h.double()))
