import pytest
import torch

import narrows as nw
from narrows.model.network import build
from narrows.parts.objective import elbo, root
from narrows.randomness import KeyedRandom
from narrows.scale import FIXED_SCALES

SPECS = {
    "corruption": "none", "body": {"kind": "mlp", "widths": [16]}, "bottleneck": "plain", "up": "auto",
    "likelihood": "gaussian", "prior": "auto", "penalties": (),
}  # fmt: skip


@pytest.fixture
def x(digits):
    return torch.from_numpy(digits[:20, None] / 255).float()


def terms_of(x, **specs):
    network = build({**SPECS, **specs}, tuple(x.shape[1:]), FIXED_SCALES["unit"], seed=0)
    return elbo(network, x, KeyedRandom(0, 0, 0)), network


BELIEFS = {
    "bernoulli": torch.distributions.Bernoulli,
    "gaussian": lambda m: torch.distributions.Normal(m, 0.5**0.5),
    "laplace": lambda m: torch.distributions.Laplace(m, 1.0),
}


@pytest.mark.parametrize("likelihood", BELIEFS)
@pytest.mark.parametrize("beta", [1.0, 4.0])
def test_the_loss_of_a_vae_is_nll_plus_beta_kl(x, likelihood, beta):
    x = x.round() if likelihood == "bernoulli" else x
    bottleneck = {"kind": "variational", "size": 3, "beta": beta}
    (terms, done), network = terms_of(x, bottleneck=bottleneck, likelihood=likelihood)
    posterior = done.code.posterior
    q = torch.distributions.Normal(posterior.mean, (posterior.log_variance / 2).exp())
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
    p = BELIEFS[likelihood](network.likelihood.mean(network.decode(done.code.z)))
    nll = -p.log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(terms["kl"], beta * kl)
    torch.testing.assert_close(terms["nll"] + network.likelihood.constant * 64, nll)
    assert terms.keys() == {"nll", "kl"}


def test_a_sampled_code_is_mean_plus_deviation_times_the_keys_noise(x):
    (_, done), _ = terms_of(x, bottleneck={"kind": "variational", "size": 3})
    posterior = done.code.posterior
    noise = KeyedRandom(0, 0, 0).normal("code", posterior.mean)
    torch.testing.assert_close(done.code.z, posterior.mean + noise * (posterior.log_variance / 2).exp())


def test_the_target_is_the_clean_image_and_the_input_the_corrupted_one(x):
    (terms, done), network = terms_of(x, corruption={"kind": "gaussian", "sigma": 0.5})
    assert (done.corrupted - x).std().item() == pytest.approx(0.5, rel=0.1)
    error = network.reconstruct(done.corrupted) - x
    torch.testing.assert_close(terms["nll"], error.square().flatten(1).sum(1))


def test_only_hidden_pixels_count_where_that_is_asked(x):
    masking = {"kind": "masking", "rate": 0.25, "only_hidden": True}
    (terms, done), network = terms_of(x, corruption=masking)
    error = (network.reconstruct(done.corrupted) - x).square() * done.hidden
    torch.testing.assert_close(terms["nll"], error.flatten(1).sum(1))
    assert 0.15 < done.hidden.float().mean() < 0.35


def test_every_term_is_one_value_an_image(x):
    parts = {"bottleneck": {"kind": "sparse", "size": 40}, "penalties": ["contractive"]}
    (terms, _), _ = terms_of(x, **parts)
    assert {name: term.shape for name, term in terms.items()} == dict.fromkeys(("nll", "l1", "contractive"), (20,))


def test_a_term_of_one_image_does_not_depend_on_its_company(x):
    (terms, _), network = terms_of(x, bottleneck={"kind": "sparse", "size": 8})
    alone, _ = elbo(network, x[3:4], KeyedRandom(0, 0, 0))
    torch.testing.assert_close(terms["nll"][3:4], alone["nll"])
    torch.testing.assert_close(terms["l1"][3:4], alone["l1"])


def test_a_slope_is_taken_even_where_no_gradients_are_kept(x):
    (terms, _), network = terms_of(x, penalties=[{"kind": "contractive", "exact": True}])
    with torch.no_grad():
        quiet, _ = elbo(network, x, KeyedRandom(0, 0, 0))
    torch.testing.assert_close(quiet["contractive"], terms["contractive"])
    assert not x.requires_grad
    slope = torch.autograd.functional.jacobian(lambda one: network.encode(one)[0].z[0], x[:1])
    torch.testing.assert_close(0.1 * slope.square().sum(), quiet["contractive"][0])


def test_the_root_is_the_length_of_the_error_and_leaves_other_costs_alone(x):
    (terms, _), network = terms_of(x, bottleneck={"kind": "sparse", "size": 5}, corruption="gaussian")
    found, done = root(network, x, KeyedRandom(0, 0, 0))
    error = network.likelihood.mean(done.out) - x
    torch.testing.assert_close(found["nll"], error.flatten(1).norm(dim=1), rtol=1e-4, atol=1e-4)
    assert torch.equal(found["l1"], terms["l1"])
    assert found.keys() == terms.keys()


@pytest.mark.parametrize(("light", "sigma", "length"), [(1, 1.0, 1.0), (1, 0.05, 1.0), (0, None, 0.0)])
def test_the_slope_of_the_root_is_of_one_length_and_0_where_nothing_is_wrong(x, light, sigma, length):
    specs = {"body": {"kind": "unet", "bias": False}, "bottleneck": {"kind": "plain", "size": None}}
    _, network = terms_of(x, **specs, corruption={"kind": "gaussian", "sigma": sigma} if sigma else "none")
    found, done = root(network, x * light, KeyedRandom(0, 0, 0))  # without biases, black stays black
    (slope,) = torch.autograd.grad(found["nll"].sum(), done.out)
    torch.testing.assert_close(slope.flatten(1).norm(dim=1), torch.full((20,), length), rtol=1e-2, atol=1e-6)


def test_an_unknown_objective_is_refused(digits):
    with pytest.raises(nw.NarrowsError, match="no objective called 'elbow'; did you mean 'elbo'"):
        nw.Autoencoder(objective="elbow").fit(digits)
