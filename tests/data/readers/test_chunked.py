"""Arrays in chunks: every value is copied once, to its place, whatever the chunks."""

from types import SimpleNamespace

import numpy as np
import pytest

from narrows.data import ImageSet
from narrows.data.readers import chunked
from narrows.data.readers.chunked import copy_share
from narrows.data.share import Share


class Stored(SimpleNamespace):
    """An array that counts how often each value is read."""

    def __getitem__(self, box):
        self.reads[box] += 1
        return self.values[box]


@pytest.mark.parametrize("at_once", [1, 100, 1 << 20])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("chunks", [None, (1, 7, 5), (4, 3, 2), (11, 7, 5)])
def test_chunks_are_read_once_into_their_place(monkeypatch, chunks, order, at_once):
    monkeypatch.setattr(chunked, "AT_ONCE", at_once)
    values = np.arange(11 * 7 * 5, dtype=">i2").reshape(11, 7, 5)
    reads = np.zeros(values.shape, int)
    stored = Stored(values=values, reads=reads, shape=values.shape, dtype=values.dtype)
    copy = chunked.copy_chunks(stored, chunks, order)
    assert np.array_equal(copy, values.transpose(order))
    assert copy.dtype == np.int16
    assert (reads == 1).all()


def test_parts_are_complete_chunks():
    parts = list(chunked.boxes((100, 8, 8), (7, 8, 8), along=0, itemsize=1))
    assert len(parts) == 1  # all of them are below what is read at once
    edges = {part[0].start for part in chunked.boxes((100, 4096, 4096), (7, 64, 64), 0, 1)}
    assert edges == set(range(0, 100, 7))


class Counted:
    """An array that counts the bytes that are read from it."""

    def __init__(self, values):
        self.values, self.shape, self.dtype, self.ndim = (
            values,
            values.shape,
            values.dtype,
            values.ndim,
        )
        self.read = 0

    def __getitem__(self, box):
        self.read += self.values[box].nbytes
        return self.values[box]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_of_a_share_only_its_own_images_are_read(monkeypatch, order):
    monkeypatch.setattr("narrows.data.readers.chunked.AT_ONCE", 500)
    values = np.random.default_rng(0).integers(0, 256, (60, 5, 40), np.uint8)
    every = values.transpose(order)
    shares = []
    for place in range(1, 5):
        stored = Counted(values)
        images, span = copy_share(stored, (7, 5, 6), order, Share(place, 4))
        assert span == Share(place, 4).take(ImageSet(every)).span
        assert stored.read < values.nbytes / 2
        shares.append(images)
    np.testing.assert_array_equal(np.concatenate(shares), every)
