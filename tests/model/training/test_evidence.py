"""Evidence of a diagnosis: the largest weight that is finite."""

from types import SimpleNamespace

import torch
from torch import nn

from narrows.model.training.evidence import largest_weight


def test_the_largest_weight_is_that_of_all_layers_in_size_whatever_is_not_finite():
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    network = nn.Sequential(first, second)
    for k, weights in enumerate(network.parameters()):
        weights.data.fill_(k)
    first.weight.data[0] = torch.tensor([-7.0, torch.nan])
    second.weight.data[0] = torch.tensor([torch.inf, -torch.inf])
    assert largest_weight(SimpleNamespace(network=network)) == 7  # type: ignore[arg-type]
