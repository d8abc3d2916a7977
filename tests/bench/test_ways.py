"""The ways do the same work: same costs, same slopes, same losses; and the floor is counted by hand."""

from itertools import pairwise

import numpy as np
import pytest
import torch

import narrows as nw
from narrows.bench.cases import CASES
from narrows.bench.floor import Floor, forward, peak
from narrows.bench.narrows_way import Narrows
from narrows.bench.other_ways import Notebook, Plain
from narrows.errors import BuildError
from narrows.image_batches import ImageBatches
from narrows.randomness import KeyedRandom

CPU = torch.device("cpu")
LINEAR = {"A": [784, 256, 128, 64], "E1": [784, 512, 256, 128, 30], "E2-64": [784, 64]}
labs = pytest.mark.parametrize("lab", CASES)


@pytest.fixture(scope="module")
def sets():
    """For each data set of the cases, 300 images to train on and 40 to test with: blurred noise."""
    drawn = (
        np.random.default_rng(0)
        .integers(0, 256, (340, 7, 7, 3), dtype=np.uint8)
        .repeat(4, 1)
        .repeat(4, 2)
    )
    return {
        "mnist": (drawn[:300, :, :, 0], drawn[300:, :, :, 0]),
        "coloured-mnist": (drawn[:300], drawn[300:]),
    }


@labs
def test_cost_and_gradient_are_those_of_the_recipe(lab, sets):
    case = CASES[lab]
    torch.manual_seed(1)
    net, images = case.net(), sets[case.data][0][:50]
    model = nw.recipe(case.recipe, corruption="none", validation=None, training=None)
    training = model._prepare(images)
    for ours, theirs in zip(model.network_.parameters(), net.parameters(), strict=True):
        # no spread: the two draw different numbers
        if net.variational and theirs is net.encoder[-2].bias:
            theirs.data[len(theirs) // 2 :] = -27
        ours.data.copy_(theirs.data)
    x = ImageBatches(images, model.layout_, model.scale_).batch(slice(None))
    terms, _ = training.objective(model.network_, x, KeyedRandom(0))
    flat = x.flatten(1) if case.flat else x
    out, of_code = net(flat)
    costs = torch.stack(list(terms.values())).sum(), case.cost(out, flat) + of_code
    torch.testing.assert_close(*costs, rtol=1e-4, atol=0)
    slopes = [
        torch.autograd.grad(cost, list(parts.parameters()))
        for cost, parts in zip(costs, (model.network_, net))
    ]
    for ours, theirs in zip(*slopes):
        torch.testing.assert_close(ours, theirs, rtol=2e-3, atol=2e-3 * float(theirs.abs().max()))


@pytest.mark.parametrize("lab", ["A", "C", "E6-deconv"])
def test_the_notebook_and_the_plain_loop_come_to_the_same_losses(lab, sets):
    case = CASES[lab]
    ways = [way(case, *sets[case.data], CPU) for way in (Notebook, Plain)]
    losses = []
    for way in ways:
        torch.manual_seed(2)
        seconds = way.round()
        assert seconds[0] > 0
        assert (seconds[1] > 0) == bool(case.evaluation)
        losses.append(way.loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize("way", [Notebook, Narrows])
def test_an_epoch_of_each_way_makes_the_loss_smaller(way, sets):
    case = CASES["E2-64"]
    timed = way(case, *sets["mnist"], CPU)
    losses = []
    for _ in range(3):
        timed.round()
        losses.append(timed.loss if way is Notebook else timed.history["loss"][-1])
    assert losses[0] > losses[1] > losses[2]


def test_the_evaluation_measures_the_images_held_back(sets):
    case = CASES["A"]
    notebook = Notebook(case, *sets["mnist"], CPU)
    assert (len(notebook.loader.dataset), len(notebook.held.dataset)) == (240, 60)
    notebook.round()
    psnr, ssim = notebook.measured
    ours = Narrows(case, *sets["mnist"], CPU)
    ours.round()
    assert psnr == pytest.approx(ours.history["val_psnr"][-1], abs=0.5)
    assert -1 <= ssim <= 1


@pytest.mark.parametrize("lab", LINEAR)
def test_the_floor_counts_two_operations_for_each_weight_and_image(lab):
    down, up = LINEAR[lab], LINEAR[lab][::-1] if lab != "E1" else [30, 128, 256, 784]
    weights = sum(a * b for widths in (down, up) for a, b in pairwise(widths))
    assert forward(CASES[lab]) == 2 * weights


def test_the_floor_of_an_epoch_is_three_ways_through_at_the_peak(sets, monkeypatch):
    monkeypatch.setattr("narrows.bench.floor.SIDE", 64)
    assert peak(CPU) > 1e8
    monkeypatch.setattr("narrows.bench.floor.peak", lambda device: 1e9)
    seconds, evaluation = Floor(CASES["A"], *sets["mnist"], CPU).round()
    assert seconds == pytest.approx(3 * forward(CASES["A"]) * 240 / 1e9)
    assert evaluation == 0


@pytest.mark.parametrize("lab", ["C", "E6-deconv"])
def test_pythae_runs_the_same_encoder_and_decoder(lab, sets):
    pytest.importorskip("pythae")
    from narrows.bench.pythae_way import Pythae

    way = Pythae(CASES[lab], *sets["mnist"], CPU)
    count = sum(p.numel() for p in CASES[lab].net().parameters())
    assert sum(p.numel() for p in way.trainer.model.parameters()) == count
    seconds, evaluation = way.round()
    assert seconds > 0 == evaluation


def test_pythae_is_not_asked_for_what_it_has_not(sets):
    from narrows.bench.pythae_way import Pythae

    with pytest.raises(BuildError, match="no denoising"):
        Pythae(CASES["A"], *sets["mnist"], CPU)
