"""Laws of the priors: densities that hold all their mass, samples that follow them, fits that find
what was there.
"""

import math
import subprocess
import sys

import pytest
import torch
from torch import distributions as d

from narrows.errors import BuildError
from narrows.parts import prior as priors
from narrows.parts.code import Posterior
from narrows.parts.prior import PRIORS, MixturePrior
from narrows.randomness import KeyedRandom

MIX = torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.0, 0.0], [-1.0, 0.3, 0.4]])


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def lumps(count=2000, size=3):
    """Codes in two lumps, correlated."""
    z = normal(count, size) @ (MIX[:size, :size] if size <= 3 else torch.eye(size))
    return torch.where(torch.arange(count)[:, None] % 4 == 0, z + 8, z)


def reference(prior: MixturePrior) -> d.Distribution:
    if prior.factors.dim() == 3:
        parts = d.MultivariateNormal(prior.means, scale_tril=prior.factors)
    else:
        parts = d.Independent(d.Normal(prior.means, prior.factors), 1)
    return d.MixtureSameFamily(d.Categorical(prior.weights), parts)


def fitted(name, codes):
    prior = PRIORS[name](codes.shape[1])
    prior.fit(codes, seed=0)
    return prior


@pytest.mark.parametrize("size", [1, 4, 300])
@pytest.mark.parametrize("name", PRIORS)
def test_before_a_fit_every_prior_is_standard_normal(name, size):
    z = normal(50, size)
    expected = d.Normal(0, 1).log_prob(z).sum(1)
    torch.testing.assert_close(PRIORS[name](size).log_prob(z), expected)


@pytest.mark.parametrize("name", PRIORS)
def test_a_density_integrates_to_1_and_samples_follow_it(name):
    prior = fitted(name, lumps(size=1))
    grid = torch.linspace(-30, 40, 20001)
    density = prior.log_prob(grid[:, None]).exp()
    cumulative = torch.cumulative_trapezoid(density, grid)
    assert abs(cumulative[-1] - 1) < 1e-3
    samples = prior.sample(4000, seed=0)[:, 0].sort().values
    below = cumulative[torch.searchsorted(grid, samples).clamp(1, 20000) - 1]
    distance = (below - torch.arange(4000) / 4000).abs().max()  # Kolmogorov and Smirnov's
    assert distance < 1.95 / 4000**0.5


@pytest.mark.parametrize("size", [1, 5, 300])
@pytest.mark.parametrize("name", PRIORS)
def test_samples_belong_to_the_seed(name, size):
    prior = fitted(name, lumps(40, size))
    first = prior.sample(30, seed=1)
    assert first.shape == (30, size)
    assert torch.equal(first, prior.sample(30, seed=1))
    assert not torch.equal(first, prior.sample(30, seed=2))


@pytest.mark.parametrize("name", [name for name in PRIORS if PRIORS[name].fitted])
def test_a_fit_finds_a_known_gaussian(name):
    shift = torch.tensor([3.0, -1.0, 0.5])
    prior = fitted(name, normal(20_000, 3) @ MIX.T + shift)
    truth = d.MultivariateNormal(shift, MIX @ MIX.T)
    z = truth.mean + normal(2000, 3, seed=1) @ MIX.T
    gap = truth.log_prob(z) - prior.log_prob(z)
    assert abs(gap.mean()) < 0.02, "KL(truth ‖ fitted)"
    samples = prior.sample(20_000, seed=0)
    torch.testing.assert_close(samples.mean(0), shift, atol=0.06, rtol=0)
    torch.testing.assert_close(samples.T.cov(), MIX @ MIX.T, atol=0.2, rtol=0)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("name", ["gaussian", "mixture"])
