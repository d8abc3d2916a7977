import pytest
import torch

import narrows as nw
from narrows.model.build import build
from narrows.parts.bottleneck import Plain
from narrows.parts.code import Code
from narrows.parts.kinds import KINDS
from narrows.parts.objective import Elbo, Objective, Root
from narrows.parts.penalty import Penalty
from narrows.parts.term import Term
from narrows.randomness import KeyedRandom
from narrows.scale import FIXED_SCALES

SPECS = {
    "corruption": "none", "body": {"kind": "mlp", "widths": [16]}, "bottleneck": "plain", "up": "auto",
    "likelihood": "gaussian", "prior": "auto", "penalties": (),
}  # fmt: skip


# after a step or two
pytestmark = pytest.mark.filterwarnings("ignore:the model predicts a constant")


@pytest.fixture(scope="module")
def digits():
    return nw.load_data("digits", split="train")[0][:20]


@pytest.fixture
def x(digits):
    return torch.from_numpy(digits[:, None] / 255).float()


def terms_of(x, **specs):
    network = build({**SPECS, **specs}, tuple(x.shape[1:]), FIXED_SCALES["unit"], seed=0)
    return Elbo()(network, x, KeyedRandom(0, 0, 0)), network


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
    torch.testing.assert_close(
        done.code.z, posterior.mean + noise * (posterior.log_variance / 2).exp()
    )


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


def test_all_pixels_count_where_hidden_ones_alone_are_not_asked_for(x):
    (terms, done), network = terms_of(x, corruption={"kind": "masking", "rate": 0.25})
    error = (network.reconstruct(done.corrupted) - x).square()
    torch.testing.assert_close(terms["nll"], error.flatten(1).sum(1))


def test_every_term_is_one_value_an_image(x):
    parts = {"bottleneck": {"kind": "sparse", "size": 40}, "penalties": ["contractive"]}
    (terms, _), _ = terms_of(x, **parts)
    assert {name: term.shape for name, term in terms.items()} == dict.fromkeys(
        ("nll", "l1", "contractive"), (20,)
    )


def test_a_term_of_one_image_does_not_depend_on_its_company(x):
    (terms, _), network = terms_of(x, bottleneck={"kind": "sparse", "size": 8})
    alone, _ = Elbo()(network, x[3:4], KeyedRandom(0, 0, 0))
    torch.testing.assert_close(terms["nll"][3:4], alone["nll"])
    torch.testing.assert_close(terms["l1"][3:4], alone["l1"])


def test_a_gradient_is_taken_even_where_no_gradients_are_kept(x):
    (terms, _), network = terms_of(x, penalties=[{"kind": "contractive", "exact": True}])
    with torch.no_grad():
        quiet, _ = Elbo()(network, x, KeyedRandom(0, 0, 0))
    torch.testing.assert_close(quiet["contractive"], terms["contractive"])
    assert not x.requires_grad
    slope = torch.autograd.functional.jacobian(lambda one: network.encode(one)[0].z[0], x[:1])
    torch.testing.assert_close(0.1 * slope.square().sum(), quiet["contractive"][0])


def test_the_root_is_the_length_of_the_error_and_leaves_other_costs_alone(x):
    (terms, _), network = terms_of(
        x, bottleneck={"kind": "sparse", "size": 5}, corruption="gaussian"
    )
    found, done = Root()(network, x, KeyedRandom(0, 0, 0))
    error = network.likelihood.mean(done.out) - x
    torch.testing.assert_close(found["root"], error.flatten(1).norm(dim=1), rtol=1e-4, atol=1e-4)
    assert torch.equal(found["l1"], terms["l1"])
    assert found.keys() == {"root", "l1"}


@pytest.mark.parametrize(
    ("light", "sigma", "length"), [(1, 1.0, 1.0), (1, 0.05, 1.0), (0, None, 0.0)]
)
def test_the_gradient_of_the_root_is_of_one_length_and_0_where_nothing_is_wrong(
    x, light, sigma, length
):
    specs = {"body": {"kind": "unet", "bias": False}, "bottleneck": {"kind": "plain", "size": None}}
    _, network = terms_of(
        x, **specs, corruption={"kind": "gaussian", "sigma": sigma} if sigma else "none"
    )
    # without biases, black stays black
    found, done = Root()(network, x * light, KeyedRandom(0, 0, 0))
    (slope,) = torch.autograd.grad(found["root"].sum(), done.out)
    torch.testing.assert_close(
        slope.flatten(1).norm(dim=1), torch.full((20,), length), rtol=1e-2, atol=1e-6
    )


