"""Arrays in chunks: every value is copied once, to its place, whatever the chunks."""

from types import SimpleNamespace

import numpy as np
import pytest

from narrows.data.readers import chunked


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
