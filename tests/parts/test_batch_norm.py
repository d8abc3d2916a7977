"""Batch normalisation over the ranks: on the images of one rank it is torch's own."""

from typing import Any

import pytest
import torch
from torch import nn

from narrows.parts import layers
from narrows.parts.layers import SYNCHRONISED_NORMS


@pytest.fixture(autouse=True)
def sums(monkeypatch) -> list:
    """The sums that are taken over two ranks, of which the other has no images: each is this rank's."""
    taken = []

    def own(values):
        taken.append(values)
        return values

    monkeypatch.setattr(layers, "rank_and_size", lambda: (0, 2))
    for name in ("all_reduce", "all_reduce_with_gradient"):
        monkeypatch.setattr(layers, name, own)
    return taken


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("norm", SYNCHRONISED_NORMS, ids=lambda norm: norm.__name__)
def test_batch_norm_over_ranks_is_torch_s_in_values_gradients_and_averages(
    some, sums, norm, affine, momentum
):
    shape = (6, 3) if norm is nn.BatchNorm1d else (6, 3, 4, 5)
    options = {"momentum": momentum, "affine": affine}
    pair: list[Any] = [make(3, **options) for make in (norm, SYNCHRONISED_NORMS[norm])]
    found = []
    for layer in pair:
        for k, parameter in enumerate(layer.parameters()):
            parameter.data = some(3, seed=k) + 0.5
        h = some(*shape).requires_grad_()
        layer(h + 1)
        layer(h + 2)
        y = layer(h)
        (gradient,) = torch.autograd.grad((y * some(*shape, seed=9)).sum(), h)
        found.append([y, gradient, *layer.state_dict().values()])
        assert not layer.running_mean.requires_grad
    torch.testing.assert_close(found[0], found[1])
    assert len(sums) == 9, "count, mean and variance of three steps"
    pair[1].eval()(some(*shape))
    assert len(sums) == 9, "none outside of training"


@pytest.mark.parametrize("norm", SYNCHRONISED_NORMS.values(), ids=lambda norm: norm.__name__)
def test_a_batch_norm_without_averages_keeps_none(some, norm):
    shape = (6, 3) if norm is layers.BatchNorm1d else (6, 3, 4, 5)
    y = norm(3, track_running_stats=False)(some(*shape))
    torch.testing.assert_close(
        y.transpose(0, 1).flatten(1).mean(1), torch.zeros(3), atol=1e-5, rtol=0
    )
