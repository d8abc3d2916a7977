"""LMDB: what its library writes is read in the order of keys; damage and pickles are refused."""

import pickle
import random
from contextlib import suppress
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from narrows.data import read_data
from narrows.data.readers import lmdb_images
from narrows.data.readers.lmdb_images import lmdb_has_split
from narrows.data.readers.lmdb_pages import LmdbFile
from narrows.data.readers.recognise_stores import is_lmdb
from narrows.data.share import Share
from narrows.errors import DataError

lmdb = pytest.importorskip("lmdb")
read_lmdb: Any = lmdb_images.read_lmdb
IMAGES = np.random.default_rng(0).integers(0, 256, (30, 6, 5, 3), np.uint8)


def png(image: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def number(value: int) -> bytes:
    value &= 2**64 - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def datum(image: np.ndarray, label: int, encoded: bool = False) -> bytes:
    """A message as Caffe's tools write it."""
    if encoded:
        data = png(image)
        return b"\x22" + number(len(data)) + data + b"\x28" + number(label) + b"\x38\x01"
    image = np.atleast_3d(image)
    height, width, channels = image.shape
    data = np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1)).tobytes()
    sides = b"\x08" + number(channels) + b"\x10" + number(height) + b"\x18" + number(width)
    return sides + b"\x22" + number(len(data)) + data + b"\x28" + number(label)


def write(path, entries, subdir=True):
    with lmdb.open(str(path), map_size=1 << 26, subdir=subdir) as env, env.begin(write=True) as txn:
        for key, value in entries.items():
            txn.put(key, value)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "set.lmdb"


def keyed(values):
    return {f"{k:05}".encode(): value for k, value in enumerate(values)}


@pytest.mark.parametrize("count", [0, 1, 3, 2000])
def test_pages_are_read_as_the_library_reads_them(path, count):
    picks = random.Random(count)
    entries = {
        picks.randbytes(picks.randrange(1, 400)): picks.randbytes(picks.choice([0, 9, 900, 90_000]))
        for _ in range(min(count, 300))
    } | {b"%d" % k: b"x" for k in range(count)}
    write(path, entries)
    with lmdb.open(str(path)) as env, env.begin(write=True) as txn:  # so that both metas differ
        txn.put(b"more", b"1")
    file = LmdbFile(path / "data.mdb")
    assert [(value.key, file[value]) for value in file] == sorted(
        {**entries, b"more": b"1"}.items()
    )


def test_encoded_images_in_the_order_of_keys(path):
    entries = dict(reversed(keyed(map(png, IMAGES)).items()))
    write(path, {**entries, b"__len__": pickle.dumps(30)})
    found = read_lmdb(path)
    assert np.array_equal(found.images, IMAGES)
    assert found.names[3] == "00003"
    assert found.labels is None
    assert is_lmdb(path, b"")
    data = path / "data.mdb"
    assert is_lmdb(data, data.read_bytes()[:512])
    assert np.array_equal(read_lmdb(data).images, IMAGES)


@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize("grey", [False, True])
def test_datums_of_caffe_have_labels(path, encoded, grey):
    images = IMAGES[..., 0] if grey else IMAGES
    write(path, keyed(datum(image, k - 2, encoded) for k, image in enumerate(images)))
    found = read_lmdb(path)
    assert np.array_equal(found.images, images)
    assert found.labels.tolist() == list(range(-2, 28))


def test_texts_of_images_are_their_labels(path):
    entries = {b"num-samples": b"30"}
    for k, image in enumerate(IMAGES):
        entries |= {b"image-%09d" % k: png(image), b"label-%09d" % k: b"cat" if k % 2 else b"dog"}
    found = read_lmdb(write(path, entries))
    assert np.array_equal(found.images, IMAGES)
    assert found.classes == ("cat", "dog")
    assert found.labels.tolist() == [1, 0] * 15


def test_folders_of_splits(tmp_path):
    write(tmp_path / "x_train_lmdb", keyed(map(png, IMAGES[:20])))
    write(tmp_path / "x_val_lmdb", keyed(map(png, IMAGES[20:])))
    assert is_lmdb(tmp_path, b"")
    assert lmdb_has_split(tmp_path, "val")
    assert np.array_equal(read_lmdb(tmp_path, "val").images, IMAGES[20:])
    assert np.array_equal(read_lmdb(tmp_path).images, IMAGES)
    with pytest.raises(DataError, match="no test split, only train and val"):
        read_lmdb(tmp_path, "test")


def test_pickles_and_raw_pixels_are_refused_by_name(path):
    with pytest.raises(DataError, match="the first, 00000: it is a pickled object"):
        read_lmdb(write(path, keyed(pickle.dumps(image) for image in IMAGES)))


def test_what_is_no_image_is_skipped_by_name(path):
    entries = keyed(map(png, IMAGES))
    entries[b"00003"] = b"raw pixels"
    found = read_lmdb(write(path, entries))
    assert np.array_equal(found.images, np.delete(IMAGES, 3, 0))
    assert [name for name, _ in found.skipped] == ["00003"]
    with pytest.raises(DataError, match="00003 cannot be read"):
        read_lmdb(path, strict=True)


def test_keys_that_lead_out_of_a_folder_are_no_names(path):
    found = read_lmdb(write(path, {b"../a": png(IMAGES[0]), b"a/b.png": png(IMAGES[1])}))
    assert found.names == (b"../a".hex(), "a/b.png")


def test_cut_off_lmdb_is_refused(path):
    data = write(path, keyed(map(png, IMAGES))) / "data.mdb"
    intact = data.read_bytes()
    for length in (0, 10, 100, 5000, len(intact) // 2, len(intact) - 1):
        data.write_bytes(intact[:length])
        with pytest.raises(DataError, match=r"data\.mdb"):
            read_lmdb(path)


def test_mutated_lmdb_raises_nothing_else(path):
    data = write(path, keyed(map(png, np.repeat(IMAGES, 5, 0)))) / "data.mdb"
    intact = data.read_bytes()
    places = random.Random(0)
    for _ in range(200):
        damaged = bytearray(intact)
        for _ in range(10):
            damaged[places.randrange(len(intact) // 4096) * 4096 + places.randrange(64)] = (
                places.randrange(256)
            )
        data.write_bytes(damaged)
        with suppress(DataError):
            read_lmdb(path)


@pytest.mark.parametrize("kind", ["texts", "datums"])
def test_shares_are_those_of_the_set_with_its_classes(path, kind):
    entries = {}
    for k, image in enumerate(IMAGES[:7]):
        if kind == "datums":
            entries[b"%09d" % k] = datum(image, k)
        else:
            word = b"zebra" if k < 4 else b"ant"
            entries |= {b"image-%09d" % k: png(image), b"label-%09d" % k: word}
    write(path, entries)
    every = read_data(path, "all")
    shares = [read_data(path, "all", share=Share(place, 3)) for place in (1, 2, 3)]
    np.testing.assert_array_equal(np.concatenate([one.images for one in shares]), every.images)
    np.testing.assert_array_equal(np.concatenate([one.labels for one in shares]), every.labels)
    assert {one.classes for one in shares} == {every.classes}
    assert sum((one.names for one in shares), ()) == every.names
    assert [(one.span.first, one.span.stop) for one in shares] == [(0, 2), (2, 4), (4, 7)]
