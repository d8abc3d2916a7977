"""Laws of the parts together: every pair that fits works, at any size, all of it learns; every
other is refused.
"""

import numpy as np
import pytest
import torch
from torch import nn

from narrows.choose import choose, default_options
from narrows.errors import BuildError, UnknownName
from narrows.parts.bodies import BODIES
from narrows.parts.body import Body
from narrows.parts.bottleneck import Bottleneck
from narrows.parts.bottlenecks import BOTTLENECKS
from narrows.parts.corruption import Corruption
from narrows.parts.corruptions import CORRUPTIONS
from narrows.parts.kinds import KINDS
from narrows.parts.likelihood import LIKELIHOODS, Likelihood
from narrows.parts.objective import Elbo, Objective
from narrows.parts.penalty import PENALTIES, Penalty
from narrows.parts.prior import Prior
from narrows.parts.term import Term, described_terms
from narrows.parts.up import Up
from narrows.parts.ups import UPS
from narrows.randomness import KeyedRandom, seeded_initialisation

IMAGES = [(1, 28, 28), (3, 7, 7), (2, 5, 9), (4, 13, 8), (1, 33, 17)]
BODY_SPECS = {
    **{name: name for name in BODIES},
    "no layers": {"kind": "mlp", "widths": []},
    "mlp with all": {"kind": "mlp", "widths": [20, 12], "dropout": 0.2, "batch_norm": True},
    "pooled": {"kind": "conv", "stages": "pooled", "channels": [4, 6]},
    "conv with all": {
        "kind": "conv",
        "channels": [4, 6],
        "kernel": 5,
        "dropout": 0.2,
        "batch_norm": True,
    },
    "unet with all": {"kind": "unet", "channels": [4, 6], "dropout": 0.2, "batch_norm": True},
    "residual with all": {
        "kind": "residual",
        "width": 12,
        "hidden": 20,
        "blocks": 2,
        "dropout": 0.2,
    },
    "pooled with all": {
        "kind": "conv",
        "stages": "pooled",
        "channels": [5],
        "dropout": 0.2,
        "batch_norm": True,
    },
}
# noise that needs no noisy images
MADE = [name for name, make in CORRUPTIONS.items() if not make.paired]
ANY_SIZE = {"body": "unet", "bottleneck": {"kind": "plain", "size": None}}
SMALL = {"topk": {"k": 3}}  # options for codes of 6 units, where the defaults do not fit


def fits(body: str, up: str) -> bool:
    with seeded_initialisation(0):
        return UPS[up].needs <= choose("body", BODIES, BODY_SPECS[body], image=(1, 28, 28)).gives


PAIRS = [(body, up) for body in BODY_SPECS for up in UPS if fits(body, up)]
MISFITS = [(body, up) for body in BODY_SPECS for up in UPS if not fits(body, up)]


def bottleneck(name: str, size: int | None = 6) -> dict:
    return {"kind": name, "size": size, **SMALL.get(name, {})}


def test_the_pairs_that_fit():
    assert {up for body, up in PAIRS if body == "mlp"} >= {"linear", "tied"}
    assert {up for body, up in PAIRS if body == "conv"} >= {"linear", "deconv", "resize"}
    assert {up for body, up in PAIRS if body == "pooled"} >= {
        "linear",
        "deconv",
        "resize",
        "unpool",
        "deconv+unpool",
    }
    assert {up for body, up in PAIRS if body == "unet"} == {"linear", "unet"}
    assert {("mlp", "deconv"), ("mlp", "unpool"), ("conv", "tied"), ("conv", "unpool")} <= set(
        MISFITS
    )


# -- pairs that fit --------------------------------------------------------------------------------


@pytest.mark.parametrize("image", IMAGES, ids=str)
@pytest.mark.parametrize(("body", "up"), PAIRS)
def test_an_image_of_any_size_comes_out_at_its_size(some, make, body, up, image):
    network = make(image, body=BODY_SPECS[body], up=up)
    x = some(3, *image)
    assert network(x, KeyedRandom(0)).out.shape == x.shape
    assert network.eval().reconstruct(x).shape == x.shape
    code, side = network.encode(x)
    torch.testing.assert_close(
        network.likelihood.mean(network.decode(code.z, side)), network.reconstruct(x)
    )


def unmoved(network: nn.Module) -> set[nn.Parameter]:
    """Biases that batch normalisation takes away again: their gradient is nothing but rounding."""
    if not any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in network.modules()):
        return set()
    weighted = nn.Linear | nn.Conv2d | nn.ConvTranspose2d
    biases = {module.bias for module in network.modules() if isinstance(module, weighted)}
    return biases | set(getattr(network.up, "biases", []))


