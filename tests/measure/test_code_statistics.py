import numpy as np
import pytest
import torch

from narrows import measure
from narrows.errors import NarrowsError


@pytest.fixture
def codes():
    z = np.random.default_rng(0).normal(size=(500, 5)).astype(np.float32)
    z[:, 1] = 0  # dead, and constant
    z[:, 2] = 1000.1  # constant, and not dead
    z[:, 4] = -2 * z[:, 0] + 3
    return z


def test_active_and_dead(codes):
    assert measure.active_units(codes).tolist() == [4] * 500
    assert measure.dead_units(codes).tolist() == [False, True, False, False, False]
    assert measure.constant_units(codes).tolist() == [False, True, True, False, False]
    assert measure.active_units(np.array([[0, 0.4, 2]]), threshold=0.5).tolist() == [1]


def test_a_value_at_the_threshold_is_not_active_and_a_deviation_at_it_is_constant():
    z = np.array([[0.5], [-0.5]])
    assert measure.active_units(z, threshold=0.5).tolist() == [0, 0]
    assert measure.CodeStatistics(threshold=0.5).add(z).active == 0
    assert measure.dead_units(z, threshold=0.5).tolist() == [True]
    assert measure.constant_units(z, threshold=0.5).tolist() == [True]


def test_constant_is_relative_to_a_large_mean_of_either_sign_and_absolute_near_0():
    deviations = np.array([0.09, 0.11, 9, 11, 9, 11])
    z = np.array([0, 0, 100, 100, -100, -100]) + deviations * np.array([[1], [-1]])
    assert measure.constant_units(z, threshold=0.1).tolist() == [True, False] * 3


def test_units_of_codes_that_come_in_batches_are_those_of_all_of_them(codes):
    codes[:, 0] *= np.linspace(0, 9, 500)  # batches differ
    units = measure.CodeStatistics()
    for part in np.split(codes, [3, 4, 250]):
        units.add(part)
    assert units.count == 500
    np.testing.assert_allclose(units.mean, codes.mean(0, dtype=np.float64))
    np.testing.assert_allclose(units.variance, codes.var(0, dtype=np.float64), atol=1e-9)
    assert units.rms == pytest.approx(np.sqrt(np.square(codes, dtype=np.float64).mean()))
    assert units.active == pytest.approx(measure.active_units(codes).mean())
    assert units.dead.tolist() == measure.dead_units(codes).tolist()
    assert units.constant.tolist() == measure.constant_units(codes).tolist()


def test_correlation_agrees_with_numpy_and_has_no_nan(codes):
    rho = measure.correlation(codes)
    live = [0, 3, 4]
    np.testing.assert_allclose(rho[np.ix_(live, live)], np.corrcoef(codes[:, live].T), atol=1e-6)
    np.testing.assert_allclose(rho[0, 4], -1, atol=1e-6)
    assert np.diag(rho).tolist() == [1] * 5
    assert not np.any(rho[1, [0, 2, 3, 4]])


def test_correlation_is_never_beyond_1_by_rounding():
    z = np.random.default_rng(0).normal(size=(100, 1)) * np.linspace(-9, 9, 40)
    assert np.abs(measure.correlation(z)).max() == 1


def test_codes_may_be_feature_maps_or_tensors(codes):
    maps = torch.from_numpy(codes[:, :4].reshape(500, 1, 2, 2)).requires_grad_()
    np.testing.assert_allclose(measure.correlation(maps), measure.correlation(codes[:, :4]))


def test_kl_agrees_with_torch_and_finds_collapse():
    random = np.random.default_rng(0)
    mean, log_variance = random.normal(size=(2, 100, 3))
    mean[:, 1] = log_variance[:, 1] = 0
    posterior = torch.distributions.Normal(
        torch.tensor(mean), torch.tensor(np.exp(log_variance / 2))
    )
    prior = torch.distributions.Normal(torch.zeros(3).double(), 1.0)
    expected = torch.distributions.kl_divergence(posterior, prior).mean(0)
    np.testing.assert_allclose(measure.kl_per_unit(mean, log_variance), expected, atol=1e-12)
    assert measure.collapsed_units(mean, log_variance).tolist() == [False, True, False]
    half = measure.collapsed_units(np.ones((2, 1)), np.zeros((2, 1)), threshold=0.5)
    assert half.tolist() == [False], "½ nat is not less than ½ nat"


def test_spread_is_the_root_mean_square_radius():
    square = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=float)
    radii = measure.spread(np.concatenate([square, 3 * square + 7]), [2] * 4 + [9] * 4)
    assert radii == pytest.approx({2: 2**0.5, 9: 3 * 2**0.5})


@pytest.mark.parametrize(
    "call",
    [
        lambda: measure.active_units(np.zeros(4)),
        lambda: measure.correlation(np.zeros((0, 4))),
        lambda: measure.kl_per_unit(np.zeros((2, 3)), np.zeros((2, 4))),
        lambda: measure.spread(np.zeros((3, 2)), [0, 1]),
        lambda: measure.auroc([1, 2], [1, 1]),
        lambda: measure.auroc([1, np.nan], [0, 1]),
        lambda: measure.auroc([1, 2], [1]),
        lambda: measure.probe(np.zeros((3, 2)), [0, 1], np.zeros((3, 2)), [0, 1, 1]),
        lambda: measure.probe(
            np.zeros((3, 2)), [0, 1, 0], np.zeros((3, 2)), [0, 1, 1], kind="logstic"
        ),
    ],
)
def test_refusals(call):
    with pytest.raises(NarrowsError, match=r"got|NaN|did you mean 'logistic'"):
        call()
