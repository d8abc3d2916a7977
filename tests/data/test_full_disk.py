"""A disk that is full ends the work with a sentence: nothing is left half-written, and no process is
ended by writing into the map of a file.
"""

import errno
import os

import numpy as np
import pytest

from narrows.data.write import memory_mapped, write_images
from narrows.errors import OutputError

IMAGES = np.zeros((3, 4, 4), np.uint8)


def full(*arguments, **options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_space_for_a_mapped_array_is_taken_before_it_is_filled(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", full)
    words = r"x.npy cannot be written: No space left on device; nothing was left of it"
    with (
        pytest.raises(OutputError, match=words),
        memory_mapped(tmp_path / "x.npy", (3, 4, 4), np.dtype(np.uint8)),
    ):
        raise AssertionError("it was filled")
    assert list(tmp_path.iterdir()) == []


def test_a_mapped_array_has_its_place_on_the_disk(tmp_path):
    with memory_mapped(tmp_path / "x.npy", (1 << 20,), np.dtype(np.uint8)) as array:
        array[:3] = 7
    assert (tmp_path / "x.npy").stat().st_blocks * 512 >= 1 << 20
    assert np.load(tmp_path / "x.npy")[:4].tolist() == [7, 7, 7, 0]


def test_a_picture_on_a_full_disk_is_not_blamed_on_its_format(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"No space left on device; nothing was left of it$"):
        write_images(IMAGES[:1], tmp_path / "x.jpg")
    assert list(tmp_path.iterdir()) == []
