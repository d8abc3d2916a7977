"""Archives and pixel models that mean harm, with checksums that are right: refused, in a sentence."""

from io import BytesIO

import numpy as np
import pytest

import narrows as nw
from archive_mutants import joined, parts_of
from fuzzed_archives import coder, codes, grey, levels, plain, symbols, written
from narrows.codec import index as index_module
from narrows.codec.archive import Archive, Writer
from narrows.codec.palette import Palette
from narrows.codec.pixel_model import PixelModel, read_model
from narrows.errors import DataError, ImageError
from small_pixel_models import categorical, mixture

ARCHIVES = {  # name -> (an archive, what it says instead, the sentence)
    "a palette of no levels": (levels, {"mode": 0}, "is of the mode 'lossless'"),
    "levels without a palette": (grey, {"mode": 1}, "is of the mode 'levels'"),
    "codes without an autoencoder": (grey, {"mode": 2}, "is of the mode 'code'"),
    "images without channels": (plain, {"forms": [[1, 0, [3, 4, 0]]]}, r"shape \(3, 4, 0\)"),
    "many images without pixels": (plain, {"forms": [[2**16 + 1, 0, [0, 9]]]}, "65,537 images"),
    "endless images": (plain, {"forms": [[1, 0, [2**40, 2**20]]]}, "pixels in 6 blocks"),
    "a method that there is not": (plain, {"blocks": [[5, 0, 9, 0]]}, "its method is 5"),
    "huge tiles": (plain, {"limits": [12, 22]}, "size of tiles is 12"),
    "huge blocks": (plain, {"limits": [10, 23]}, "size of blocks is 23"),
    "codes of more units than tables": (symbols, {"forms": [[1, 1, [60]]]}, "more units"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_hostile_archive_is_refused(name):
    make, change, sentence = ARCHIVES[name]
    said, blocks, model = parts_of(make())
    with pytest.raises(DataError, match=sentence):
        nw.decompress(joined({**said, **change}, blocks, model))


def test_hostile_codes_are_refused():
    said, blocks, model = parts_of(codes())
    for shape, sentence in (([4, 5], r"not of shape \(4, 5\)"), ([2**40], "not of shape")):
        other = {**said["extras"]["code"], "shape": shape}
        data = joined({**said, "extras": {"code": other}}, blocks, model)
        with pytest.raises(DataError, match=sentence):
            nw.decompress(data, coder())


def test_image_that_memory_does_not_hold_is_refused():
    said, blocks, model = parts_of(grey())
    forms = [[1, 6, [0, 2**62]], *said["forms"]]
    with pytest.raises(DataError, match=r"no memory for an image of shape \(0, 46"):
        nw.decompress(joined({**said, "forms": forms}, blocks, model))


def test_hostile_numbers_of_levels_are_refused():
    palette = Palette("uint8", (3, 9))
    for numbers in (np.zeros((2, 2), bool), np.zeros(3), np.full(3, 2, np.uint8)):
        with pytest.raises(DataError, match="values beyond its palette"):
            palette.image(numbers)


def test_tables_of_codes_refuse_other_images():
    _, _, model = parts_of(symbols())
    for images, sentence in (
        (np.full((3, 2), 9999), "other symbols"),
        (np.zeros((3, 9)), "more units"),
    ):
        with pytest.raises(DataError, match=sentence):
            nw.compress(read_model(model), images.astype(np.uint16))


def test_hostile_bits_are_refused():
    """A truth value of 7 is neither equal to True nor to False; one of an array is written as 1."""
    odd = np.array([[0, 1, 7]], np.uint8).view(bool)
    data = written([odd])
    assert (nw.decompress(data)[0].view(np.uint8) == [0, 1, 1]).all()
    said, _, _ = parts_of(data)
    with pytest.raises(DataError, match="neither 0 nor 1"):
        nw.decompress(joined({**said, "blocks": [[0, 0, 3, 0]]}, [odd.tobytes()], b""))


def test_extras_that_an_archive_does_not_hold_are_refused(monkeypatch):
    data = plain()
    monkeypatch.setattr(index_module, "LONGEST_EXTRAS", 9)
    monkeypatch.setattr(index_module, "EXTRAS_AN_IMAGE", 1)
    with pytest.raises(DataError, match="at most 16"):
        Archive(BytesIO(data))
    with pytest.raises(ImageError, match="have 17 bytes, of which an archive holds 16"):
        Writer(BytesIO()).write([np.zeros((2, 2))] * 7, lambda: bytes(17))


OPTIONS = {
    "types": ["uint8", "float32"],
    "channels": 2,
    "values": 0,
    "tile": 12,
    "area": 23,
    "radius": 9,
    "groups": [0, 1.5],
    "near": 13,
    "copies": -1,
    "seen": 2,
    "shifts": [5, 7, 6, 5],
}


@pytest.mark.parametrize("name", OPTIONS)
def test_hostile_option_of_a_model_is_refused(name):
    model = categorical()
    with pytest.raises(DataError, match="pixel model is damaged"):
        PixelModel({**model.options, name: OPTIONS[name]}, model.tensors)


def test_hostile_shift_of_a_model_is_refused():
    for model in (categorical(), mixture()):
        shifts = [64, *model.options["shifts"][1:]]
        with pytest.raises(DataError, match="shift: 64, expected an integer from -16 to 32"):
            PixelModel({**model.options, "shifts": shifts}, model.tensors)


@pytest.mark.parametrize("model", [categorical(), mixture()], ids=["categorical", "mixture"])
def test_hostile_tensors_of_a_model_are_refused(model):
    for name, tensor in model.tensors.items():
        for other in (tensor[None], tensor[..., :-1], np.zeros((), int), np.zeros((0, 2), int)):
            with pytest.raises(DataError, match="pixel model is damaged"):
                PixelModel(model.options, {**model.tensors, name: other})
    with pytest.raises(DataError, match=r"more of shape \(2,\), expected none"):
        PixelModel(model.options, {**model.tensors, "more": np.zeros(2, int)})


def test_numbers_of_a_model_that_float32_does_not_hold_are_refused():
    model = categorical()
    for name in ("FIRST", "row", "gate", "b4"):
        large = {**model.tensors, name: model.tensors[name] + (1 << 24)}
        with pytest.raises(DataError, match=f"largest of {name}"):
            PixelModel(model.options, large)
