"""Laws of the likelihoods: nll and its constant are a log-density; the output reaches the scale,
and no more.
"""

import pytest
import torch
from torch import distributions as d

from narrows.choose import choose
from narrows.errors import BuildError, UnknownName
from narrows.parts.layers import ACTIVATIONS
from narrows.parts.likelihood import LIKELIHOODS, OUTPUTS
from narrows.scale import FIXED_SCALES, Scale

# what torch says log p(x | out) is, for options and the mean m
DENSITIES = {
    "gaussian": [
        ({}, lambda out, m: d.Normal(m, 0.5**0.5)),
        ({"variance": 0.04}, lambda out, m: d.Normal(m, 0.2)),
        ({"variance": 1.5, "output": "sigmoid"}, lambda out, m: d.Normal(out.sigmoid(), 1.5**0.5)),
    ],
    "laplace": [
        ({}, lambda out, m: d.Laplace(m, 1.0)),
        ({"width": 0.2, "output": "tanh"}, lambda out, m: d.Laplace(out.tanh(), 0.2)),
    ],
    "bernoulli": [({}, lambda out, m: d.Bernoulli(logits=out, validate_args=False))],
}
SCALES = FIXED_SCALES | {"standard": Scale("standard", 0.0, 1.0)}
scales = pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
CASES = [(name, *case) for name in LIKELIHOODS for case in DENSITIES.get(name, [])]


def chosen(name, scale=FIXED_SCALES["unit"], **options):
    return choose("likelihood", LIKELIHOODS, {"kind": name, **options}, scale=scale)


def pair(some, likelihood):
    return 6 * some(5, 3 * likelihood.outputs, 6, 4) - 3, some(5, 3, 6, 4, seed=1)


@pytest.mark.parametrize(("name", "options", "density"), CASES)
def test_nll_and_constant_are_minus_the_log_density_and_mean_is_its_mean(
    some, name, options, density
):
    likelihood = chosen(name, **options)
    out, x = pair(some, likelihood)
    reference = density(out, likelihood.mean(out))
    log_prob = -(likelihood.nll(out, x) + likelihood.constant)
    torch.testing.assert_close(log_prob, reference.log_prob(x), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(likelihood.mean(out), reference.mean)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_nll_is_one_value_an_element_and_falls_towards_the_image(some, name):
    likelihood = chosen(name)
    out, x = pair(some, likelihood)
    out.requires_grad_()
    nll = likelihood.nll(out, x)
    assert nll.shape == likelihood.mean(out).shape == x.shape
    nll.sum().backward()
    assert out.grad.isfinite().all()
    down = likelihood.nll(out.detach() - 1e-2 * out.grad, x)
    assert (down.sum((1, 2, 3)) < nll.detach().sum((1, 2, 3))).all()


def test_the_gaussian_s_nll_is_by_default_the_squared_error(some):
    out, x = some(2, 1, 3, 3), some(2, 1, 3, 3, seed=1)
    assert torch.equal(chosen("gaussian").nll(out, x), (out - x) ** 2)


def test_the_bernoulli_is_finite_far_out(some):
    out = torch.tensor([-1e4, 1e4]).view(1, 1, 1, 2)
    assert chosen("bernoulli").nll(out, 1 - out.sigmoid()).tolist() == [[[[1e4, 1e4]]]]


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_bounds_of_an_output_are_what_it_reaches_far_out(output):
    far = torch.tensor([-torch.inf, torch.inf])
    assert tuple(ACTIVATIONS[output](far).tolist()) == OUTPUTS[output]


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_only_the_gaussian_of_a_sigmoid_is_a_squared_error_of_a_sigmoid(name):
    assert not chosen(name).is_squared_error_of_sigmoid
    if name != "bernoulli":
        of_sigmoid = chosen(name, output="sigmoid")
        assert of_sigmoid.is_squared_error_of_sigmoid == (name == "gaussian")


LEGAL = {
    "unit": {"identity", "sigmoid", "tanh", "relu"},
    "symmetric": {"identity", "tanh"},
    "standard": {"identity"},
}


@scales
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("name", ["gaussian", "laplace"])
def test_an_output_must_reach_all_of_the_scale(some, name, output, scale):
    if output in LEGAL[scale.name]:
        low, high = OUTPUTS[output]
        mean = chosen(name, scale, output=output).mean(200 * some(2, 1, 8, 8) - 100)
        assert (mean >= low).all()
        assert (mean <= high).all()
        reach = scale.bounds or (-90, 90)
        assert mean.min() <= reach[0]
        assert mean.max() >= reach[1]
    else:
        with pytest.raises(
            BuildError, match=f"output: got '{output}', expected .*'{scale.name}'.*; use 'identity'"
        ):
            chosen(name, scale, output=output)


@scales
def test_the_bernoulli_takes_the_unit_scale_alone(scale):
    if scale.name == "unit":
        chosen("bernoulli", scale)
    else:
        with pytest.raises(
            BuildError, match=f"scale: got '{scale.name}', expected 'unit'; set scale='unit'"
        ):
            chosen("bernoulli", scale)


@pytest.mark.parametrize(("name", "option"), [("gaussian", "variance"), ("laplace", "width")])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_width_must_be_positive(name, option, value):
    with pytest.raises(BuildError, match=f"{option}: got {value}, expected a number > 0"):
        chosen(name, **{option: value})


def test_an_unknown_output_is_refused():
    with pytest.raises(UnknownName, match="no output called 'sigmod'; did you mean 'sigmoid'"):
        chosen("gaussian", output="sigmod")
