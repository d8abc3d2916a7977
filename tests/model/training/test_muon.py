"""Muon: its step has one length in all directions, and a training that resumes takes the same."""

import pytest
import torch

from narrows.model.training.muon import Muon, orthogonal
from narrows.randomness import keyed_generator


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (3, 6, 4), (1, 7)])
def test_orthogonal_matrices_have_singular_values_near_one(shape):
    step = orthogonal(torch.randn(shape, generator=keyed_generator("step")))
    values = torch.linalg.svdvals(step)
    assert (values > 0.5).all()
    assert (values < 1.3).all()
    assert (orthogonal(torch.zeros(shape)) == 0).all()


def moved(parameter: torch.Tensor, gradient: torch.Tensor, **options: float) -> torch.Tensor:
    """How a parameter moves in one step."""
    parameter = torch.nn.Parameter(parameter.clone())
    before = parameter.detach().clone()
    parameter.grad = gradient
    Muon([parameter], **{"lr": 0.1, "weight_decay": 0.0, **options}).step()
    return parameter.detach() - before


@pytest.mark.parametrize("shape", [(6, 2, 3, 3), (40, 3), (3, 40)])
def test_a_step_is_as_long_in_all_directions_whatever_the_length_of_the_gradient(shape):
    gradient = torch.randn(shape, generator=keyed_generator("gradient"))
    step = moved(torch.zeros(shape), gradient).flatten(1)
    rows, columns = step.shape
    values = torch.linalg.svdvals(step) / (0.1 * max(1, rows / columns) ** 0.5)
    assert (values > 0.5).all()
    assert (values < 1.3).all()
    assert torch.allclose(step, moved(torch.zeros(shape), 1e4 * gradient).flatten(1), atol=1e-5)


def test_a_step_of_a_vector_has_the_length_of_a_tenth_of_the_learning_rate_at_each_value():
    gradient = torch.randn(50, generator=keyed_generator("gradient"))
    step = moved(torch.zeros(50), gradient)
    assert float(step.square().mean().sqrt()) == pytest.approx(0.01, rel=0.35)
    assert torch.equal(step.sign(), -gradient.sign())


def test_weight_decay_shrinks_weights_without_a_gradient():
    step = moved(torch.ones(3, 3), torch.zeros(3, 3), weight_decay=0.5)
    assert torch.allclose(step, torch.full((3, 3), -0.05))
