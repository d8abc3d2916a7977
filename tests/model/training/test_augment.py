"""Augmentation: images stay images, steps repeat, and noisy ones change as their clean ones."""

import numpy as np
import pytest
import torch

import narrows as nw
from narrows.errors import BuildError, UnknownName
from narrows.model.training.augment import AUGMENTATIONS, augment
from narrows.randomness import KeyedRandom, keyed_generator

UNIT = (0.0, 1.0)
names = pytest.mark.parametrize("name", AUGMENTATIONS)


def images(count=64, channels=3, height=8, width=8):
    return torch.rand(count, channels, height, width, generator=keyed_generator("images"))


@names
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_shape_range_and_numbers_are_kept(name, channels):
    x = images(channels=channels, width=6)
    before = x.clone()
    found = augment(x, [name], KeyedRandom(0), UNIT)
    assert found.shape == x.shape
    assert 0 <= float(found.min()) <= float(found.max()) <= 1
    assert torch.equal(x, before)
    assert torch.equal(found, augment(x, [name], KeyedRandom(0), UNIT))
    assert torch.equal(
        found[8:20], augment(x[8:20], [name], KeyedRandom(0, rows=slice(8, 20), total=64), UNIT)
    )


def test_a_square_is_turned_in_eight_ways_and_keeps_its_values():
    x = images(400)[:1].expand(400, -1, -1, -1)
    found = augment(x, ["flips"], KeyedRandom(0), UNIT)
    assert len({image.numpy().tobytes() for image in found}) == 8
    assert torch.equal(found.flatten(2).sort(2).values, x.flatten(2).sort(2).values)


def test_colours_change_places_in_six_ways():
    x = images(200)[:1].expand(200, -1, -1, -1)
    found = augment(x, ["colours"], KeyedRandom(0), UNIT)
    assert len({image.numpy().tobytes() for image in found}) == 6
    torch.testing.assert_close(found.sum(1), x.sum(1))


@pytest.mark.parametrize("bounds", [UNIT, (-1.0, 1.0)])
def test_brightness_darkens_towards_black(bounds):
    x = bounds[0] + (bounds[1] - bounds[0]) * images()
    found = augment(x, ["brightness"], KeyedRandom(0), bounds)
    factor = ((found - bounds[0]) / (x - bounds[0])).flatten(1)
    torch.testing.assert_close(factor, factor[:, :1].expand_as(factor), rtol=1e-3, atol=1e-3)
    assert 0.6 <= float(factor.min()) < 0.7 < 0.9 < float(factor.max()) <= 1.001


def test_some_images_become_grey():
    found = augment(images(500), ["grey"], KeyedRandom(0), UNIT)
    grey = (found == found[:, :1]).flatten(1).all(1)
    assert 0.5 < float(grey.float().mean()) < 0.7


def test_a_piece_of_an_image_is_repeated_and_may_be_slanted():
    x = images(600)[:1].expand(600, -1, -1, -1)
    found = augment(x, ["repeat"], KeyedRandom(0), UNIT)
    changed = [image for image in found if not torch.equal(image, x[0])]
    assert 30 < len(changed) < 90
    values = set(x[0, 0].flatten().tolist())
    assert all(set(image[0].flatten().tolist()) <= values for image in changed)
    by_columns = [torch.equal(image[:, :, 2:], image[:, :, :-2]) for image in changed]
    by_rows = [torch.equal(image[:, 2:], image[:, :-2]) for image in changed]
    assert any(by_columns)
    assert any(by_rows)


def test_noisy_images_are_turned_as_their_clean_ones():
    """Noisy images that are the clean ones teach the identity, however both are turned."""
    X = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    options = {"augment": ["flips"]}
    seen = []

    def remember(training):
        random = training._random(0, 40)
        random.noisy = None
        x = training._training_images(torch.arange(40), random)
        seen.append(torch.equal(x, random.noisy))

    model = nw.Autoencoder(corruption="pairs", training=options, epochs=1, calibration=0)
    model._prepare(X, None, X, remember)
    training = model._prepare(X, None, X, remember)
    training.run_epoch()
    assert seen
    assert all(seen)


def test_names_that_do_not_exist_are_refused():
    X = np.zeros((4, 8, 8), np.uint8)
    with pytest.raises(UnknownName, match="did you mean 'flips'"):
        nw.Autoencoder(training={"augment": ["flip"]}).fit(X)
    with pytest.raises(BuildError, match="a list of augmentations"):
        nw.Autoencoder(training={"augment": "flips"}).fit(X)
