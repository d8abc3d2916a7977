"""Laws of maps of files: their parts are the array, and what is given back loses no value."""

from pathlib import Path

import numpy as np
import pytest
import torch

from narrows import mapped
from narrows.image_batches import ImageBatches
from narrows.layout import layout_of
from narrows.mapped import give_pages_back, in_parts, scattered_parts
from narrows.scale import FIXED_SCALES

MODES = ["r", "r+", "c"]
SMAPS = Path("/proc/self/smaps")
in_linux = pytest.mark.skipif(not SMAPS.exists(), reason="what a map holds is counted by Linux")


@pytest.fixture
def values():
    return np.random.default_rng(0).integers(0, 256, (500, 9, 7), dtype=np.uint8)


@pytest.fixture
def path(tmp_path, values, monkeypatch):
    """A file of these values, which counts as large."""
    monkeypatch.setattr(mapped, "LEAST", 1)
    np.save(tmp_path / "x.npy", values)
    return tmp_path / "x.npy"


def pages_held(pages) -> int:
    """kB of a map that this process holds, by its place in memory."""
    address = f"{np.frombuffer(pages, np.uint8).ctypes.data:x}-"
    with SMAPS.open() as file:
        lines = iter(file)
        next(line for line in lines if line.startswith(address))
        return int(next(line for line in lines if line.startswith("Rss:")).split()[1])


@pytest.mark.parametrize("bytes_at_once", [1, 63, 64, 1000, 1 << 30])
def test_the_parts_of_an_array_are_the_array(monkeypatch, values, bytes_at_once):
    monkeypatch.setattr(mapped, "AT_ONCE", bytes_at_once)
    starts, parts = zip(*in_parts(values))
    assert np.array_equal(np.concatenate(parts), values)
    assert all(part.nbytes <= max(bytes_at_once, 63) for part in parts)
    assert [*starts] == [*np.cumsum([0, *map(len, parts)])[:-1]]


@pytest.mark.parametrize("most", [1, 7, 100, 499, 500, 1000])
def test_scattered_parts_are_evenly_spaced_images(values, most):
    images = np.concatenate([*scattered_parts(values, most)])
    assert len(images) <= most
    assert np.array_equal(images, values[:: -(-500 // most)])


def test_an_empty_array_has_no_parts():
    assert [*in_parts(np.empty((0, 3)))] == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("view", [lambda x: x, lambda x: x[3:], np.asarray, lambda x: x.T])
def test_pages_that_are_given_back_keep_their_values(path, values, mode, view):
    array = np.load(path, mmap_mode=mode)
    if mode != "r":  # changes that a map of mode c keeps in memory alone
        array[5] = values[5] = 7
    give_pages_back(view(array))
    assert np.array_equal(array, values)


@in_linux
@pytest.mark.parametrize(("mode", "held"), [("r", False), ("r+", False), ("c", True)])
def test_a_map_whose_file_has_all_values_gives_its_pages_back(path, mode, held):
    array = np.load(path, mmap_mode=mode)
    assert array.sum() > 0
    before = pages_held(array.base)
    give_pages_back(array[1:])
    assert before > 0
    assert (pages_held(array.base) > 0) == held


def test_a_plain_array_is_left_alone(values):
    give_pages_back(values)


@in_linux
@pytest.mark.parametrize("index", [slice(3, 40), [0, 5, 3, 499], [*range(400, 0, -1)], []])
def test_batches_of_a_map_hold_none_of_its_pages_and_are_those_of_the_array(path, values, index):
    array = np.load(path, mmap_mode="r")
    layout = layout_of(array, None)
    index = torch.tensor(index, dtype=torch.int64) if isinstance(index, list) else index
    batches = [ImageBatches(x, layout, FIXED_SCALES["unit"]).batch(index) for x in (array, values)]
    assert torch.equal(*batches)
    assert pages_held(array.base) == 0
