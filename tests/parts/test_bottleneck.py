"""Laws of the bottlenecks: what a code is, what it costs, and when."""

import inspect
from math import prod

import numpy as np
import pytest
import torch

from narrows.choose import choose
from narrows.errors import BuildError
from narrows.measure import CodeStatistics, kl_per_unit
from narrows.parts.bottlenecks import BOTTLENECKS
from narrows.parts.prior import NormalPrior
from narrows.randomness import KeyedRandom, seeded_initialisation

SMALL = {"topk": {"k": 3}}  # options for codes of 5 units, where the defaults do not fit
names = pytest.mark.parametrize("name", BOTTLENECKS)
sizes = pytest.mark.parametrize("size", [5, None])
features = pytest.mark.parametrize("features", [(12,), (3, 2, 2)], ids=str)


def chosen(name, features=(12,), size: int | None = 5, **options):
    with seeded_initialisation(0):
        spec = {"kind": name, "size": size, **SMALL.get(name, {}), **options}
        return choose("bottleneck", BOTTLENECKS, spec, features=features)


def code_of(bottleneck, h, random=None):
    return bottleneck(h, NormalPrior(prod(bottleneck.shape)), random)


@names
@sizes
@features
def test_a_code_has_its_shape_and_its_costs_one_value_an_image(some, name, size, features):
    bottleneck = chosen(name, features, size)
    for random in (None, KeyedRandom(0)):
        code = code_of(bottleneck, some(7, *features) - 0.5, random)
        assert bottleneck.shape == (features if size is None else (size,))
        assert code.z.shape == (7, *bottleneck.shape)
        assert all(cost.shape == (7,) for cost in code.terms.values())
        assert all((cost >= 0).all() for cost in code.terms.values())
        assert (code.posterior is not None) == bottleneck.variational
        assert not bottleneck.rectified or (code.z >= 0).all()


@names
def test_without_random_numbers_a_code_is_deterministic_and_each_image_has_its_own(some, name):
    bottleneck, h = chosen(name), some(7, 12)
    z = code_of(bottleneck, h).z
    assert torch.equal(code_of(bottleneck, h).z, z)
    torch.testing.assert_close(code_of(bottleneck, h[2:4]).z, z[2:4])


@names
def test_without_a_size_the_feature_map_is_the_code(some, name):
    h = some(7, 3, 2, 2)
    bottleneck = chosen(name, (3, 2, 2), None, **({"k": 12} if name == "topk" else {}))
    if not bottleneck.variational:
        assert torch.equal(code_of(bottleneck, h).z, h.round() if name == "rounded" else h)
        assert not bottleneck.linears


def test_the_formulas(some):
    h = some(7, 12) - 0.5
    a = {name: chosen(name).linear(h) for name in BOTTLENECKS}
    assert torch.equal(code_of(chosen("plain"), h).z, a["plain"])
    assert torch.equal(code_of(chosen("relu"), h).z, a["relu"].relu())
    assert torch.equal(code_of(chosen("variational"), h).z, a["variational"][:, :5])


@pytest.mark.parametrize("k", [1, 3, 5])
def test_topk_keeps_exactly_the_k_largest(some, k):
    h = some(50, 12)
    bottleneck = chosen("topk", k=k)
    bottleneck.project.bias.data += 1  # so that none is lost to the rectifier
    a, z = bottleneck.linear(h), code_of(bottleneck, h).z
    assert (a > 0).all()
    assert ((z > 0).sum(1) == k).all()
    assert torch.equal(z, a * (a >= a.sort(1).values[:, -k, None]))


def test_topk_never_keeps_what_is_not_positive(some):
    bottleneck = chosen("topk", k=4)
    bottleneck.project.bias.data -= 9
    assert not code_of(bottleneck, some(5, 12)).z.any()


