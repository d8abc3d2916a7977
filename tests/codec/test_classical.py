"""Codecs that are not learned: what is without loss returns its images, in every arrangement; the call
that is printed is the call that is made; headers are what constant images take.
"""

import bz2
import io
import lzma
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from narrows.codec import classical
from narrows.codec.arrangements import decode, encode, shapes_of
from narrows.codec.classical import LOSSLESS, LOSSY, STREAMS, header_bytes, why_missing

WITHOUT_LOSS = [
    *((name, codec, "stream") for name, codec in STREAMS.items()),
    *((name, codec, how) for name, codec in LOSSLESS.items() for how in ("each", "sprite")),
]
ALL = {
    **STREAMS,
    **LOSSLESS,
    **{f"{name} lossy": ladder.at(ladder.qualities[1]) for name, ladder in LOSSY.items()},
}


def images_of(shapes, seed=0):
    """Smooth random images of uint8."""
    rng = np.random.default_rng(seed)
    steps = [rng.integers(-9, 10, shape).cumsum(0).cumsum(1) for shape in shapes]
    return [(128 + step).clip(0, 255).astype(np.uint8) for step in steps]


SETS = {
    "grey": images_of([(28, 28)] * 5),
    "colour": images_of([(20, 24, 3)] * 3),
    "of different sizes": images_of([(9, 16, 3), (16, 9, 3), (9, 16, 3), (12, 12, 3)]),
}


def here(codec):
    if why := why_missing(codec):
        pytest.skip(why)
    return codec


@pytest.mark.parametrize("kind", SETS)
@pytest.mark.parametrize(("name", "codec", "how"), WITHOUT_LOSS, ids=lambda value: str(value)[:12])
def test_what_is_lossless_returns_exactly_the_images_in_any_arrangement(name, codec, how, kind):
    images = SETS[kind]
    files = encode(here(codec), images, how)
    decoded = decode(codec, files, [image.shape for image in images], how)
    assert all(isinstance(file, bytes) for file in files)
    assert all(np.array_equal(a, b) for a, b in zip(images, decoded, strict=True))
    expected = {"stream": 1, "sprite": len({image.shape for image in images}), "each": len(images)}
    assert len(files) == expected[how]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_the_call_that_is_printed_is_the_one_that_is_made(name, kind):
    codec, image = here(ALL[name]), SETS[kind][0]
    file = io.BytesIO()
    known = {"lzma": lzma, "bz2": bz2, "file": file, "images": image.tobytes(), "image": image}
    if codec.call.startswith("imagecodecs"):
        known["imagecodecs"] = pytest.importorskip("imagecodecs")
    if codec.call.startswith("image.save"):
        known["image"] = Image.fromarray(image)
    returned = eval(codec.call, known)
    assert codec.encode(image) == (returned or file.getvalue())


@pytest.mark.parametrize("name", {**LOSSLESS, **LOSSY})
def test_constant_images_take_nothing_but_headers(name):
    codec = here(ALL.get(name) or ALL[f"{name} lossy"])
    shapes = [(28, 28), (28, 28), (20, 24, 3)]
    files = encode(codec, [np.zeros(shape, np.uint8) for shape in shapes])
    assert header_bytes(codec, shapes) == sum(map(len, files)) > 0


def test_a_codec_that_is_not_installed_is_reported_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    assert "narrows[bench]" in why_missing(STREAMS["brotli"])
    assert why_missing(classical.pillow("NO SUCH FORMAT"))
    assert not why_missing(STREAMS["xz"])
    assert not why_missing(LOSSLESS["png"])


def test_pictures_are_no_larger_than_a_codec_is_good_at():
    codec = here(replace(LOSSLESS["png"], side=60))
    images = SETS["grey"]
    files = encode(codec, images, "sprite")
    shapes = shapes_of(codec, [(28, 28)] * 5, "sprite")
    assert shapes == [(56, 56), (28, 28)]
    assert [Image.open(io.BytesIO(file)).size for file in files] == shapes
    decoded = decode(codec, files, [(28, 28)] * 5, "sprite")
    assert np.array_equal(np.stack(decoded), np.stack(images))
