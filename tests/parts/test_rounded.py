"""A code of integers: its rounding, its noise, and the bits that its density says."""

import pytest
import torch

from narrows.parts.prior import NormalPrior
from narrows.parts.rounded import Rounded
from narrows.randomness import KeyedRandom, seeded_initialisation


@pytest.fixture
def rounded():
    with seeded_initialisation(0):
        return Rounded((6,), size=4, weight=0.5)


def test_rounded_codes_are_integers_outside_of_training(rounded):
    h = 5 * torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
    for random in (None, KeyedRandom(0)):
        code = rounded.eval()(h, NormalPrior(4), random)
        assert torch.equal(code.z, rounded.linear(h).round())
        assert torch.equal(code.symbols, code.z)


def test_rounded_codes_in_training_differ_from_the_features_by_uniform_noise(rounded):
    h = torch.randn(5000, 6, generator=torch.Generator().manual_seed(0))
    noise = rounded.train()(h, NormalPrior(4), KeyedRandom(0)).z - rounded.linear(h)
    assert noise.abs().max() <= 0.5 + 1e-6
    assert abs(noise.mean()) < 0.01
    assert noise.var().item() == pytest.approx(1 / 12, rel=0.03)  # that of rounding


def test_probabilities_of_all_integers_add_up_to_one(rounded):
    integers = torch.arange(-60, 61.0)
    with torch.no_grad():
        rounded.means.add_(torch.tensor([0.3, -2.0, 5.0, 0.0])[:, None])
        rounded.log_scales.fill_(0.7)
        for unit in range(4):
            codes = torch.zeros(121, 4)
            codes[:, unit] = integers
            bits = rounded.bits(codes)
            others = bits[60] + torch.log2(probability(rounded, codes)[60, unit])
            assert (2.0 ** (others - bits)).sum().item() == pytest.approx(1, abs=1e-4)


def probability(rounded, codes):
    return rounded._distribution(codes + 0.5) - rounded._distribution(codes - 0.5)


def test_cost_of_a_rounded_code_is_its_weighted_bits_and_has_a_gradient(rounded):
    h = torch.randn(7, 6, generator=torch.Generator().manual_seed(0))
    code = rounded.eval()(h, NormalPrior(4))
    torch.testing.assert_close(code.terms["rate"], 0.5 * rounded.bits(code.z))
    rounded.train()(h, NormalPrior(4), KeyedRandom(0)).terms["rate"].sum().backward()
    for parameter in rounded.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
