"""HDF5 and MATLAB 7.3: arrays, splits, labels, maps and copies; what reads as zeros is refused."""

import subprocess
import sys
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from narrows.data.readers import hdf5
from narrows.data.readers.hdf5 import hdf5_has_split
from narrows.data.readers.matlab_order import matlab_order
from narrows.data.readers.recognise_stores import is_hdf5
from narrows.errors import DataError

h5py = pytest.importorskip("h5py")
read_hdf5: Any = hdf5.read_hdf5
IMAGES = np.random.default_rng(0).integers(0, 256, (20, 6, 5, 3), np.uint8)
LABELS = np.arange(20) % 4


@pytest.fixture
def path(tmp_path):
    return tmp_path / "images.h5"


def write(path, userblock_size=0, **arrays: Any):
    with h5py.File(path, "w", userblock_size=userblock_size) as file:
        for key, values in arrays.items():
            file[key] = values


@pytest.mark.parametrize("userblock_size", [0, 512])
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4", "f8", "?"])
def test_contiguous_hdf5_is_a_memory_map(path, dtype, userblock_size):
    write(path, userblock_size, images=IMAGES.astype(dtype), labels=LABELS)
    found = read_hdf5(path)
    assert isinstance(found.images, np.memmap)
    assert np.array_equal(found.images, IMAGES.astype(dtype))
    assert np.array_equal(found.labels, LABELS)
    assert found.images.dtype == dtype
    assert is_hdf5(path, path.read_bytes()[:4096])


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (1, 6, 5, 3)},
        {"chunks": (7, 3, 5, 1), "compression": "gzip", "shuffle": True},
        {"chunks": (20, 6, 5, 3), "compression": "lzf"},
        {"dtype": ">u2"},
    ],
)
def test_compressed_hdf5_is_copied_by_chunk(path, options):
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=IMAGES, **options)
    found = read_hdf5(path).images
    assert np.array_equal(found, IMAGES)
    assert found.dtype.isnative


@pytest.mark.parametrize(
    "keys",
    [
        ["train/images", "train/labels", "test/images", "test/labels"],
        ["x_train", "y_train", "x_test", "y_test"],
        ["train", "train_labels", "test", "test_labels"],
        ["images/train", "labels/train", "images/test", "labels/test"],
        ["set/train_data", "set/train_target", "set/test_data", "set/test_target"],
    ],
)
def test_splits_inside_hdf5(path, keys):
    values = [IMAGES[:15], LABELS[:15], IMAGES[15:], LABELS[15:]]
    write(path, 0, **dict(zip(keys, values)))
    assert hdf5_has_split(path, "test")
    assert not hdf5_has_split(path, "val")
    test = read_hdf5(path, "test")
    assert np.array_equal(test.images, IMAGES[15:])
    assert np.array_equal(test.labels, LABELS[15:])
    complete = read_hdf5(path, "all")
    assert np.array_equal(complete.images, IMAGES)
    assert np.array_equal(complete.labels, LABELS)
    with pytest.raises(DataError, match="no val split"):
        read_hdf5(path, "val")


def test_an_array_inside_is_named(path):
    write(path, 0, **{"a/deep/cube": IMAGES, "a/flat": IMAGES[..., 0], "test/x": IMAGES[:3]})
    assert read_hdf5(path, array="/a/flat").images.shape == (20, 6, 5)
    assert np.array_equal(read_hdf5(path, "train", array="a/deep").images, IMAGES)
    assert len(read_hdf5(path, "train", array="/test")) == 3
    with pytest.raises(DataError, match="did you mean 'a/flat'"):
        read_hdf5(path, array="a/flt")
    with pytest.raises(DataError, match=r"several arrays that may be images.*::/a/deep/cube"):
        read_hdf5(path, array="a")


def test_labels_as_text_are_classes_and_several_an_image_are_left_out(path):
    write(path, images=IMAGES, labels=["cat", "dog"] * 10)
    found = read_hdf5(path)
    assert found.classes == ("cat", "dog")
    assert found.labels.tolist() == [0, 1] * 10
    write(path, images=IMAGES, labels=np.zeros((20, 6)))
    found = read_hdf5(path)
    assert found.labels is None
    assert "'labels'" in found.notes[0]
    assert "shape (20, 6)); they are left out" in found.notes[0]