def test_a_fitted_density_is_torch_s_mixture(monkeypatch, name, full):
    monkeypatch.setattr(priors, "FULL_COVARIANCE", 3 if full else 2)
    prior = fitted(name, lumps())
    assert prior.factors.dim() == (3 if full else 2)
    z = 6 * normal(200, 3)
    torch.testing.assert_close(
        prior.log_prob(z), reference(prior).log_prob(z), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("name", ["gaussian", "mixture"])
def test_codes_density_and_samples_have_one_mean_and_variance(monkeypatch, name, full):
    monkeypatch.setattr(priors, "FULL_COVARIANCE", 3 if full else 2)
    codes = lumps()
    prior = fitted(name, codes)
    truth, samples = reference(prior), prior.sample(40_000, seed=0)
    torch.testing.assert_close(truth.mean, codes.mean(0), atol=1e-3, rtol=0)
    torch.testing.assert_close(truth.variance, codes.var(0), rtol=0.01, atol=0)
    torch.testing.assert_close(samples.mean(0), truth.mean, atol=0.1, rtol=0)
    torch.testing.assert_close(samples.var(0), truth.variance, rtol=0.04, atol=0)


def test_a_mixture_reports_lumps_apart_that_one_gaussian_blurs():
    codes = lumps()
    one, two = fitted("gaussian", codes), MixturePrior(3, components=2)
    two.fit(codes, seed=0)
    assert two.log_prob(codes).mean() > one.log_prob(codes).mean() + 0.5
    torch.testing.assert_close(
        two.weights.sort().values, torch.tensor([0.25, 0.75]), atol=0.01, rtol=0
    )


@pytest.mark.parametrize("count", [1, 2, 3, 12])
@pytest.mark.parametrize("name", PRIORS)
def test_a_fit_to_few_codes_holds_and_keeps_its_shape(name, count):
    codes = normal(count, 3) * 5 + 2
    prior = fitted(name, codes)
    shapes = {k: v.shape for k, v in prior.state_dict().items()}
    assert shapes == {k: v.shape for k, v in PRIORS[name](3).state_dict().items()}, (
        "else it could not be loaded"
    )
    assert prior.log_prob(codes).isfinite().all()
    if prior.fitted:
        nearest = torch.cdist(prior.sample(20, seed=0), codes).min(1).values
        assert (nearest < 30).all()


@pytest.mark.parametrize("name", PRIORS)
def test_units_that_never_vary_do_not_break_a_fit(name):
    codes = lumps(200)
    codes[:, 1] = 0
    prior = fitted(name, codes)
    assert prior.log_prob(codes).isfinite().all()
    if prior.fitted:
        assert prior.sample(50, seed=0)[:, 1].abs().max() < 0.1


def test_a_fitted_prior_is_saved_and_restored():
    prior, copy = fitted("mixture", lumps()), MixturePrior(3)
    copy.load_state_dict(prior.state_dict())
    assert torch.equal(copy.sample(5, seed=0), prior.sample(5, seed=0))


@pytest.mark.parametrize("components", [0, -1, 1.5])
def test_a_wrong_number_of_components_is_refused(components):
    with pytest.raises(BuildError, match=f"components: got {components}, expected an integer ≥ 1"):
        MixturePrior(3, components)


# -- divergences -----------------------------------------------------------------------------------


def posterior(count, size=4):
    """Beliefs, all the same, so that a mean over images is a mean over samples."""
    mean, log_variance = normal(1, size, seed=5), normal(1, size, seed=6)
    return Posterior(mean.expand(count, -1), log_variance.expand(count, -1))


def test_log_q_is_torch_s():
    q, z = posterior(50), normal(50, 4)
    expected = d.Normal(q.mean, (0.5 * q.log_variance).exp()).log_prob(z).sum(1)
    torch.testing.assert_close(q.log_prob(z), expected)


def test_samples_of_q_have_its_mean_and_variance():
    q = posterior(40_000)
    z = q.sample(KeyedRandom(0))
    torch.testing.assert_close(z.mean(0), q.mean[0], atol=0.05, rtol=0)
    torch.testing.assert_close(z.var(0), q.log_variance[0].exp(), atol=0, rtol=0.03)
    assert torch.equal(z, q.sample(KeyedRandom(0)))


@pytest.mark.parametrize("name", PRIORS)
def test_kl_is_torch_s_exactly_or_on_average(name):
    q = posterior(40_000)
    exact = d.kl_divergence(d.Normal(q.mean, (0.5 * q.log_variance).exp()), d.Normal(0, 1)).sum(1)
    kl = PRIORS[name](4).kl(q, q.sample(KeyedRandom(0)))
    assert kl.shape == (40_000,)
    if name == "normal":
        torch.testing.assert_close(kl, exact)
    else:
        assert abs(kl.mean() - exact[0]) < 5 * kl.std() / math.sqrt(40_000)


def test_kl_of_the_prior_itself_is_0():
    q = Posterior(torch.zeros(3, 4), torch.zeros(3, 4))
    assert PRIORS["normal"](4).kl(q, q.mean).tolist() == [0, 0, 0]


def test_a_prior_without_memory_imports_no_compiler():
    """torch.eye on "meta" imports it, 800 modules: seconds, in every process that loads a model."""
    program = (
        "import sys, torch\nfrom narrows.parts.prior import MixturePrior\n"
        "with torch.device('meta'): print(MixturePrior(3).factors.shape)\n"
        "print('sympy' in sys.modules, 'torch._dynamo' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.stdout == "torch.Size([10, 3, 3])\nFalse False\n", found.stderr
    assert torch.equal(MixturePrior(3, 2).factors, torch.eye(3).expand(2, 3, 3))


@pytest.mark.parametrize("size", [3, 300])
def test_one_gaussian_is_the_mixture_of_one_component(size):
    codes = lumps(400, size)
    closed = fitted("gaussian", codes)
    of_library = closed._mixture(codes.double().numpy(), priors.floor_of(codes.double().numpy()), 0)
    ours = closed._fitted(codes.double().numpy(), 0)
    for value, expected in zip(ours, of_library, strict=True):
        torch.testing.assert_close(
            torch.tensor(value), torch.tensor(expected), rtol=1e-9, atol=1e-12
        )
