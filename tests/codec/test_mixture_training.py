"""Training of mixture models: the integers are the trained network, any images can be learnt."""

from math import log

import numpy as np
import pytest
import torch

from narrows.codec.blocks import Kind
from narrows.codec.mixture import Surroundings
from narrows.codec.pixel_model import PixelModel, read_model
from narrows.codec.training.mixture_fit import fit_mixture, survey
from narrows.codec.training.mixture_network import LEVELS, MixtureNetwork, inputs_of, whitening_of
from narrows.codec.training.samples import Samples
from narrows.codec.training.sizes import MixtureSize
from narrows.codec.wavefront import Wavefront
from narrows.errors import ImageError
from narrows.randomness import keyed_generator
from small_pixel_models import mixture, smooth

TINY = MixtureSize(2, (8, 8), 2, 40, 128)
GENERATOR = np.random.default_rng(0)
FLAT = np.full((20, 30, 3), 255, np.uint8)
SCREEN = np.kron(GENERATOR.integers(0, 2, (5, 9, 3)), np.ones((8, 8, 1))).astype(np.uint8) * 200
SETS = {  # images, values
    "grey": ([smooth((40, 50, 1))], 256),
    "grey and alpha": ([smooth((40, 50, 2))], 256),
    "colour": ([smooth((40, 50, 3), seed=seed) for seed in range(3)], 256),
    "colour and alpha": ([smooth((40, 50, 4))], 256),
    "16 bit": ([smooth((40, 50, 3), 65536, dtype=np.uint16)], 65536),
    "7 levels": ([smooth((40, 50, 3), 7)], 7),
    "mixed sizes": ([smooth((*size, 3)) for size in ((1, 1), (1, 40), (30, 2), (9, 9))], 256),
    "flat": ([FLAT], 256),
    "screenshot": ([SCREEN], 256),
    "noise": ([GENERATOR.integers(0, 256, (30, 40, 3)).astype(np.uint8)], 256),
    "noise of 16 bit": ([GENERATOR.integers(0, 65536, (30, 40, 3)).astype(np.uint16)], 65536),
    "one pixel": ([smooth((1, 1, 3))], 256),
}


def length(model, images):
    """Bits that the values take."""
    stream, lanes = model.encode(images)
    return (len(stream) - (8 << lanes)) * 8


@pytest.mark.parametrize("name", SETS)
def test_training_makes_a_mixture_of_any_images(name):
    images, values = SETS[name]
    types = [images[0].dtype.name]
    model = read_model(fit_mixture(images, values, types, TINY).to_bytes())
    stream, lanes = model.encode(images)
    kind = Kind(types[0], images[0].shape[2])
    again = model.decode(stream, lanes, kind, [image.shape[:2] for image in images])
    assert all((a == b).all() for a, b in zip(again, images, strict=True))


def rounded_network(name, components=3):
    """A network with rounded weights that nobody trained, and its model."""
    images, values = SETS[name]
    channels = images[0].shape[2]
    unit = 0 if values <= 256 else 6
    options = {**mixture(channels, values).options, "unit": unit}
    generator = keyed_generator("weights")
    samples = Samples(images, options["radius"])
    whitening = whitening_of(inputs_of(samples.every_pixel(), options)[0])
    network = MixtureNetwork(options, (24, 12), components, whitening, generator)
    for weight in network.weights.values():
        weight.data += torch.randn(weight.shape, generator=generator) * 0.1
    network.round_weights()
    tensors, shifts = network.integers()
    return network, PixelModel({**options, "shifts": shifts}, tensors)


@pytest.mark.parametrize("name", ["grey", "colour and alpha", "16 bit", "7 levels"])
def test_training_and_integers_give_the_same_mixtures(name):
    network, model = rounded_network(name)
    image, head = SETS[name][0][0], model.head.model
    samples = Samples([image], model.head.radius)
    batch = samples.every_pixel()
    x, level, _ = inputs_of(batch, model.options)
    with torch.no_grad():
        outputs = network.outputs(x).double().numpy() * 256
    wave = Wavefront([image.shape[:2]], model.head.radius)
    flat = wave.lay_out([image])
    planes = head.planes(flat)
    places = samples.layout.starts[0] + batch.row * samples.layout.stride + batch.column
    around = Surroundings(head, planes, places, wave.offsets)
    for plane, channel in enumerate(head.order):
        known = slice(head.near + plane)
        assert (around.inputs[:, known] == x.numpy()[:, known]).all()
        assert (outputs[plane] == head.outputs(plane, around.inputs.T).T).all()
        base = flat[places, channel] - planes[places, plane]
        assert (around.guess[:, plane] + base == level[plane].numpy()).all()
        if plane < head.channels - 1:
            around.know(plane, planes[places, plane])
    assert len(np.unique(outputs)) > 100
    assert LEVELS == 4


@pytest.mark.parametrize("name", ["grey", "colour", "16 bit", "7 levels", "screenshot"])
def test_training_loss_of_a_mixture_is_the_length_of_the_file(name):
    network, model = rounded_network(name)
    images = SETS[name][0]
    batch = Samples(images, model.head.radius).every_pixel()
    with torch.no_grad():
        nats = network.nats(*inputs_of(batch, model.options)).double().sum()
    assert length(model, images) == pytest.approx(float(nats) / log(2), rel=0.005)


def test_training_of_a_mixture_is_reported_and_pays():
    reports = []
    images = [smooth((60, 60, 3), seed=seed) for seed in range(4)]
    size = TINY._replace(steps=200)
    model = fit_mixture(images, size=size, progress=lambda *report: reports.append(report))
    assert [step for step, _, _ in reports] == [50, 100, 150, 200]
    fresh = [smooth((60, 60, 3), seed=9)]
    bits = length(model, fresh) / 3600
    assert bits == pytest.approx(reports[-1][2], rel=0.2)
    assert bits < 15


def test_training_of_a_mixture_repeats_by_its_seed():
    images = SETS["colour"][0]
    one, same, other = (fit_mixture(images, size=TINY, random_state=seed) for seed in (0, 0, 1))
    assert one.to_bytes() == same.to_bytes() != other.to_bytes()


def test_whitening_makes_inputs_uncorrelated():
    mixing = torch.as_tensor(GENERATOR.normal(size=(6, 6))).float()
    x = torch.as_tensor(GENERATOR.normal(size=(5000, 6))).float() @ (mixing @ mixing.T) + 3
    white = x @ whitening_of(x)
    moments = white.T @ white / len(x)
    assert moments.diag().max() < 30 * moments.diag().min()
    assert torch.linalg.cond(moments) < torch.linalg.cond(x.T @ x) / 10
    assert (whitening_of(torch.zeros(5, 3)) == torch.eye(3)).all()


def test_survey_subtracts_channels_that_are_alike_and_scales_to_the_values():
    near = smooth((90, 90, 1), 65536, dtype=np.uint16)
    other = GENERATOR.integers(0, 200, (90, 90, 1)).astype(np.uint16)
    image = np.concatenate([near, near, near // 2 + other, near * 0 + 65535], axis=2)
    found = survey(Samples([image], 2).every_pixel(), 65536)
    assert found["order"] == [1, 0, 2, 3]
    assert found["base"][:2] == [-1, 0]
    assert found["base"][3] == -1
    assert 5 <= found["unit"] <= 9
    assert survey(Samples([FLAT], 2).every_pixel(), 256)["unit"] == 0


def test_training_of_a_mixture_refuses_what_has_no_pixels():
    with pytest.raises(ImageError, match="got none"):
        fit_mixture([np.zeros((0, 4, 3), np.uint8)])
