"""Archives: what goes in comes out, or a plain sentence."""

import bz2
import io
import lzma
import zlib

import numpy as np
import pytest

from narrows.codec.archive import Archive, Writer
from narrows.codec.index import PIXEL_MODEL
from narrows.errors import DataError, ImageError
from small_pixel_models import categorical, sparse, strokes

GENERATOR = np.random.default_rng(0)
SETS = {
    "none": [],
    "strokes": list(strokes(40)),
    "noise": list(GENERATOR.integers(0, 256, (3, 30, 20)).astype(np.uint8)),
    "constant": list(np.full((50, 9, 9), 7, np.uint8)),
    "mixed sizes": [strokes(1, size)[0] for size in ((1, 1), (3, 40), (64, 64), (65, 130), (2, 1))],
    "colour": list(GENERATOR.integers(0, 3, (4, 8, 9, 3)).astype(np.uint8)),
    "types": [
        GENERATOR.integers(0, 65536, (5, 6)).astype(np.uint16),
        GENERATOR.integers(-9, 9, (5, 6, 1)).astype(np.int16),
        GENERATOR.random((4, 4, 4)),
        GENERATOR.random(9) > 0.5,
        strokes(1, (7, 8))[0],
    ],
    "empty": [np.zeros((0, 5), np.uint8), strokes(1)[0], np.zeros((3, 0, 2), np.float32)],
}


def compressed(images, model=None, **options):
    file = io.BytesIO()
    index = Writer(file, model, **options).write(images)
    return file, index


@pytest.fixture(params=["with a model", "without a model"])
def model(request):
    return categorical() if request.param == "with a model" else None


@pytest.mark.parametrize("name", SETS)
def test_archive_round_trip(name, model):
    file, index = compressed(SETS[name], model)
    images = list(Archive(file).images())
    assert index.count == len(images) == len(SETS[name])
    for image, original in zip(images, SETS[name], strict=True):
        assert (image.dtype, image.shape) == (original.dtype, original.shape)
        assert (image == original).all()


def test_archive_uses_the_model_where_it_is_smaller():
    _, index = compressed(sparse(300), categorical())
    _, plain = compressed(sparse(300))
    assert {entry.method for entry in index.blocks} == {PIXEL_MODEL}
    assert sum(entry.length for entry in index.blocks) < sum(entry.length for entry in plain.blocks)


def test_archive_with_the_model_apart_needs_that_model():
    images = SETS["mixed sizes"] + list(sparse(100))
    model = categorical()
    file, index = compressed(images, model, apart=True)
    assert PIXEL_MODEL in {entry.method for entry in index.blocks}
    for image, original in zip(Archive(file, model).images(), images, strict=True):
        assert (image == original).all()
    for other in (None, categorical(seed=1)):
        with pytest.raises(DataError, match="needs the pixel model of SHA-256"):
            Archive(file, other)


@pytest.mark.parametrize("name", ["strokes", "types", "none"])
def test_archive_refuses_each_flipped_bit_and_truncation(name, model):
    data = compressed(SETS[name], model)[0].getvalue()
    for place in range(0, len(data), max(1, len(data) // 150)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        for damaged in (bytes(changed), data[:place]):
            with pytest.raises(DataError):
                list(Archive(io.BytesIO(damaged)).images())
    with pytest.raises(DataError, match="damaged"):
        list(Archive(io.BytesIO(data + b"x")).images())


def test_archive_says_what_it_is_not():
    with pytest.raises(DataError, match="not an archive"):
        Archive(io.BytesIO(b"PK\x03\x04" + bytes(60)))
    data = bytearray(compressed([])[0].getvalue())
    data[4] = 9
    with pytest.raises(DataError, match="version 9"):
        Archive(io.BytesIO(data))


@pytest.mark.parametrize("name", ["none", "strokes", "noise", "constant", "colour"])
def test_archive_is_at_most_64_bytes_and_8_a_block_larger_than_a_general_compressor(name, model):
    file, index = compressed(SETS[name], model)
    raw = b"".join(image.tobytes() for image in SETS[name])
    plain = min(
        len(raw), len(bz2.compress(raw)), len(lzma.compress(raw)), len(zlib.compress(raw, 9))
    )
    inside = len(categorical().to_bytes()) if index.model else 0
    assert len(file.getvalue()) - inside <= plain + 64 + 8 * len(index.blocks)


def test_archive_refuses_what_is_no_image():
    for image in (
        np.zeros((2, 2, 5), np.uint8),
        np.zeros((2, 2), np.int64),
        np.zeros((1, 2, 3, 4)),
    ):
        with pytest.raises(ImageError, match="cannot be compressed"):
            compressed([image])
