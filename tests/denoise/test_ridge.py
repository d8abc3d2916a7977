"""Laws of the closed forms."""

import pytest
import torch

from narrows.denoise.ridge import (
    combination_weights,
    combine_noisy,
    combine_with_pilot,
    inverse,
)


@pytest.fixture
def random() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def groups(random: torch.Generator, *shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Patches around a bright one, and different energies of noise."""
    patches = 0.5 + 0.1 * torch.randn(*shape, generator=random)
    return patches, 0.2 + torch.rand(shape[:-1], generator=random)


def risk(theta: torch.Tensor, X: torch.Tensor, energy: torch.Tensor) -> torch.Tensor:
    return (theta @ X - X).square().sum() + (theta.square() * energy).sum()


def test_the_weights_solve_the_constrained_least_squares(random):
    """The same by its conditions of optimality, solved as one linear system."""
    X, energy = (values.double() for values in groups(random, 6, 20))
    theta = combination_weights(X @ X.mT + energy.diag(), energy)
    moment, one = X @ X.mT, torch.ones(6, 1, dtype=torch.float64)
    system = torch.cat(
        [
            torch.cat([moment + energy.diag(), one], 1),
            torch.cat([one.mT, torch.zeros(1, 1, dtype=torch.float64)], 1),
        ]
    )
    solved = torch.linalg.solve(system, torch.cat([moment, one.mT])).mT[:, :6]
    torch.testing.assert_close(theta, solved)


def test_no_other_weights_with_sum_one_have_less_risk(random):
    X, energy = (values.double() for values in groups(random, 6, 20))
    theta = combination_weights(X @ X.mT + energy.diag(), energy)
    for _ in range(20):
        change = torch.randn(6, 6, generator=random, dtype=torch.float64)
        other = theta + 1e-3 * (change - change.mean(1, keepdim=True))
        assert risk(other, X, energy) > risk(theta, X, energy)


def test_rows_sum_to_one(random):
    X, energy = groups(random, 5, 18, 49)
    A = X @ X.mT
    A.diagonal(dim1=1, dim2=2).add_(energy)
    theta = combination_weights(A, energy)
    torch.testing.assert_close(theta.sum(-1), torch.ones(5, 18), atol=1e-3, rtol=0)


def test_without_noise_the_weights_are_the_identity(random):
    X, _ = groups(random, 5, 10, 49)
    theta = combination_weights(X @ X.mT, torch.zeros(5, 10))
    torch.testing.assert_close(theta, torch.eye(10).expand(5, 10, 10))


@pytest.mark.parametrize("size", [(10, 49), (60, 49)])
def test_pass_2_is_the_closed_form_where_the_noise_is_equal(random, size):
    X, _ = groups(random, 3, *size)
    noisy = X + 0.1 * torch.randn(X.shape, generator=random)
    energy = torch.full(X.shape[:2], size[1] * 0.01)
    found, weights = combine_with_pilot(noisy, X, energy)
    A = X @ X.mT
    A.diagonal(dim1=1, dim2=2).add_(energy)
    theta = combination_weights(A.double(), energy.double()).float()
    torch.testing.assert_close(found, theta @ noisy, atol=1e-4, rtol=0)
    torch.testing.assert_close(weights, 1 / theta.square().sum(-1), atol=0, rtol=1e-3)


@pytest.mark.parametrize("shift", [-0.3, 5.0])
def test_a_patch_added_to_all_is_added_to_the_estimates(random, shift):
    X, energy = groups(random, 3, 18, 49)
    patch = shift * torch.rand(1, 1, 49, generator=random)
    for combine in (combine_noisy, lambda y, d: combine_with_pilot(y, y, d)):
        plain, moved = combine(X, energy)[0], combine(X + patch, energy)[0]
        torch.testing.assert_close(moved, plain + patch, atol=2e-3, rtol=0)


def test_equal_patches_without_structure_become_their_mean(random):
    noisy = 0.5 + 0.1 * torch.randn(4, 30, 49, generator=random)
    flat = torch.full_like(noisy, 0.5)
    found, weights = combine_with_pilot(noisy, flat, torch.full((4, 30), 0.49))
    torch.testing.assert_close(found, noisy.mean(1, keepdim=True).expand_as(found))
    torch.testing.assert_close(weights, torch.full((4, 30), 30.0))


def test_estimates_are_closer_to_the_truth_than_what_is_noisy(random):
    base = torch.rand(1, 1, 49, generator=random)
    X = base * (0.8 + 0.4 * torch.rand(8, 18, 1, generator=random))
    noisy = X + 0.1 * torch.randn(X.shape, generator=random)
    energy = torch.full((8, 18), 0.49)
    first = combine_noisy(noisy, energy)[0]
    second = combine_with_pilot(noisy, first, energy)[0]
    errors = [(values - X).square().mean() for values in (noisy, first, second)]
    assert errors[0] > 1.3 * errors[1] > 1.3**2 * errors[2]


def test_a_constant_group_is_finite():
    flat = torch.full((2, 18, 49), 0.5)
    for noise in (1e-7, 1.0):
        for found in combine_noisy(flat, torch.full((2, 18), noise)):
            assert found.isfinite().all()


@pytest.mark.parametrize("size", [1, 2, 24, 25, 81, 120])
def test_inverse(random, size):
    X = torch.randn(3, size, 2 * size + 3, generator=random, dtype=torch.float64)
    A = X @ X.mT
    torch.testing.assert_close(inverse(A) @ A, torch.eye(size).double().expand(3, size, size))
