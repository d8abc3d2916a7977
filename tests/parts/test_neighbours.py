"""Laws of neighbours: two pixels of each cell, the loss in closed form, and what it asks of a network."""

from types import SimpleNamespace

import pytest
import torch

from narrows.errors import BuildError
from narrows.parts.code import Code
from narrows.parts.forward_pass import ForwardPass
from narrows.parts.kinds import KINDS
from narrows.parts.likelihood import GaussianLikelihood
from narrows.parts.neighbours import Neighbours, draw_neighbours, pixels_of
from narrows.randomness import KeyedRandom
from narrows.scale import FIXED_SCALES

UNET = {"body": "unet", "bottleneck": {"kind": "plain", "size": None}}
SIGMA = 0.2


def noise(like, seed=1):
    return SIGMA * torch.randn(like.shape, generator=torch.Generator().manual_seed(seed))


def network_of(function):
    """A network without a code whose output is `function` of its images."""

    def forward(x, random):
        return ForwardPass(Code(x, {}), function(x), x, None, x)

    class Fake(SimpleNamespace):
        def __call__(self, x, random):
            return forward(x, random)

    likelihood = GaussianLikelihood(FIXED_SCALES["unit"])
    corruption = KINDS["corruption"].make("none")
    return Fake(likelihood=likelihood, corruption=corruption, penalties=(), needs_gradient=False)


def loss_of(function, y, **options):
    terms, _ = Neighbours(**options)(network_of(function), y, KeyedRandom(0))
    return terms


@pytest.mark.parametrize("size", [(8, 6), (9, 7), (2, 2)])
def test_the_two_sub_images_are_neighbours_of_one_cell_and_never_the_same_pixel(size):
    height, width = size
    places = torch.arange(float(height * width)).view(1, 1, height, width).expand(50, 2, -1, -1)
    first, second = (pixels_of(places, n) for n in draw_neighbours(places, KeyedRandom(0)))
    assert first.shape == (50, 2, height // 2, width // 2)
    assert torch.equal(first[:, 0], first[:, 1])  # all channels from one pixel
    assert torch.equal(first // width // 2, second // width // 2)
    assert torch.equal(first % width // 2, second % width // 2)
    apart = (first // width - second // width).abs() + (first % width - second % width).abs()
    assert (apart == 1).all()


def test_all_eight_pairs_of_a_cell_are_as_likely():
    first, second = draw_neighbours(torch.zeros(100, 1, 20, 20), KeyedRandom(0))
    pairs, counts = (4 * first + second).unique(return_counts=True)
    assert len(pairs) == 8
    assert abs(counts / counts.sum() - 1 / 8).max() < 0.01


@pytest.mark.parametrize("factor", [0.0, 0.5, 0.9, 1.0])
def test_for_a_linear_network_the_loss_is_that_of_clean_images_up_to_the_targets_noise(factor):
    x = torch.full((100, 1, 64, 64), 0.5)
    y = x + noise(x)
    found = loss_of(lambda images: factor * images, y)["nll"].mean() / 32**2
    supervised = (factor * y - x).square().mean()
    assert found - supervised == pytest.approx(SIGMA**2, rel=0.02)


def test_what_neighbours_differ_by_without_noise_costs_no_consistency(some):
    x = some(5, 3, 8, 8)
    y = x + noise(x)
    first, second = draw_neighbours(y, KeyedRandom(0))

    def best(images):
        return x if images.shape == x.shape else pixels_of(x, first)

    terms = loss_of(best, y, weight=3.0)
    of_target = pixels_of(y - x, second).square().sum((1, 2, 3))
    torch.testing.assert_close(terms["consistency"], 3 * of_target, rtol=1e-4, atol=1e-5)
    assert (terms["nll"] > of_target).all()


def test_no_gradient_is_taken_of_the_complete_image(some):
    y = some(5, 1, 8, 8)
    factor = torch.tensor(0.7, requires_grad=True)
    loss_of(lambda images: factor * images, y)["consistency"].sum().backward()
    first, second = (pixels_of(y, numbers) for numbers in draw_neighbours(y, KeyedRandom(0)))
    difference = 0.7 * first - second - 0.7 * (first - second)
    torch.testing.assert_close(factor.grad, 2.0 * (2 * difference * first).sum())


def test_the_weight_of_the_consistency_grows_in_training_and_is_complete_outside(some, make):
    y, network = some(4, 1, 9, 7), make(**UNET)

    def consistency(progress):
        return Neighbours(weight=2, warmup=10)(network, y, KeyedRandom(0, progress=progress))[0][
            "consistency"
        ]

    complete = consistency(float("inf"))
    torch.testing.assert_close(consistency(5.0), complete / 2)
    torch.testing.assert_close(consistency(20.0), complete)
    assert not consistency(0.0).any()


def test_numbers_belong_to_the_draw_and_ranks_draw_rows_of_the_whole(some, make):
    y, network, part = some(10, 1, 9, 7), make(**UNET), slice(4, 8)
    whole, _ = Neighbours()(network, y, KeyedRandom(0, 1, 2))
    rows, _ = Neighbours()(network, y[part], KeyedRandom(0, 1, 2, rows=part, total=10))
    other, _ = Neighbours()(network, y, KeyedRandom(0, 1, 3))
    for name, term in whole.items():
        torch.testing.assert_close(rows[name], term[part])
        assert not torch.equal(term, other[name])


@pytest.mark.parametrize(
    ("specs", "words"),
    [
        ({}, "'neighbours': got \"body 'mlp'\", expected a network that takes images of any size"),
        ({**UNET, "up": "linear"}, "expected a network that takes images of any size"),
        ({**UNET, "corruption": "gaussian"}, "corruption: got 'gaussian', expected 'none'"),
        ({**UNET, "corruption": "recorruption"}, "corruption: got 'recorruption', expected 'none'"),
        ({**UNET, "corruption": "two-shots"}, "corruption: got 'two-shots', expected 'none'"),
        ({**UNET, "objective": {"kind": "neighbours", "weight": -1}}, "weight: got -1"),
        ({**UNET, "objective": {"kind": "neighbours", "warmup": -1}}, "warmup: got -1"),
    ],
)
def test_what_it_cannot_train_is_refused(make, specs, words):
    with pytest.raises(BuildError, match=words):
        make(**{"objective": "neighbours", **specs})


def test_images_without_a_cell_are_refused(some, make):
    with pytest.raises(BuildError, match="got '1 x 7 pixels', expected 2 x 2 at least"):
        Neighbours()(make((1, 1, 7), **UNET), some(3, 1, 1, 7), KeyedRandom(0))
