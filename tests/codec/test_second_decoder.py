"""The page of formats is enough: a decoder that was written from it makes the same images."""

from io import BytesIO

import numpy as np
import pytest

from narrows.codec import general, pixel_model
from narrows.codec.archive import BEGINNING, HEAD, Archive, Writer, write_end
from narrows.codec.code_mode import codes_of, write_codes
from narrows.codec.codes import as_integers, steps_of
from narrows.codec.compress import compress
from narrows.codec.decompress import decompress
from narrows.codec.index import BREAK, PIXEL_MODEL, Index
from second_decoder import decode
from small_pixel_models import categorical, mixture, smooth, strokes

GENERATOR = np.random.default_rng(0)
SIZES = ((5, 6), (1, 4), (7, 1), (20, 18))
TYPES = ("uint8", "uint16", "int16", "bool", "float16", "float32", "float64")


def noise(shape, dtype="uint8", values=9):
    return (GENERATOR.integers(0, values, shape) - 4 * (dtype == "int16")).astype(dtype)


def archive_of(images, model=None, tile=10, area=22, **options):
    """An archive, and the methods of its blocks."""
    file = BytesIO()
    writer = Writer(file, model, apart=bool(model), **options)
    if model is None:
        writer.index.tile, writer.index.area = tile, area
    index = writer.write(images)
    return file.getvalue(), [entry.method for entry in index.blocks]


def assert_same(images, originals):
    for image, original in zip(images, originals, strict=True):
        assert (image.dtype, image.shape) == (original.dtype, original.shape)
        assert (image == original).all()


@pytest.fixture
def modelled(monkeypatch):
    """The pixel model codes whatever it can, and a stream has many lanes."""
    monkeypatch.setattr(general, "pack_below", lambda data, length: (9**9, None))
    for head in pixel_model.HEADS.values():
        monkeypatch.setattr(head, "bits_a_lane", 100)


@pytest.mark.parametrize("dtype", TYPES)
def test_second_decoder_of_general_methods_tiles_and_blocks(dtype):
    images = [noise((*size, *c), dtype) for c in ((), (1,), (2,), (3,), (4,)) for size in SIZES]
    images += [noise((9,), dtype), noise((0, 3), dtype), noise((3, 0, 2), dtype), images[0]]
    data, methods = archive_of(images, tile=3, area=9)
    assert len(methods) > 20
    assert_same(decode(data), images)


def test_second_decoder_of_each_general_method():
    words = noise((40, 6, 3), values=256)
    images = [
        noise((3, 3, 1), values=256),
        noise((9, 2, 2), values=2),
        words[GENERATOR.integers(0, 40, 3000)].reshape(100, -1, 3),
        noise((40, 40, 4)),
    ]
    data, methods = archive_of(images)
    assert set(methods) == {0, 1, 2, 3}
    assert_same(decode(data), images)


@pytest.mark.parametrize(("values", "radius"), [(256, 2), (200, 1), (16, 3), (2, 2)])
@pytest.mark.usefixtures("modelled")
def test_second_decoder_of_the_categorical_head(values, radius):
    model = categorical(values, radius, tile=4, area=12)
    images = [strokes(1, size, seed, values)[0] for seed, size in enumerate((*SIZES, (9, 20)))]
    images = [*images, images[0] > 0, images[1][:, :, None]]
    images += [strokes(1, (20, 20), 3, values)[0] for _ in range(4)]
    data, methods = archive_of(images, model)
    assert set(methods) == {PIXEL_MODEL}
    assert len(methods) > 3
    assert_same(decode(data, model.to_bytes()), images)


@pytest.mark.parametrize(
    ("channels", "values", "dtype"),
    [(3, 256, "uint8"), (1, 65536, "int16"), (4, 65536, "uint16"), (2, 2, "bool"), (3, 7, "uint8")],
)
@pytest.mark.usefixtures("modelled")
def test_second_decoder_of_the_mixture_head(channels, values, dtype):
    model = mixture(channels, values, types=[dtype], tile=4, area=12)
    sizes = (*SIZES[:3], (9, 20))
    images = [smooth((*size, channels), values, dtype=dtype) for size in sizes]
    images += [noise((6, 5, channels), dtype, min(values, 9))]
    data, methods = archive_of(images, model)
    assert set(methods) == {PIXEL_MODEL}
    assert_same(decode(data, model.to_bytes()), images)


@pytest.mark.usefixtures("modelled")
@pytest.mark.filterwarnings("ignore::narrows.errors.NarrowsWarning")
def test_second_decoder_of_grey_levels_with_the_model_inside():
    images = strokes(3)
    data = compress(categorical(4, area=18), images, levels=4)
    assert Archive(BytesIO(data)).index.model_length
    assert_same(decode(data), decompress(data))
    deep = noise((4, 9, 8, 3), "int16", 9000)
    data = compress(None, deep, levels=300)
    assert_same(decode(data), decompress(data))


@pytest.mark.usefixtures("modelled")
@pytest.mark.parametrize("shift", [0, 1 / 3])
def test_second_decoder_of_codes(shift):
    codes = np.float32(GENERATOR.normal(shift, [1, 3, 0.01], (60, 3)))
    step, offset = steps_of(codes, 0.3)
    file = BytesIO()
    write_codes(file, as_integers(codes, step, offset), step, offset, bytes)
    assert_same(decode(file.getvalue()), np.concatenate(list(codes_of(Archive(file)))))


def test_second_decoder_of_joined_archives():
    """A form of no images ends a block."""
    images, joint, file = [list(noise((n, 5, 5, 1))) for n in (3, 2)], Index(), BytesIO()
    file.write(BEGINNING)
    for part in images:
        data, _ = archive_of(part)
        index = Archive(BytesIO(data)).index
        file.write(data[HEAD : HEAD + index.blocks[0].length])
        joint.forms += [BREAK, *index.forms] if joint.forms else index.forms
        joint.blocks += index.blocks
    write_end(file, joint)
    assert_same(Archive(file).images(), [*images[0], *images[1]])
    assert_same(decode(file.getvalue()), [*images[0], *images[1]])
