"""Processes that work on blocks: the same bytes and images, errors that arrive, and no process left."""

import os
import signal
from io import BytesIO

import numpy as np
import pytest

from narrows.codec import parallel, workers
from narrows.codec.archive import Archive, Writer
from narrows.codec.index import PIXEL_MODEL
from narrows.errors import DataError, NarrowsError
from small_pixel_models import categorical, mixture, smooth, sparse

MODELS = {"grey": categorical(), "colour": mixture()}
IMAGES = {"grey": list(sparse(60)), "colour": [smooth((40, 50, 3), seed=k) for k in range(6)]}


def written(name):
    file = BytesIO()
    index = Writer(file, MODELS[name]).write(IMAGES[name])
    assert [entry.method for entry in index.blocks][:3] == 3 * [PIXEL_MODEL]
    return file


@pytest.fixture
def started(monkeypatch):
    """The workers that are started, for two processors and blocks of any size."""
    every = []

    class Noted(workers.Worker):
        def __init__(self, model):
            super().__init__(model)
            every.append(self)

    monkeypatch.setattr(workers, "Worker", Noted)
    monkeypatch.setattr(parallel, "count_cores", lambda: 2)
    monkeypatch.setattr(parallel, "ENOUGH", 0)
    return every


@pytest.mark.parametrize("name", MODELS)
def test_workers_write_and_read_the_same(name, started, monkeypatch):
    file = written(name)
    images = list(Archive(file).images())
    assert len(started) == 4
    assert all(worker.process.poll() is not None for worker in started)
    assert all((a == b).all() for a, b in zip(images, IMAGES[name], strict=True))
    monkeypatch.setattr(parallel, "count_cores", lambda: 1)
    assert written(name).getvalue() == file.getvalue()
    assert len(started) == 4


def test_workers_are_not_started_for_little(started, monkeypatch):
    monkeypatch.setattr(parallel, "ENOUGH", 1 << 17)
    written("grey")
    assert not started


def test_what_a_worker_raises_arrives(started):
    data = bytearray(written("grey").getvalue())
    data[40] ^= 1
    with pytest.raises(DataError, match="checksum of block 1"):
        list(Archive(BytesIO(bytes(data))).images())
    assert all(worker.process.poll() is not None for worker in started)


def test_a_worker_that_is_killed_is_an_error(started):
    images = Archive(written("grey")).images()
    next(images)
    for worker in started[-2:]:
        os.kill(worker.process.pid, signal.SIGKILL)
    with pytest.raises(NarrowsError, match="has ended"):
        list(images)


def test_workers_end_with_those_who_read(started):
    images = Archive(written("grey")).images()
    assert np.size(next(images))
    images.close()
    assert all(worker.process.poll() is not None for worker in started)
