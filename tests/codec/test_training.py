"""Training of pixel models: the integers are the trained network, any images can be learnt."""

from math import log

import numpy as np
import pytest
import torch

from narrows.codec.blocks import Kind
from narrows.codec.groups import groups_from
from narrows.codec.integers import frequencies
from narrows.codec.pixel_model import PixelModel, read_model
from narrows.codec.training.fit import fit_categorical
from narrows.codec.training.integer_network import ACTIVATION
from narrows.codec.training.network import Network
from narrows.codec.training.optimiser import Optimiser
from narrows.codec.training.rounding import floored, rounded, unit_of, weights_in_units
from narrows.codec.training.samples import FLAT, GreySamples
from narrows.codec.training.sizes import (
    BEST_MIXTURE_SIZES,
    BEST_SIZES,
    FINE,
    MIXTURE_SIZES,
    SIZES,
    SPARSE_SIZES,
    ModelSize,
    size_for,
)
from narrows.errors import ImageError, TrainingError
from narrows.randomness import keyed_generator
from small_pixel_models import categorical, strokes

TINY = ModelSize(2, (8, 8), 3, 3, 30, 256)
GENERATOR = np.random.default_rng(0)
SETS = {
    "strokes": strokes(30),
    "digits of 17 values": GENERATOR.integers(0, 17, (40, 8, 8)).astype(np.uint8),
    "binary mask": (GENERATOR.random((10, 70, 9)) < 0.2).astype(np.uint8) * 255,
    "noise": GENERATOR.integers(0, 256, (2, 300, 20)).astype(np.uint8),
    "mixed sizes": [strokes(1, size)[0] for size in ((1, 1), (3, 40), (64, 64), (65, 270))],
    "constant": np.full((10, 9, 9), 255, np.uint8),
    "one value": np.zeros((4, 5, 6), np.uint8),
    "few": strokes(1, (2, 3)),
}
VALUES = {"digits of 17 values": 17, "one value": 1}


@pytest.mark.parametrize("name", SETS)
def test_training_makes_a_model_of_any_images(name):
    images = list(SETS[name])
    model = read_model(fit_categorical(images, VALUES.get(name, 256), size=TINY).to_bytes())
    tiles = [image[:256, :256, None] for image in images]
    stream, lanes = model.encode(tiles)
    again = model.decode(stream, lanes, Kind("uint8", 1), [tile.shape[:2] for tile in tiles])
    assert all((a == b).all() for a, b in zip(again, tiles, strict=True))


