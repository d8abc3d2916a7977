"""Laws of the penalties: the contractive one equals its closed forms, exactly or on average."""

from typing import Any

import pytest
import torch

from narrows.choose import choose
from narrows.errors import BuildError
from narrows.parts.bottleneck import Plain, Relu, Variational
from narrows.parts.code import Code
from narrows.parts.forward_pass import ForwardPass
from narrows.parts.penalty import PENALTIES, Contractive, Penalty
from narrows.parts.prior import NormalPrior
from narrows.randomness import KeyedRandom, seeded_initialisation


@pytest.fixture
def x(some):
    return some(6, 12).sub(0.5).requires_grad_()


def encoder(kind, size) -> Any:
    with seeded_initialisation(0):
        return kind((12,), size)


def forward(code, x):
    """A pass through a network that puts out what it was given."""
    return ForwardPass(code, x, x, None, x)


def code_of(bottleneck, x):
    return bottleneck(x, NormalPrior(bottleneck.shape[0]))


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("size", [4, 40])
def test_a_penalty_is_one_value_an_image_and_moves_the_encoder(x, name, size):
    bottleneck = encoder(Relu, size)
    cost = choose("penalty", PENALTIES, name)(forward(code_of(bottleneck, x), x), x, KeyedRandom(0))
    assert cost.shape == (6,)
    cost.sum().backward()
    assert bottleneck.project.weight.grad.isfinite().all()
    assert bottleneck.project.weight.grad.any()


@pytest.mark.parametrize("weight", [0, 0.1, 3.0])
@pytest.mark.parametrize("size", [1, 16])
def test_of_a_linear_encoder_it_is_the_squared_norm_of_its_weights(x, weight, size):
    bottleneck = encoder(Plain, size)
    W = bottleneck.project.weight
    cost = Contractive(weight)(forward(code_of(bottleneck, x), x), x, KeyedRandom(0))
    torch.testing.assert_close(cost, weight * W.square().sum().expand(6))
    (grad,) = torch.autograd.grad(cost.sum(), W)
    torch.testing.assert_close(grad, 6 * weight * 2 * W)


def test_of_a_sigmoid_encoder_it_is_rifai_s_closed_form(x):
    W = encoder(Plain, 5).project.weight
    z = (x @ W.T).sigmoid()
    closed = ((z * (1 - z)).square() * W.square().sum(1)).sum(1)
    torch.testing.assert_close(Contractive(1.0)(forward(Code(z), x), x, KeyedRandom(0)), closed)


def test_of_a_rectified_encoder_only_active_units_count(x):
    bottleneck = encoder(Relu, 5)
    code = code_of(bottleneck, x)
    closed = ((code.z > 0) * bottleneck.project.weight.square().sum(1)).sum(1)
    torch.testing.assert_close(Contractive(1.0)(forward(code, x), x, KeyedRandom(0)), closed)


def test_of_a_variational_code_it_is_the_mean_s(x):
    bottleneck = encoder(Variational, 5)
    code = bottleneck(x, NormalPrior(5), KeyedRandom(0))
    closed = bottleneck.project.weight[:5].square().sum().expand(6)
    torch.testing.assert_close(Contractive(1.0)(forward(code, x), x, KeyedRandom(0)), closed)


def test_of_a_feature_map_it_sums_over_all_of_it(x):
    code = Code((2 * x).view(6, 3, 2, 2))
    torch.testing.assert_close(
        Contractive(1.0)(forward(code, x), x, KeyedRandom(0)), torch.full((6,), 4.0 * 12)
    )


def test_random_probes_are_unbiased_and_more_of_them_scatter_less(x):
    bottleneck = encoder(Plain, 8)
    exact = bottleneck.project.weight.square().sum()
    code = code_of(bottleneck, x)

    def estimates(probes, keys):
        penalty = Contractive(1.0, probes=probes, exact=False)
        return torch.cat(
            [penalty(forward(code, x), x, KeyedRandom(0, k)).detach() for k in range(keys)]
        )

    one, many = estimates(1, 200), estimates(16, 50)
    for found in (one, many):
        assert abs(found.mean() - exact) < 4 * found.std() / len(found) ** 0.5
    assert 0.15 < many.std() / one.std() < 0.4, "1 / √16"
    assert one.std() > 0.05 * exact


def test_codes_beyond_16_units_are_probed_unless_reported_otherwise(x):
    for size, options, steady in [
        (16, {}, True),
        (17, {}, False),
        (17, {"exact": True}, True),
        (4, {"exact": False}, False),
    ]:
        code = code_of(encoder(Plain, size), x)
        penalty = Contractive(1.0, **options)
        first, second = (penalty(forward(code, x), x, KeyedRandom(key)) for key in (0, 1))
        assert torch.equal(first, second) == steady


@pytest.mark.parametrize("needs", [True, False])
def test_images_carry_gradients_only_if_a_penalty_needs_them(make, some, needs):
    class Own(Penalty):
        def __call__(self, forward, x, random):
            return 0 * x.sum((1, 2, 3))

    if needs:
        Own.needs_gradient = True
    network = make()
    network.penalties = [Own()]
    assert network(some(2, 1, 9, 7), KeyedRandom(0)).corrupted.requires_grad == needs


@pytest.mark.parametrize("exact", [True, False])
def test_numbers_belong_to_the_draw(x, exact):
    code, penalty = code_of(encoder(Plain, 8), x), Contractive(1.0, exact=exact)
    first, second = (penalty(forward(code, x), x, KeyedRandom(1, 2)) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("options", "words"), [({"weight": -1}, "weight: got -1"), ({"probes": 0}, "probes: got 0")]
)
def test_wrong_options_are_refused(options, words):
    with pytest.raises(BuildError, match=words):
        Contractive(**options)
