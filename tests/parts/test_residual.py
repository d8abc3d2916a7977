"""A residual body and its way up: what a block computes, and how they mirror each other."""

import pytest
import torch
from torch.nn import functional as F

from narrows.errors import BuildError
from narrows.model.network import count_parameters
from narrows.parts.residual import Block

SMALL = {"kind": "residual", "width": 9, "hidden": 5, "blocks": 2}


def test_a_residual_block_adds_two_layers_of_the_normalised_values(some):
    block = Block(9, 5, [torch.nn.SiLU()])
    norm, first, _, second = block.layers
    h = some(4, 9)
    inner = F.linear(F.layer_norm(h, (9,), norm.weight, norm.bias), first.weight, first.bias)
    expected = h + F.linear(F.silu(inner), second.weight, second.bias)
    torch.testing.assert_close(block(h), expected)


def test_a_residual_network_without_its_blocks_is_linear(some, make):
    network = make(body=SMALL).eval()
    for layers in (network.body.layers, network.up.layers):
        for block in layers[1:]:
            torch.nn.init.zeros_(block.layers[-1].weight)
            torch.nn.init.zeros_(block.layers[-1].bias)
    a, b = some(3, 1, 9, 7), some(3, 1, 9, 7).flip(0)

    def made(x):
        return network.autoencode(x)[1]

    torch.testing.assert_close(made((a + b) / 2), (made(a) + made(b)) / 2)


@pytest.mark.parametrize(("size", "code"), [(6, 6), (None, 9)])
def test_residual_up_mirrors_the_body(make, size, code):
    network = make(body=SMALL, bottleneck={"kind": "plain", "size": size})
    block = 2 * 9 + (9 * 5 + 5) + (5 * 9 + 9)
    down, up = 63 * 9 + 9 + 2 * block, code * 9 + 9 + 2 * block + 9 * 63 + 63
    assert count_parameters(network.body) == down
    assert count_parameters(network.up) == up


def test_residual_up_needs_a_residual_body(make):
    with pytest.raises(BuildError, match=r"needs blocks.* or body='residual'"):
        make(body="mlp", up="residual")
