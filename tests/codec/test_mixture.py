"""The mixture model: any integers make a distribution, by which every image is decoded as it was."""

import io

import numpy as np
import pytest

from narrows.codec.archive import Archive, Writer
from narrows.codec.blocks import Kind
from narrows.codec.index import PIXEL_MODEL
from narrows.codec.mixture import guesses, planes_of
from narrows.codec.pixel_model import PixelModel, read_model
from narrows.errors import DataError
from small_pixel_models import mixture, smooth

TYPES = {2: np.bool_, 16: np.uint8, 256: np.uint8, 65536: np.uint16, 65535: np.int16}
SIZES = ((1, 1), (1, 9), (9, 1), (23, 31), (2, 3), (40, 5))
GENERATOR = np.random.default_rng(0)


def noise(shape, values):
    return GENERATOR.integers(0, values, shape)


def round_trip(model, tiles):
    stream, lanes = model.encode(tiles)
    kind = Kind(tiles[0].dtype.name, tiles[0].shape[2])
    return model.decode(stream, lanes, kind, [tile.shape[:2] for tile in tiles])


@pytest.mark.parametrize(
    ("channels", "values", "scale"),
    [*((4, values, 20) for values in TYPES), *((c, 256, 120) for c in (1, 2, 3)), (3, 65536, 0)],
)
def test_mixture_round_trip_whatever_the_weights(channels, values, scale):
    dtype = np.dtype(TYPES[values])
    model = mixture(channels, values, 1, scale=scale, types=[dtype.name])
    ends = np.array([0, values - 1])
    counted = [
        *(noise((*size, channels), values) for size in SIZES),
        ends[noise((12, 14, channels), 2)],
        np.zeros((8, 5, channels), np.int64),
        np.full((8, 5, channels), values - 1),
    ]
    first = np.iinfo(dtype).min if dtype.kind == "i" else 0
    tiles = [(image + first).astype(dtype) for image in counted]
    for tile, decoded in zip(tiles, round_trip(model, tiles), strict=True):
        assert decoded.dtype == tile.dtype
        assert (decoded == tile).all()


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_mixture_codes_a_tile_alike_in_any_company(radius):
    model = mixture(radius=radius)
    tiles = [smooth((*size, 3), seed=seed) for seed, size in enumerate(SIZES)]
    together = round_trip(model, tiles)
    alone = [round_trip(model, [tile])[0] for tile in tiles]
    assert all((a == b).all() for a, b in zip(together, alone))


def test_mixture_in_an_archive():
    image = smooth((130, 70, 3))
    file = io.BytesIO()
    model = mixture(scale=0)
    index = Writer(file, model).write([image, image[:9]])
    assert {entry.method for entry in index.blocks} <= {PIXEL_MODEL, *range(20)}
    for decoded, original in zip(Archive(file).images(), [image, image[:9]], strict=True):
        assert (decoded == original).all()


def test_planes_are_channels_less_those_before_them():
    values = noise((5, 4), 256)
    red, green, blue, alpha = values.T
    planes = planes_of(values, [1, 0, 2, 3], [-1, 0, 0, -1])
    assert (planes == np.stack([green, red - green, blue - green, alpha], 1)).all()
    twice = planes_of(values[:, :3], [1, 0, 2], [-1, 0, 1])
    assert (twice == np.stack([green, red - green, blue - red], 1)).all()


def test_guess_is_the_median_of_left_above_and_their_plane():
    around = GENERATOR.normal(size=(50, 12, 3)).astype(np.float32)
    north, west, corner = around[:, 0], around[:, 1], around[:, 2]
    median = np.median([north, west, north + west - corner], axis=0)
    assert np.allclose(guesses(around), median)


WRONG = {
    "channels": 5,
    "values": 1 << 17,
    "radius": 40,
    "unit": -1,
    "order": [0, 0, 2],
    "base": [-1, 1, 0],
    "shifts": [5, 7],
}


@pytest.mark.parametrize("name", WRONG)
def test_mixture_refuses_options_that_make_no_model(name):
    with pytest.raises(DataError):
        mixture(**{name: WRONG[name]}) if name != "channels" else PixelModel(
            {**mixture().options, name: 5}, mixture().tensors
        )


def test_mixture_refuses_tensors_of_other_shapes_and_weights_too_large():
    model = mixture()
    for name, tensor in model.tensors.items():
        for changed in (tensor[:-1], tensor[:, :-1], tensor << 50):
            with pytest.raises(DataError):
                PixelModel(model.options, {**model.tensors, name: changed})


def test_probe_of_a_mixture_depends_on_each_tensor():
    model = mixture(scale=60)
    assert read_model(model.to_bytes()).digest == model.digest
    for name, tensor in model.tensors.items():
        other = PixelModel(model.options, {**model.tensors, name: tensor + 1})
        assert other.head.probe() != model.head.probe()