@pytest.mark.parametrize("weight", [0, 0.1, 7.0])
@sizes
def test_the_sparse_cost_is_weight_times_the_sum_of_absolute_codes(some, weight, size):
    code = code_of(chosen("sparse", (3, 2, 2), size, weight=weight), some(7, 3, 2, 2) - 0.5)
    torch.testing.assert_close(code.terms["l1"], weight * code.z.abs().flatten(1).sum(1))


@pytest.mark.parametrize(("options", "beta"), [({}, 1), ({"beta": 0}, 0), ({"beta": 4.0}, 4)])
def test_the_variational_cost_is_beta_times_the_kl_and_by_default_the_kl(some, options, beta):
    code = code_of(chosen("variational", **options), some(7, 12), KeyedRandom(0))
    torch.testing.assert_close(code.terms["kl"], beta * NormalPrior(5).kl(code.posterior, code.z))


def test_a_variational_code_is_the_mean_unless_it_is_drawn(some):
    bottleneck, h = chosen("variational"), some(1, 12).expand(20_000, -1)
    still = code_of(bottleneck, h)
    drawn = code_of(bottleneck, h, KeyedRandom(0))
    assert torch.equal(still.z, still.posterior.mean)
    torch.testing.assert_close(drawn.z.mean(0), still.z[0], atol=0.05, rtol=0)
    torch.testing.assert_close(
        drawn.z.var(0), still.posterior.log_variance[0].exp(), atol=0, rtol=0.05
    )


@names
def test_only_a_variational_code_has_a_posterior_to_require(some, name):
    code = code_of(chosen(name), some(7, 12))
    if code.posterior is not None:
        assert code.require_posterior() is code.posterior
    else:
        with pytest.raises(BuildError, match="without a posterior"):
            code.require_posterior()


def test_an_absurd_variance_is_still_a_number(some):
    bottleneck = chosen("variational")
    for shift in (1e4, -1e4):
        bottleneck.project.bias.data[5:] = shift
        code = code_of(bottleneck, some(3, 12), KeyedRandom(0))
        assert code.z.isfinite().all()
        assert code.terms["kl"].isfinite().all()


@pytest.mark.parametrize(
    "name", [n for n in BOTTLENECKS if "warmup" in inspect.signature(BOTTLENECKS[n]).parameters]
)
def test_a_cost_warms_up_in_training_and_is_whole_outside_of_it(some, name):
    bottleneck, h = chosen(name, warmup=4), some(7, 12)

    def cost(progress, **options):
        (term,) = code_of(bottleneck, h, KeyedRandom(0, progress=progress)).terms.values()
        return term

    whole = cost(float("inf"))
    assert (whole > 0).all()
    for progress, share in [(0, 0), (1, 0.25), (3, 0.75), (4, 1), (100, 1)]:
        torch.testing.assert_close(cost(progress), share * whole)
    bottleneck.eval()
    if name != "rounded":  # of which validation rounds, and training adds noise
        assert torch.equal(cost(1), whole), "validation uses the final weight"
    assert torch.equal(cost(1), cost(100)), "validation uses the final weight"
    bottleneck = chosen(name)
    assert torch.equal(cost(0), whole), "without a warm-up the weight is whole from the start"


@names
@pytest.mark.parametrize("size", [0, -3, 2.5, True, "8"])
def test_a_wrong_size_is_refused(name, size):
    with pytest.raises(
        BuildError, match=r"size: got .*, expected an integer ≥ 1, or None for the feature map"
    ):
        chosen(name, size=size)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("topk", {"k": 6}, r"k: got 6, expected an integer in 1\.\.5"),
        ("topk", {"k": 0}, "k: got 0"),
        ("sparse", {"weight": -1}, "weight: got -1, expected a number ≥ 0"),
        ("sparse", {"warmup": -1}, "warmup: got -1"),
        ("variational", {"beta": -1}, "beta: got -1"),
        ("variational", {"warmup": -1}, "warmup: got -1"),
    ],
)
def test_wrong_options_are_refused(name, options, words):
    with pytest.raises(BuildError, match=words):
        chosen(name, **options)