def rounded_network(values=256, size=(18, 16)):
    """A network with rounded weights that nobody trained, and its model."""
    options = categorical(values).options
    second = categorical(values).tensors["SECOND"]
    tables = {"FIRST": np.arange(values) * (255 // (values - 1)), "SECOND": second}
    generator = keyed_generator("weights")
    network = Network(options, tables, (24, 12), size, generator)
    for weight in network.weights.values():
        noise = torch.randn(weight.shape, generator=generator)
        weight.data += noise * weight.detach().abs().mean().clamp(min=0.1)
    network.round_weights()
    tensors, shifts = network.integers()
    return network, PixelModel({**options, "shifts": shifts}, tensors)


@pytest.mark.parametrize("values", [256, 40, 7])
def test_training_and_integers_give_the_same_frequencies(values):
    network, model = rounded_network(values)
    head = model.head.model
    x = GENERATOR.integers(0, values, (500, 12)).astype(np.uint8)
    row, column = np.divmod(np.arange(500) % (18 * 16), 16)
    group = GENERATOR.integers(0, len(head.sizes), 500)
    had = GENERATOR.random((500, int(head.sizes.max()))) < 0.5
    tensors = map(torch.from_numpy, (x, row, column, group, had))
    with torch.no_grad():
        x_, row_, column_, group_, had_ = tensors
        h2 = network.activations(x_, row_, column_)
        z = network.group_logits(h2, x_).double().numpy() * 256
        y = network.place_logits(h2, group_, x_, had_).double().numpy() * 256
    x = np.ascontiguousarray(x.T)
    a2 = head.activations(head.inputs(x), head.cells(row, column))
    assert (h2.numpy() * ACTIVATION == a2.T).all()
    assert len(np.unique(a2)) > 30
    assert (head.groups(a2, x).ends == frequencies(z.T).ends).all()
    places = head.group_places(a2, group, x, had.T)
    assert (places.ends == frequencies(y.T, head.valid[:, group]).ends).all()


def bits_of(network, images, groups, radius):
    """The sum of -log2 p over all pixels."""
    samples = GreySamples(images, radius, len(groups.group))
    batch = samples.every_pixel()
    arrays = batch.x, batch.value, batch.row, batch.column, samples.had(batch, groups)
    with torch.no_grad():
        return float(network.nats(*map(torch.from_numpy, arrays)).double().sum()) / log(2)


def test_training_loss_is_the_length_of_the_file():
    images = list(strokes(60, (18, 16)))
    network, model = rounded_network()
    groups = groups_from(model.options["groups"], 256)
    stream, lanes = model.encode([image[..., None] for image in images])
    length = len(stream) * 8 - (48 << lanes)  # a lane takes about 48 bits
    assert length == pytest.approx(bits_of(network, images, groups, model.head.radius), rel=0.002)


def test_training_loss_falls_and_is_reported():
    reports = []
    size = TINY._replace(steps=400)
    model = fit_categorical(list(strokes(100)), size=size, progress=lambda *r: reports.append(r))
    assert [step for step, _, _ in reports] == list(range(50, 401, 50))
    assert reports[-1][2] < reports[0][2] / 4
    fresh = list(strokes(300, seed=1))
    stream, _ = model.encode([image[..., None] for image in fresh])
    assert len(stream) * 8 / np.size(fresh) == pytest.approx(reports[-1][2], rel=0.2)


def test_training_with_rounded_weights_loses_little(monkeypatch):
    def bits(share):
        monkeypatch.setattr("narrows.codec.training.loop.ROUNDED", share)
        last = []
        size = TINY._replace(steps=300)
        fit_categorical(list(strokes(30)), size=size, progress=lambda *r: last.append(r[2]))
        return last[-2]  # the last is rounded in any case

    assert bits(2 / 3) < bits(0.99) * 1.05


def test_training_repeats_by_its_seed_and_leaves_global_generators_alone():
    images = list(strokes(10))
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    one, same, other = (fit_categorical(images, size=TINY, random_state=seed) for seed in (0, 0, 1))
    assert one.to_bytes() == same.to_bytes() != other.to_bytes()
    assert (torch.get_rng_state() == before[0]).all()
    assert (np.random.get_state()[1] == before[1]).all()


@pytest.mark.parametrize(
    ("images", "message"),
    [([], "got none"), ([np.zeros((0, 4), np.uint8)], "got none"), ([strokes(1)[0]], "0 to 9")],
)
def test_training_refuses_what_has_no_pixels_or_other_values(images, message):
    with pytest.raises(ImageError, match=message):
        fit_categorical(images, 10, size=TINY)


def test_training_that_diverges_is_refused(monkeypatch):
    monkeypatch.setattr("narrows.codec.training.network.Network.learning_rate", float("inf"))
    with pytest.raises(TrainingError, match="diverged"):
        fit_categorical(list(strokes(5)), size=TINY)


def test_samples_stand_for_all_pixels():
    images = list(strokes(20))
    samples = GreySamples(images, 2, 256)
    batch = next(samples.batches(50_000, np.random.default_rng(0)))
    shares = np.bincount(batch.value, batch.weight, 256) / batch.weight.sum()
    expected = np.bincount(np.ravel(images), minlength=256) / np.size(images)
    assert np.abs(shares - expected).max() < 0.01
    assert set(np.unique(batch.weight)) == {1, FLAT}
    at = batch.image, batch.row, batch.column
    assert (np.array(images)[at] == batch.value).all()


def test_samples_know_which_values_an_image_has_had():
    image = np.array([[5, 6, 5], [7, 5, 6]], np.uint8)
    samples = GreySamples([image], 1, 10)
    assert samples.since[0, [5, 6, 7, 8]].tolist() == [0, 1, 2, 65535]
    batch = samples.every_pixel()
    had = samples.had(batch, groups_from([0], 10))
    steps = (2 * np.arange(2)[:, None] + np.arange(3)).ravel()
    expected = [[(image.ravel()[steps < step] == v).any() for v in range(10)] for step in steps]
    assert (had == expected).all()


def test_rounding_keeps_the_gradient():
    t = torch.tensor([0.3, -0.3, 0.6], requires_grad=True)
    assert floored(t, 0.25).tolist() == [0.25, -0.5, 0.5]
    assert rounded(t, 0.25).tolist() == [0.25, -0.25, 0.5]
    (floored(t, 0.25) + rounded(t, 0.25)).sum().backward()
    assert t.grad is not None
    assert t.grad.tolist() == [2, 2, 2]


def test_rounding_of_weights_is_to_few_units():
    weights = torch.linspace(-3, 3, 1001)
    unit = unit_of(weights, 127)
    assert unit == 2.0**-5
    assert (weights_in_units(weights, unit, 20) / unit).abs().max() == 20
    units = weights_in_units(weights, unit, 127) / unit
    assert (units == units.round()).all()
    assert units.abs().max() == 96


@pytest.mark.parametrize("sizes", [SIZES, MIXTURE_SIZES, BEST_SIZES, BEST_MIXTURE_SIZES])
def test_sizes_grow_with_the_images(sizes):
    widths = [size_for(length, sizes).widths for length in (0, *sizes, 1 << 40)]
    assert widths == sorted(widths)


@pytest.mark.parametrize("some", [(SIZES, BEST_SIZES), (MIXTURE_SIZES, BEST_MIXTURE_SIZES)])
def test_the_best_sizes_are_larger_and_are_trained_for_longer(some):
    for length in (0, *some[0], *some[1]):
        usual, best = (size_for(length, sizes) for sizes in some)
        assert best.radius >= usual.radius
        assert best.widths > usual.widths
        assert best.steps * best.batch > usual.steps * usual.batch


def test_the_best_model_of_images_is_of_the_best_size(monkeypatch):
    asked = []

    def size_of(length, sizes):
        asked.append(sizes)
        return TINY._replace(steps=20, units=FINE)

    monkeypatch.setattr("narrows.codec.training.fit.size_for", size_of)
    images = list(strokes(10))
    usual, best = (fit_categorical(images, best=best) for best in (False, True))
    assert asked[0] in (SIZES, SPARSE_SIZES)
    assert asked[1] == BEST_SIZES
    assert usual.to_bytes() == best.to_bytes()


def test_fine_weights_are_of_more_units():
    most = [
        np.abs(fit_categorical(list(strokes(20)), size=size).tensors["W2"]).max()
        for size in (TINY, TINY._replace(units=FINE))
    ]
    assert most[0] <= 31 < most[1] <= 127


def test_optimiser_moves_all_directions_of_a_matrix_alike():
    """One direction has a gradient 1,000 times that of the other."""
    matrix = torch.nn.Parameter(torch.zeros(2, 2))
    bias = torch.nn.Parameter(torch.zeros(2))
    optimiser = Optimiser([matrix, bias], [matrix])
    optimiser.step((matrix * torch.tensor([[1.0, 0], [0, 1e-1]])).sum() + bias.sum(), 0.01)
    assert 0.5 < matrix[1, 1] / matrix[0, 0] < 2
    assert bias.tolist() == pytest.approx([-0.01, -0.01])
