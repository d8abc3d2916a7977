"""Room for arrays: in memory or on the disk, and a plain word where the disk is full."""

import tempfile

import numpy as np
import pytest

from narrows.data import read_data, scratch
from narrows.errors import OutputError
from small_files import write_picture


def test_a_small_array_is_plain():
    made = scratch.scratch((3, 4), np.float32)
    assert (type(made), made.shape, made.dtype) == (np.ndarray, (3, 4), np.float32)


def test_a_large_array_is_a_map_of_a_file_without_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "MOST_IN_MEMORY", 99)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = scratch.scratch((10, 5), np.uint16)
    assert isinstance(made, np.memmap)
    assert (made.shape, made.dtype, list(tmp_path.iterdir())) == ((10, 5), np.uint16, [])
    made[:] = np.arange(50).reshape(10, 5)
    assert made[7].tolist() == [35, 36, 37, 38, 39]


def test_a_full_disk_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(
        OutputError, match=r"no space for 1000000.0 GB of images \(No space left .* let TMPDIR name"
    ):
        scratch.scratch((10**6, 10**9), np.uint8)


def test_a_set_on_the_disk_is_the_set_in_memory(tmp_path, monkeypatch):
    for k, mode in enumerate(("LA", "L", "L", "RGB")):  # the array changes its mode on the way
        write_picture(
            tmp_path / f"{k}.png", mode, fill=(k, 9, 9)[: len(mode)] if len(mode) > 1 else k
        )
    plain = read_data(tmp_path).images
    monkeypatch.setattr(scratch, "MOST_IN_MEMORY", 50)
    mapped = read_data(tmp_path).images
    assert isinstance(mapped, np.memmap)
    assert np.array_equal(mapped, plain)