@pytest.mark.parametrize(
    ("shape", "labels", "order"),
    [
        ((32, 32, 3, 100), 0, (3, 0, 1, 2)),
        ((100, 32, 32, 3), 0, (0, 1, 2, 3)),
        ((28, 28, 100), 0, (2, 0, 1)),
        ((100, 28, 28), 0, (0, 1, 2)),
        ((28, 20, 100), 28, (0, 1, 2)),
        ((28, 20, 100), 100, (2, 0, 1)),
        ((560, 1965), 0, (1, 0)),
        ((560, 1965), 560, (0, 1)),
    ],
)
def test_the_axis_of_images_in_matlab(shape, labels, order):
    assert matlab_order(shape, labels) == order


@pytest.mark.parametrize("options", [{}, {"chunks": (5, 3, 2), "compression": "gzip"}])
def test_the_axis_of_images_may_be_said(path, options):
    values = IMAGES[..., 0]
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=values.transpose(1, 2, 0), **options)
        file.create_dataset("matlab", data=values.T, **options)
        file["matlab"].attrs["MATLAB_class"] = b"uint8"
    assert np.array_equal(read_hdf5(path, array="images", axis=2).images, values)
    found = read_hdf5(path, array="matlab", axis=0)
    assert np.array_equal(found.images, values)
    assert found.notes == ()


@pytest.mark.parametrize("options", [{}, {"chunks": (3, 3, 5, 6), "compression": "gzip"}])
def test_axes_of_matlab_are_reversed(path, options):
    stored = IMAGES.transpose(1, 2, 3, 0).T  # MATLAB's (H, W, C, N), as MATLAB stores it
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("X", data=stored, **options).attrs["MATLAB_class"] = np.bytes_("uint8")
        file.create_dataset("y", data=LABELS[None]).attrs["MATLAB_class"] = np.bytes_("double")
        file.create_dataset("#refs#/a", data=stored).attrs["MATLAB_class"] = np.bytes_("uint8")
    found = read_hdf5(path)
    assert np.array_equal(found.images, IMAGES)
    assert np.array_equal(found.labels, LABELS)
    assert isinstance(found.images, np.memmap) == (not options)


def test_logicals_of_matlab_are_bits(path):
    with h5py.File(path, "w") as file:
        stored = file.create_dataset(
            "X", data=(IMAGES[..., 0] > 99).transpose(1, 2, 0).T.astype("u1")
        )
        stored.attrs["MATLAB_class"] = np.bytes_("logical")
    assert np.array_equal(read_hdf5(path).images, IMAGES[..., 0] > 99)


def test_values_never_written_are_refused_or_noted(path):
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("x", (20, 6, 5), "u1")
    with pytest.raises(DataError, match="never written"):
        read_hdf5(path)
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (10**9, 6, 5), "u1", chunks=(100, 6, 5))[:100] = 1
    with pytest.raises(DataError, match="9,999,999 of the 10,000,000 chunks"):
        read_hdf5(path)
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (20, 6, 5), "u1", chunks=(5, 6, 5))[:12] = 1
    assert "1 of the 4 chunks" in read_hdf5(path).notes[0]


def test_a_virtual_array_whose_file_is_missing_is_refused(path):
    source = path.with_name("source.h5")
    write(source, x=IMAGES)
    layout = h5py.VirtualLayout(IMAGES.shape, "u1")
    layout[:] = h5py.VirtualSource("source.h5", "x", IMAGES.shape)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("x", layout)
    assert np.array_equal(read_hdf5(path).images, IMAGES)
    source.unlink()
    with pytest.raises(DataError, match=r"source.h5, which holds its values, is missing"):
        read_hdf5(path)


def test_damaged_hdf5_is_refused_with_its_cause(path):
    write(path, x=IMAGES)
    intact = path.read_bytes()
    path.write_bytes(intact[:-100])
    with pytest.raises(DataError, match=r"images.h5 cannot be read as HDF5: .*truncated"):
        read_hdf5(path)
    random = np.random.default_rng(0)
    for _ in range(100):
        damaged = bytearray(intact)
        for place in random.integers(0, len(intact) - IMAGES.size, 5):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged)
        with suppress(DataError):
            read_hdf5(path)


def test_a_large_copy_is_on_the_disk(path, monkeypatch):
    monkeypatch.setattr("narrows.data.scratch.MOST_IN_MEMORY", 100)
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=IMAGES, chunks=(7, 6, 5, 3), compression="gzip")
    assert isinstance(read_hdf5(path).images, np.memmap)


def test_h5py_is_imported_when_it_is_needed():
    code = "import sys, narrows.data.readers.hdf5; print('h5py' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).stdout == b"False\n"