# -- what a bottleneck says of itself --------------------------------------------------------------


@names
def test_unused_units_are_those_that_say_nothing_of_the_images(some, name):
    bottleneck, h = chosen(name, size=6, **({"k": 6} if name == "topk" else {})), some(50, 12) - 0.5
    h *= 10 if name == "rounded" else 1  # whose a are farther apart than integers
    with torch.no_grad():
        bottleneck.project.weight[:2] = 0  # their a is the bias
        bottleneck.project.bias[:2] = torch.tensor([-1.0, 1.0])
        bottleneck.project.weight[6:] = 0  # log σ² of a variational code
        bottleneck.project.bias[6:] = 0
        code = code_of(bottleneck, h)
    kl = kl_per_unit(code.mean, code.posterior.log_variance) if code.posterior else None
    # μ = ±1 costs ½ nat, though it says nothing
    dead = {"plain": [0, 1], "rounded": [0, 1], "variational": []}.get(name, [0])
    assert bottleneck.unused(CodeStatistics().add(code.z), kl).nonzero()[0].tolist() == dead
    if bottleneck.variational:
        assert bottleneck.unused(CodeStatistics().add(code.z)).nonzero()[0].tolist() == [0, 1]
        bottleneck.project.bias.data[:2] = 0
        code = code_of(bottleneck, h)
        kl = kl_per_unit(code.mean.detach(), code.posterior.log_variance.detach())
        assert bottleneck.unused(CodeStatistics(), kl).nonzero()[0].tolist() == [0, 1]


@pytest.mark.parametrize(("kl", "unused"), [(0.00999, True), (0.01, False), (0.0, True)])
def test_a_variational_unit_is_unused_below_a_hundredth_of_a_nat(kl, unused):
    assert chosen("variational").unused(CodeStatistics(), np.full(5, kl)).tolist() == [unused] * 5


@names
def test_code_measures_count_active_and_unused_units(some, name):
    bottleneck, z = chosen(name), np.array([[0, 2, 0.0, 1, -3], [0, 2, 0.5, 0, 3]])
    rectified = {"active_units": 3.0, "dead_units": 1}
    other = {"dead_units": 2}
    assert bottleneck.code_measures(CodeStatistics().add(z)) == (
        rectified if bottleneck.rectified else other
    )


@pytest.mark.parametrize(
    ("spec", "cure"),
    [
        ({"kind": "plain"}, "lower the learning rate, or give it a smaller size"),
        ({"kind": "plain", "size": None}, "lower the learning rate"),
        ({"kind": "relu", "size": 1}, "lower the learning rate"),
        ({"kind": "sparse"}, "lower its weight, or the learning rate"),
        ({"kind": "sparse", "weight": 0}, "lower the learning rate, or give it a smaller size"),
        (
            {"kind": "topk", "k": 4},
            "raise k, or lower the learning rate, or give it a smaller size",
        ),
        ({"kind": "topk", "k": 5}, "lower the learning rate, or give it a smaller size"),
        (
            {"kind": "variational"},
            "lower β, or let it grow over a warmup, or give it a smaller size",
        ),
        (
            {"kind": "variational", "size": None, "warmup": 2},
            "lower β, or let it grow over a longer warmup",
        ),
        ({"kind": "variational", "size": None, "beta": 0}, "lower the learning rate"),
    ],
)
def test_the_cure_of_unused_units_is_advice_that_the_options_can_follow(spec, cure):
    spec = {"size": 5, **spec}
    assert chosen(spec.pop("kind"), **spec).cure == cure


@names
def test_a_bottleneck_without_a_size_is_a_feature_map_and_is_never_reported_to_be_smaller(name):
    for size in (5, None):
        bottleneck = chosen(name, size=size)
        assert bottleneck.is_feature_map == (size is None)
        assert size or "size" not in bottleneck.cure
        assert bottleneck.unused_because
