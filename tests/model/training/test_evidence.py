"""Evidence of a diagnosis: the losses before, and the largest weight that is finite."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from narrows.model.training.evidence import MEMORY, largest_weight, recent_losses


def test_the_largest_weight_is_that_of_all_layers_in_size_whatever_is_not_finite():
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    network = nn.Sequential(first, second)
    for k, weights in enumerate(network.parameters()):
        weights.data.fill_(k)
    first.weight.data[0] = torch.tensor([-7.0, torch.nan])
    second.weight.data[0] = torch.tensor([torch.inf, -torch.inf])
    assert largest_weight(SimpleNamespace(network=network)) == 7  # type: ignore[arg-type]


@pytest.mark.parametrize("done", [0, 3, 2 * MEMORY])
@pytest.mark.parametrize("before", [0, 2, 2 * MEMORY])
def test_recent_losses_are_those_of_the_last_steps_of_this_epoch_and_the_ones_before(done, before):
    losses = [float(k) for k in range(before + done)]
    sums = torch.full((2 * MEMORY + 1, 2), torch.nan)  # of two terms, over batches of 4 images
    sums[:done] = 4 * torch.tensor(losses[before:])[:, None] / 2
    progress = SimpleNamespace(steps={"loss": losses[:before]}, step_sums=sums)
    training = SimpleNamespace(progress=progress, batch_size=4)
    assert recent_losses(training, done) == losses[-MEMORY:]  # type: ignore[arg-type]
    assert len(progress.steps["loss"]) == before
