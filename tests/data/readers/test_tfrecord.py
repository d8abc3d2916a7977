"""TFRecord: Examples that are written here by the letter of the format are read back exactly."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from narrows.data import read_data
from narrows.data.readers.crc32c import crc32c
from narrows.data.readers.examples import parse_example
from narrows.data.readers.formats import format_of
from narrows.errors import DataError
from small_records import example, record, write_records

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 6, 4, 3), dtype=np.uint8)
LABELS = [3, 1, 4, 1, 300]


def png(image):
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def encoded(k):
    return example(image__encoded=png(IMAGES[k]), image__class__label=LABELS[k], weight=0.5)


def test_crc32c_of_the_published_vectors():
    """RFC 3720, B.4, and the check value of the polynomial."""
    messages = [b"123456789", bytes(32), b"\xff" * 32, bytes(range(32)), bytes(range(31, -1, -1))]
    sums = [0xE3069283, 0x8A9136AA, 0x62A8AB43, 0x46DD794E, 0x113FDB5C]
    assert crc32c(messages).tolist() == sums
    assert crc32c(messages[::-1] * 300).tolist() == sums[::-1] * 300


def test_a_record_as_tensorflow_writes_it():
    """The first bytes of a file that tf.io.TFRecordWriter wrote of a record b'abcd'."""
    assert record(b"abcd")[:8] == b"\x04" + bytes(7)
    assert parse_example(example(a=-1, b=b"xy", c=0.5)) == {"a": [-1], "b": [b"xy"], "c": [0.5]}


@pytest.mark.parametrize("name", ["a.tfrecord", "a.dat", "mnist-train.tfrecord-00000-of-00001"])
def test_encoded_images_and_labels(tmp_path, name):
    path = write_records(tmp_path / name, *map(encoded, range(5)))
    assert format_of(path) == "tfrecord"
    found = read_data(path)
    assert np.array_equal(found.images, IMAGES)
    assert found.labels.tolist() == LABELS
    assert read_data(path, size=3, grey=True).images.shape == (5, 3, 3)


def test_raw_pixels_have_their_size_next_to_them(tmp_path):
    sizes = {"height": 6, "width": 4, "depth": 3}
    path = write_records(
        tmp_path / "a.tfrecord", *(example(image_raw=x.tobytes(), label=7, **sizes) for x in IMAGES)
    )
    found = read_data(path)
    assert np.array_equal(found.images, IMAGES)
    assert found.labels.tolist() == [7] * 5
    grey = IMAGES[:, :4, :, 0]
    path = write_records(tmp_path / "b.tfrecord", *(example(mine=x.tobytes()) for x in grey))
    found = read_data(path, array="mine")
    assert np.array_equal(found.images, grey)
    assert found.labels is None


@pytest.mark.parametrize("form", ["TIFF", "BMP", "WEBP", "PPM", "JPEG2000"])
def test_a_picture_of_any_format_is_decoded(tmp_path, form):
    """Also where the Example says the size, as it does of raw pixels."""
    file = BytesIO()
    Image.fromarray(IMAGES[0]).save(file, form, lossless=True)
    content = example(image__encoded=file.getvalue(), height=6, width=4, depth=3)
    found = read_data(write_records(tmp_path / "a.tfrecord", content))
    assert np.array_equal(found.images, IMAGES[:1])


@pytest.mark.parametrize("start", [b"BM", b"\xff\x0a", b"II"])
def test_raw_pixels_may_begin_as_a_picture_does(tmp_path, start):
    pixels = start + IMAGES[0].tobytes()[len(start) :]
    content = example(image_raw=pixels, height=6, width=4, depth=3)
    found = read_data(write_records(tmp_path / "a.tfrecord", content))
    assert found.images.tobytes() == pixels


def test_a_record_without_an_image_is_skipped_and_reported(tmp_path):
    found = read_data(
        write_records(tmp_path / "a.tfrecord", encoded(0), example(label=3), encoded(2))
    )
    assert np.array_equal(found.images, IMAGES[[0, 2]])
    ((name, reason),) = found.skipped
    assert name == "record 1"
    assert "only label" in reason


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b[:-1],
        lambda b: b[:100],
        lambda b: b + b"x",
        lambda b: b[:60] + bytes([b[60] ^ 1]) + b[61:],
        lambda b: b"\xff" * 8 + b[8:],
        lambda b: b"",
    ],
)
def test_damage_is_reported(tmp_path, change):
    path = write_records(tmp_path / "a.tfrecord", encoded(0), encoded(1))
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=r"a\.tfrecord cannot be read as a TFRecord"):
        read_data(path)