def assert_all_learn(network, x):
    terms, _ = Elbo()(network, x, KeyedRandom(0, progress=1.0))
    assert all(term.shape == (len(x),) and term.isfinite().all() for term in terms.values())
    sum(term.sum() for term in terms.values()).backward()
    exempt = unmoved(network)
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient"
        assert parameter.grad.isfinite().all(), f"the gradient of {name} is not finite"
        assert parameter.grad.any() or parameter in exempt, f"{name} does not learn"


@pytest.mark.parametrize("size", [6, None])
@pytest.mark.parametrize("code", BOTTLENECKS)
@pytest.mark.parametrize(("body", "up"), PAIRS)
def test_every_parameter_learns(some, make, body, up, code, size):
    specs = {"body": BODY_SPECS[body], "up": up, "bottleneck": bottleneck(code, size)}
    if body == "no layers" and up == "tied" and size is None and not BOTTLENECKS[code].variational:
        with pytest.raises(
            BuildError, match="linear layers on the way down: got 0, expected 1 at least; give the"
        ):
            make(**specs)
    else:
        assert_all_learn(make(**specs), some(16, 1, 9, 7))


@pytest.mark.parametrize("penalty", [None, *PENALTIES])
@pytest.mark.parametrize("corruption", MADE)
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_every_parameter_learns_under_every_loss(some, make, likelihood, corruption, penalty):
    penalties = [] if penalty is None else [penalty]
    network = make((3, 9, 7), likelihood=likelihood, corruption=corruption, penalties=penalties)
    assert_all_learn(network, some(16, 3, 9, 7))
    terms, _ = Elbo()(network, some(16, 3, 9, 7), KeyedRandom(0))
    assert set(terms) == {"nll", *penalties}


class Halved(Penalty):
    """A registered penalty that declares no term."""

    name = "halved"

    def __call__(self, forward, x, random):
        return forward.code.mean.square().sum(1) / 2


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in ("bottleneck", "objective", "penalty") for name in KINDS[kind].table]
    + [("penalty", "Halved")],
)
def test_every_part_declares_the_terms_that_it_puts_out(some, make, monkeypatch, kind, name):
    monkeypatch.setitem(KINDS["penalty"].table, "Halved", Halved)
    spec = bottleneck(name) if kind == "bottleneck" else name
    objective = KINDS["objective"].make(name if kind == "objective" else "elbo")
    specs = {"penalties": [spec]} if kind == "penalty" else {kind: spec}
    network = make(**(specs | ANY_SIZE if objective.any_size else specs))
    terms, _ = objective(network, some(4, 1, 9, 7), KeyedRandom(0))
    declared = objective.terms(network)
    assert list(terms) == [term.name for term in declared]
    assert all(term.title for term in declared)
    assert list(described_terms(terms, declared).values()) == list(declared)


def test_an_undeclared_term_is_described_by_its_name():
    declared = [Term("kl", "KL to the prior", "nats an image")]
    described = described_terms(["nll", "my_cost", "kl"], declared)
    assert [term.title for term in described.values()] == ["nll", "my cost", "KL to the prior"]
    assert list(described) == ["nll", "my_cost", "kl"]


# -- numbers that belong to a key ------------------------------------------------------------------


@pytest.mark.parametrize("corruption", MADE)
@pytest.mark.parametrize("code", BOTTLENECKS)
@pytest.mark.parametrize("body", ["mlp", "conv"])
def test_ranks_compute_rows_of_the_whole(some, make, body, code, corruption):
    small = {"mlp": {"widths": [12]}, "conv": {"channels": [4, 6]}}[body]
    specs = {"body": {"kind": body, **small, "dropout": 0.3}, "bottleneck": bottleneck(code, 20)}
    network = make(**specs, corruption=corruption, penalties=list(PENALTIES))
    x, part = some(10, 1, 9, 7), slice(4, 8)
    whole, _ = Elbo()(network, x, KeyedRandom(0, 1, 2))
    rows, _ = Elbo()(network, x[part], KeyedRandom(0, 1, 2, rows=part, total=10))
    for name, term in whole.items():
        torch.testing.assert_close(rows[name], term[part], rtol=1e-4, atol=1e-4, msg=name)


