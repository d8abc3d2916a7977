"""Zarr 2 and 3: arrays, groups, splits, shards; chunks that are not there are noted."""

import json
import shutil
from typing import Any

import numpy as np
import pytest

from narrows.data.readers import zarr_arrays
from narrows.data.readers.recognise_stores import is_zarr
from narrows.data.readers.zarr_arrays import zarr_has_split
from narrows.errors import DataError

zarr = pytest.importorskip("zarr")
read_zarr: Any = zarr_arrays.read_zarr
IMAGES = np.random.default_rng(0).integers(1, 256, (20, 6, 5), np.uint8)
LABELS = np.arange(20) % 4
versions = pytest.mark.parametrize("version", [2, 3])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "images.zarr"


@versions
@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "f4", "?"])
def test_a_zarr_array_by_itself(path, version, dtype):
    values = IMAGES.astype(dtype)
    zarr.create_array(path, data=values, chunks=(7, 6, 2), zarr_format=version)
    assert is_zarr(path, b"")
    found = read_zarr(path)
    assert np.array_equal(found.images, values)
    assert found.images.dtype == values.dtype.newbyteorder("=")
    assert not zarr_has_split(path, "test")


@versions
def test_a_zarr_group_with_splits_and_words_as_labels(path, version):
    group = zarr.open_group(path, mode="w", zarr_format=version)
    for split, rows in {"train": slice(15), "test": slice(15, 20)}.items():
        group.create_array(f"{split}/images", data=IMAGES[rows])
        group.create_array(f"{split}/labels", data=LABELS[rows])
    assert zarr_has_split(path, "test")
    found = read_zarr(path, "test")
    assert np.array_equal(found.images, IMAGES[15:])
    assert np.array_equal(found.labels, LABELS[15:])
    assert len(read_zarr(path, "train", array="/test/images")) == 5


@versions
def test_words_as_labels_in_zarr(path, version):
    group = zarr.open_group(path, mode="w", zarr_format=version)
    group.create_array("images", data=IMAGES)
    words = group.create_array("labels", shape=(20,), dtype=str)
    words[:] = np.array(["b", "a"] * 10, object)
    assert read_zarr(path).classes == ("a", "b")


def test_shards_and_a_zip_of_zarr(path):
    zarr.create_array(path, data=IMAGES, chunks=(5, 6, 5), shards=(10, 6, 5))
    assert np.array_equal(read_zarr(path).images, IMAGES)
    packed = shutil.make_archive(str(path), "zip", path)
    packed = path.with_name("images.zarr.zip")
    assert is_zarr(packed, packed.read_bytes()[:512])
    assert np.array_equal(read_zarr(packed).images, IMAGES)


@versions
def test_lost_chunks_of_zarr_are_noted_or_refused(path, version):
    zarr.create_array(path, data=IMAGES, chunks=(5, 6, 5), zarr_format=version)
    chunks = sorted(file for file in path.rglob("*") if file.is_file() and "z" not in file.name)
    assert len(chunks) == 4
    chunks[0].unlink()
    found = read_zarr(path)
    assert not found.images[:5].any()
    assert "1 of the 4 chunks" in found.notes[0]
    chunks[1].unlink()
    chunks[2].unlink()
    with pytest.raises(DataError, match=r"3 of the 4 chunks .* are not there"):
        read_zarr(path)


@pytest.mark.parametrize("field", ["filters", "compressor"])
def test_pickles_in_zarr_are_refused(path, field):
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("images", data=IMAGES)
    words = group.create_array("labels", shape=(20,), dtype=str)
    words[:] = np.array(["b", "a"] * 10, object)
    file = path / "labels/.zarray"
    metadata = json.loads(file.read_text())
    pickle = {"id": "pickle", "protocol": 5}
    metadata[field] = [*metadata["filters"], pickle] if field == "filters" else pickle
    file.write_text(json.dumps(metadata))
    found = read_zarr(path)
    assert found.labels is None
    assert "pickled objects" in found.notes[0]
    with pytest.raises(DataError, match="zarr"):
        read_zarr(path, array="labels")


def test_damaged_zarr_is_refused(path):
    zarr.create_array(path, data=IMAGES, chunks=(5, 6, 5), name="images")
    chunk = next(file for file in path.rglob("*") if file.is_file() and "z" not in file.name)
    chunk.write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"images.zarr cannot be read as Zarr"):
        read_zarr(path)
    (path / "images/zarr.json").write_text("{")
    with pytest.raises(DataError, match=r"images.zarr"):
        read_zarr(path)
