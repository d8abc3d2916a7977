"""Ranks that read one set: each decodes its share, and all have the whole."""

import numpy as np
import pytest
from PIL import Image

from narrows.data.distributed_read import read_distributed
from narrows.data.load import read_data
from narrows.data.packs.pack import pack
from narrows.data.packs.reader import Pack
from narrows.distributed import rendezvous as joining
from narrows.distributed.process_group import rank_and_size
from narrows.errors import DataError
from small_ranks import together

COUNT, BROKEN = 101, 40  # pictures, which 3 and 4 ranks cannot share evenly, and one that is none


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of two classes, one of them broken."""
    place = tmp_path_factory.mktemp("set") / "pictures"
    random = np.random.default_rng(0)
    for k in range(COUNT):
        path = place / "ab"[k % 2] / f"{k:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (5, 4), np.uint8)).save(path)
    (place / "a" / f"{BROKEN:03}.png").write_bytes(b"none")
    return place


@pytest.fixture(scope="module")
def packed(folder):
    """The same in a pack of several tars."""
    whole = folder.parent / "whole"
    for path in folder.rglob("*.png"):
        if path.stem != f"{BROKEN:03}":
            (whole / path.parent.name).mkdir(parents=True, exist_ok=True)
            (whole / path.parent.name / path.name).write_bytes(path.read_bytes())
    found = pack(whole, folder.parent / "set.tar", shard=20_000)
    assert found["shards"] > 4
    return folder.parent / "set.index"


def held(path):
    with joining.process_group():
        found = read_distributed(str(path), "all")
        return (
            found.images.copy(),
            found.labels,
            found.names,
            found.classes,
            found.skipped,
            found.fingerprint,
        )


@pytest.mark.parametrize("world", [2, 4])
@pytest.mark.parametrize("kind", ["folder", "packed"])
def test_all_ranks_have_the_whole(kind, world, request):
    path = request.getfixturevalue(kind)
    whole = read_data(str(path), "all")
    assert len(whole) == COUNT - 1
    for images, labels, names, classes, skipped, fingerprint in together(world, held, path):
        assert np.array_equal(images, whole.images)
        assert (labels.tolist(), names) == (np.asarray(whole.labels).tolist(), whole.names)
        assert (classes, skipped) == (whole.classes, whole.skipped)
        assert fingerprint == whole.fingerprint


def test_each_image_of_a_pack_is_read_by_one_rank(packed, monkeypatch):
    once, read_one = [], Pack.data
    monkeypatch.setattr(Pack, "data", lambda self, k: once.append(k) or read_one(self, k))

    def work():
        held(packed)
        return once

    every = together(3, work)
    assert sorted(k for places in every for k in places) == list(range(COUNT - 1))
    assert [len(places) for places in every] == [33, 33, 34]


def test_arrays_are_mapped_by_each(tmp_path):
    X = np.arange(60, dtype=np.uint8).reshape(5, 3, 4)
    np.save(tmp_path / "x.npy", X)

    def work():
        with joining.process_group():
            found = read_distributed(str(tmp_path / "x.npy"), "all").images
            return isinstance(found, np.memmap), found.copy()

    for mapped, images in together(2, work):
        assert mapped
        assert np.array_equal(images, X)


def test_what_cannot_be_read_is_reported_as_ever(tmp_path):
    for k, size in enumerate([(4, 5), (4, 5), (6, 7)]):
        Image.new("L", size).save(tmp_path / f"{k}.png")

    def work():
        with (
            joining.process_group(),
            pytest.raises(DataError, match="holds images of 2 sizes") as error,
        ):
            read_distributed(str(tmp_path), "all")
        return str(error.value)

    assert len(set(together(2, work))) == 1


def test_colour_after_grey_is_colour_for_all(tmp_path):
    for k in range(6):
        Image.new("RGB" if k == 5 else "L", (4, 5)).save(tmp_path / f"{k}.png")

    def work():
        with joining.process_group():
            return read_distributed(str(tmp_path), "all").images.shape

    assert together(3, work) == [(6, 5, 4, 3)] * 3


def test_nothing_is_left_behind(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    together(2, held, folder)
    assert list(tmp_path.iterdir()) == []
    assert rank_and_size() == (0, 1)