def test_a_network_belongs_to_its_seed_and_the_global_generators_stay_as_they_are(some, make):
    def state():
        return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()

    before = state()
    first, again, other = (
        make(
            seed=seed,
            body={"kind": "mlp", "dropout": 0.2},
            bottleneck="variational",
            prior="mixture",
            corruption="gaussian",
            penalties=["contractive"],
        )
        for seed in (0, 0, 1)
    )
    weights = [
        torch.cat([p.flatten() for p in network.parameters()]) for network in (first, again, other)
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    terms, done = Elbo()(first, some(20, 1, 9, 7), KeyedRandom(0))
    sum(term.sum() for term in terms.values()).backward()
    first.prior.fit(done.code.z.detach(), seed=0)
    first.prior.sample(5, seed=0)
    assert state() == before


@pytest.mark.parametrize(
    "name", [n for n in CORRUPTIONS if "only_hidden" in default_options(CORRUPTIONS[n])]
)
def test_the_loss_counts_hidden_pixels_alone_where_asked(some, make, name):
    x = some(5, 3, 9, 7)
    terms, done = Elbo()(
        make((3, 9, 7), corruption={"kind": name, "only_hidden": True}), x, KeyedRandom(0)
    )
    nll = make((3, 9, 7)).likelihood.nll(done.out, x)
    torch.testing.assert_close(terms["nll"], (nll * done.hidden).sum((1, 2, 3)))
    everywhere, _ = Elbo()(make((3, 9, 7), corruption=name), x, KeyedRandom(0))
    torch.testing.assert_close(everywhere["nll"], nll.sum((1, 2, 3)))


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("body", "up"), MISFITS)
def test_a_pair_that_does_not_fit_is_refused_with_a_cure_that_works(make, body, up):
    with pytest.raises(BuildError) as caught:
        make(body=BODY_SPECS[body], up=up)
    told = str(caught.value)
    assert f"up '{up}' needs " in told
    assert "got a body that gives " in told
    cures = told.split("use up=")[1].split(", or")[0].replace("'", "").split(" or ")
    assert [(body, cure) for cure in cures] == [pair for pair in PAIRS if pair[0] == body]


SALT, CLIP = {"corruption": "salt-and-pepper"}, {"corruption": {"kind": "gaussian", "clip": True}}


@pytest.mark.parametrize(
    ("scale", "specs", "words"),
    [
        ("standard", SALT, "got 'a scale without a range', expected scale 'unit' or 'symmetric'"),
        ("standard", CLIP, "clip: got True, expected False on a scale that has no range"),
        (
            "standard",
            {"likelihood": "bernoulli"},
            "scale: got 'standard', expected 'unit'; set scale='unit'",
        ),
        (
            "symmetric",
            {"likelihood": {"kind": "gaussian", "output": "relu"}},
            "got 'relu', expected .*; use 'identity'",
        ),
        (
            "unit",
            {"prior": "normal"},
            "needs a variational bottleneck: got codes .*; use prior='gaussian'",
        ),
    ],
)
def test_other_parts_that_do_not_fit_are_refused_with_a_cure(make, scale, specs, words):
    with pytest.raises(BuildError, match=words):
        make(scale=scale, **specs)


def test_every_fault_is_reported_at_once(make):
    wrong = {
        "corruption": "nosie",
        "body": {"kind": "mlp", "width": 3},
        "up": "lineer",
        "penalties": ["contract"],
    }
    with pytest.raises(BuildError) as caught:
        make(**wrong)
    for words in (
        "4 reasons",
        "did you mean 'widths'",
        "'nosie'",
        "did you mean 'linear'",
        "'contractive'",
    ):
        assert words in str(caught.value)


def test_values_that_do_not_fit_are_reported_at_once(make):
    with pytest.raises(BuildError) as caught:
        make(
            corruption={"kind": "gaussian", "sigma": 0},
            likelihood={"kind": "gaussian", "variance": 0},
            bottleneck=bottleneck("plain", 0),
        )
    for words in ("3 reasons", "sigma: got 0", "variance: got 0", "size: got 0"):
        assert words in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_part_is_refused_with_all_that_are_known(make, kind):
    with pytest.raises(UnknownName) as caught:
        make(**({"penalties": ["?"]} if kind == "penalty" else {kind: "?"}))
    assert f"there is no {kind} called '?'" in str(caught.value)
    assert all(name in str(caught.value) for name in KINDS[kind].table)


@pytest.mark.parametrize(
    ("kind", "contract"),
    list(
        zip(
            KINDS,
            [Corruption, Body, Bottleneck, Up, Likelihood, Prior, Penalty, Objective],
            strict=True,
        )
    ),
)
def test_every_part_is_documented_and_keeps_its_contract(kind, contract):
    for name, part in KINDS[kind].table.items():
        assert vars(part)["__doc__"], f"{kind} {name} has no docstring"
        assert issubclass(part, contract), f"{kind} {name} is no {contract.__name__}"