@pytest.mark.parametrize(
    "objective", [{"kind": "root", "least": 0.25}, {"kind": Root, "least": 0.25}]
)
def test_options_of_an_objective_are_used_in_training_and_kept_in_the_model_file(
    digits, tmp_path, objective
):
    model = nw.Autoencoder(objective=objective, epochs=2, batch_size=5).fit(digits)
    assert model.history_["loss"] == model.history_["root"]
    again = nw.load(nw.save(model, tmp_path / "root.safetensors"))
    assert again.objective == {"kind": "root", "least": 0.25}
    assert "root" in again.partial_fit(digits).history_


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        ({"kind": "root", "least": 0}, "objective 'root': least: got 0, expected a number > 0"),
        ({"kind": "root", "most": 1}, "it has no option 'most'; known: least"),
        (
            Root(),
            "objective: got an object, which every fit would share; give its class: objective=Root",
        ),
    ],
)
def test_wrong_options_of_an_objective_and_objects_are_refused(digits, objective, words):
    with pytest.raises(nw.NarrowsError, match=words):
        nw.Autoencoder(objective=objective).fit(digits)


class Absolute(Objective):
    """Σ |x - m| of an image: an objective of the user's own, without a term nll."""

    data_terms = (Term("absolute", "absolute error"),)

    def data(self, network, forward, x):
        return {"absolute": (network.likelihood.mean(forward.out) - x).abs().sum((1, 2, 3))}


def test_a_registered_objective_without_nll_trains_validates_and_resumes(
    digits, tmp_path, monkeypatch
):
    monkeypatch.setitem(KINDS["objective"].table, "Absolute", Absolute)
    model = nw.Autoencoder(
        bottleneck="variational", objective="Absolute", epochs=2, batch_size=4, validation=0.2
    ).fit(digits)
    names = {"loss", "absolute", "kl"}
    assert set(model.history_) == names | {f"val_{name}" for name in names} | {
        "seconds",
        "val_seconds",
    }
    assert nw.load(nw.save(model, tmp_path / "own.safetensors")).transform(digits).shape == (20, 20)


class Negative(Penalty):
    """A penalty of the user's own, which sees the output."""

    name = "negative"

    def __call__(self, forward, x, random):
        return forward.out.relu().sum((1, 2, 3))


def test_a_penalty_sees_the_output_and_the_clean_images(x):
    (terms, forward), _ = terms_of(x, penalties=[Negative], corruption="gaussian")
    assert torch.equal(terms["negative"], forward.out.relu().sum((1, 2, 3)))


@pytest.mark.parametrize(
    ("specs", "name"),
    [
        ({"penalties": ["contractive", "contractive"]}, "contractive"),
        ({"penalties": [type("Nll", (Negative,), {"name": "nll"})]}, "nll"),
        ({"penalties": [type("Root", (Negative,), {"name": "root"})], "objective": "root"}, "root"),
        (
            {"penalties": [type("Kl", (Negative,), {"name": "kl"})], "bottleneck": "variational"},
            "kl",
        ),
    ],
)
def test_terms_of_one_name_are_refused(x, specs, name):
    with pytest.raises(nw.NarrowsError, match=f"2 terms of the loss are called '{name}'"):
        terms_of(x, **specs)
    if name == "nll":
        build(
            {**SPECS, **specs, "objective": "root"}, (1, 8, 8), FIXED_SCALES["unit"], seed=0
        )  # no other is called so


def test_an_undeclared_term_may_not_overwrite_another(x):
    class Hidden(Plain):
        def forward(self, h, prior, random=None):
            code = super().forward(h, prior, random)
            return Code(code.z, {"nll": code.z.sum(1)})

    with pytest.raises(
        nw.NarrowsError, match="a term of the loss: got 'nll', expected a name that no other"
    ):
        terms_of(x, bottleneck=Hidden)


def test_an_unknown_objective_is_refused(digits):
    with pytest.raises(nw.NarrowsError, match="no objective called 'elbow'; did you mean 'elbo'"):
        nw.Autoencoder(objective="elbow").fit(digits)


@pytest.mark.parametrize(
    ("likelihood", "objective", "said"),
    [
        ("gaussian", "elbo", "the squared error"),
        ({"kind": "gaussian", "variance": 0.1}, "elbo", None),
        ("bernoulli", "elbo", None),
        ("gaussian", "root", "‖x - m‖"),
        ("laplace", "root", None),
    ],
)
def test_a_caption_speaks_of_the_squared_error_only_where_the_nll_is_it(
    digits, likelihood, objective, said
):
    model = nw.Autoencoder(
        "mlp", "plain", likelihood=likelihood, objective=objective, epochs=1, random_state=0
    ).fit(digits)
    network = model.network_
    first = KINDS["objective"].table[objective]().terms(network)[0]
    assert ("squared" in first.caption or "‖" in first.caption) == (said is not None)
    assert said is None or said in first.caption
    nll = network.likelihood.nll(torch.full((1, 1, 2, 2), 0.3), torch.zeros(1, 1, 2, 2))
    squared = (network.likelihood.mean(torch.full((1, 1, 2, 2), 0.3))) ** 2
    assert torch.allclose(nll, squared) == (said is not None)
