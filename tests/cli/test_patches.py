"""The verb patches, and --patches of the verbs that train."""

import csv

import numpy as np
import pytest

import narrows as nw
from narrows.data import read_data
from narrows.data.readers.image_files import first_page
from narrows.data.readers.pixels import Page
from narrows.data.save_picture import save_pages
from narrows.levels import Levels

OPTIONS = ("--size", 16, 12, "-n", 8)


def values(size, dtype, seed):
    random = np.random.default_rng(seed)
    if dtype == "float32":
        return random.random(size, dtype)
    return random.integers(0, np.iinfo(dtype).max, size, dtype)


@pytest.fixture
def large(tmp_path):
    """Pictures of several sizes, depths and classes."""
    folder = tmp_path / "large"
    save_pages([Page(values((40, 50), "uint8", 0))], folder / "cat" / "a.png")
    save_pages(
        [Page(values((40, 50, 3), "uint16", 1) % 4096, Levels(0, 4095))], folder / "cat" / "b.png"
    )
    save_pages([Page(values((60, 30), "float32", 2))], folder / "dog" / "c.tif")
    save_pages(
        [Page(values((60, 30), "uint16", 3) // 2, Levels(9, 40000))], folder / "dog" / "d.tif"
    )
    return folder


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_patches_are_files_in_the_depth_of_their_pictures(narrows, large, tmp_path):
    found = narrows("patches", large, "-o", tmp_path / "out", *OPTIONS, "--json")
    assert found.code == 0, found.err
    assert found.json()["patches"] == 8
    rows = rows_of(tmp_path / "out" / "patches.csv")
    assert len(rows) == 8
    assert {row["picture"] for row in rows} == {"cat/a.png", "cat/b.png", "dog/c.tif", "dog/d.tif"}
    for row in rows:
        y, x = int(row["y"]), int(row["x"])
        picture = first_page(large / row["picture"])
        patch = first_page(tmp_path / "out" / row["file"])
        assert np.array_equal(patch.pixels, picture.pixels[y : y + 16, x : x + 12])
        assert patch.pixels.dtype == picture.pixels.dtype
        assert patch.levels == picture.levels
        stem = row["picture"].rpartition(".")[0]
        assert row["file"].startswith(f"{stem}_y{y:04d}_x{x:04d}.")


def test_patches_keep_their_classes(narrows, large, tmp_path):
    narrows("patches", large, "-o", tmp_path / "out", *OPTIONS)
    images = read_data(tmp_path / "out", "all", grey=True)
    assert images.classes == ("cat", "dog")
    assert "label" not in rows_of(tmp_path / "out" / "patches.csv")[0]


def test_patches_have_the_classes_of_a_list(narrows, large, tmp_path):
    labels = tmp_path / "mine.csv"
    labels.write_text("file,label\ncat/a.png,x\ncat/b.png,y\ndog/c.tif,x\ndog/d.tif,z\n")
    narrows("patches", large, "-o", tmp_path / "out", *OPTIONS, "--labels", labels)
    listed = {row["file"]: row["label"] for row in rows_of(tmp_path / "out" / "patches.csv")}
    assert {name[:5]: kind for name, kind in listed.items()} == {
        "cat/a": "x",
        "cat/b": "y",
        "dog/c": "x",
        "dog/d": "z",
    }


def test_patches_as_an_array_have_their_list_next_to_it(narrows, large, tmp_path):
    assert narrows("patches", large / "cat", "-o", tmp_path / "p.npy", *OPTIONS).code == 0
    array = np.load(tmp_path / "p.npy")
    rows = rows_of(tmp_path / "p.csv")
    assert array.shape == (8, 16, 12, 3)
    assert len(rows) == 8
    images = read_data(large / "cat", "all", size=[16, 12], patches=8)
    assert np.array_equal(array, images.images)
    assert [row["file"] for row in rows] == list(images.names)


@pytest.mark.parametrize("listed", [False, True])
def test_patches_as_a_pack_are_those_of_a_folder(narrows, large, tmp_path, listed):
    if listed:
        (large / "labels.csv").write_text(
            "file,label\ncat/a.png,x\ncat/b.png,y\ndog/c.tif,x\ndog/d.tif,z\n"
        )
    options = (*OPTIONS, *(("--labels", large / "labels.csv") if listed else ()))
    for output in ("out", "out.tar"):
        assert narrows("patches", large, "-o", tmp_path / output, *options).code == 0
    rows = rows_of(tmp_path / "out.csv")
    assert rows == rows_of(tmp_path / "out" / "patches.csv")
    packed = read_data(tmp_path / "out.tar", "all", grey=True)
    folder = read_data(tmp_path / "out", "all", grey=True)
    place = {name: k for k, name in enumerate(folder.names)}
    order = [place[name] for name in packed.names]
    assert [row["file"] for row in rows] == list(packed.names)
    assert np.array_equal(packed.images, folder.images[order])
    kinds = [packed.classes[label] for label in packed.labels]
    assert kinds == [row["label"] if listed else row["file"][:3] for row in rows]
    assert narrows("verify", tmp_path / "out.tar").code == 0


def test_patches_of_a_divided_folder_are_a_divided_pack(narrows, large, tmp_path):
    (tmp_path / "in").mkdir()
    for part, kind in (("train", "cat"), ("test", "dog")):
        (large / kind).rename(tmp_path / "in" / part)
    assert narrows("patches", tmp_path / "in", "-o", tmp_path / "out.tar", *OPTIONS).code == 0
    for part in ("train", "test"):
        names = read_data(tmp_path / "out.tar", part, grey=True).names
        assert {name.partition("/")[0] for name in names} == {part}


def test_a_pack_of_patches_replaces_nothing_and_leaves_nothing_where_none_can_be_cut(
    narrows, large, tmp_path
):
    (tmp_path / "out.index").write_text("mine")
    assert narrows("patches", large, "-o", tmp_path / "out.tar", *OPTIONS).code == 1
    assert (tmp_path / "out.index").read_text() == "mine"
    found = narrows("patches", large, "-o", tmp_path / "new.tar", "--size", 100)
    assert found.code == 1
    assert "no patch of 100 x 100" in found.err
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("new")] == []


def test_patches_are_not_written_over_without_force(narrows, large, tmp_path):
    out = tmp_path / "out"
    narrows("patches", large, "-o", out, *OPTIONS)
    before = {path.name for path in out.rglob("*_y*")}
    (out / "mine.txt").write_text("mine")
    assert narrows("patches", large, "-o", out, *OPTIONS, "--seed", 1).code == 1
    assert {path.name for path in out.rglob("*_y*")} == before
    assert narrows("patches", large, "-o", out, *OPTIONS, "--seed", 1, "--force").code == 0
    listed = {row["file"].rpartition("/")[2] for row in rows_of(out / "patches.csv")}
    assert {path.name for path in out.rglob("*_y*")} == listed != before
    assert (out / "mine.txt").read_text() == "mine"


def test_skipped_pictures_are_named_and_listed(narrows, large, tmp_path):
    save_pages([Page(values((9, 9), "uint8", 3))], large / "dog" / "small.png")
    skipped = tmp_path / "skipped.csv"
    found = narrows("patches", large, "-o", tmp_path / "out", *OPTIONS, "--skipped", skipped)
    assert found.code == 0
    assert "skipped dog/small.png: it has 9 x 9 pixels, fewer than a patch of 16 x 12" in found.err
    assert [row["file"] for row in rows_of(skipped)] == ["dog/small.png"]
    strict = narrows("patches", large, "-o", tmp_path / "strict", *OPTIONS, "--strict")
    assert strict.code == 1
    assert "small.png" in strict.err


def test_if_all_pictures_are_too_small_that_is_an_error(narrows, large, tmp_path):
    found = narrows("patches", large, "-o", tmp_path / "out", "--size", 100)
    assert found.code == 1
    assert "no patch of 100 x 100" in found.err
    assert not (tmp_path / "out" / "patches.csv").exists()


@pytest.mark.parametrize(
    "wrong", [("-n", 0), ("--distance", 0), ("--seed", -1), ("-o", "x.doc"), ("--size", 1, 2, 3)]
)
def test_wrong_use_is_refused_before_any_work(narrows, large, tmp_path, wrong, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = narrows("patches", large, "-o", "out", *wrong)
    assert found.code in (1, 2)
    assert not (tmp_path / "out").exists()


def test_train_cuts_patches_of_pictures_of_several_sizes(narrows, large, tmp_path, quick, record):
    out = ("-o", tmp_path / "run", *quick, "--seed", 7)
    found = narrows(
        "train", "ae-mlp", "--data", large, "--grey", "--size", 8, "--patches", 30, *out
    )
    assert found.code == 0, found.err
    assert "Patches of 8 x 8 pixels were cut from 4 pictures (30 at most, seed 7)" in found.err
    data = record(tmp_path / "run")["origin"]["data"]
    assert data["patches"] == {"count": 30, "seed": 7}
    assert nw.load(tmp_path / "run").image_shape_ == (8, 8)


def test_patches_without_a_number_are_10_000_of_64(narrows, tmp_path, quick, record):
    for k in range(2):
        save_pages([Page(values((70, 70), "uint8", k))], tmp_path / "in" / f"{k}.png")
    out = ("-o", tmp_path / "run", *quick)
    assert narrows("train", "ae-mlp", "--data", tmp_path / "in", "--patches", *out).code == 0
    assert record(tmp_path / "run")["origin"]["data"]["size"] == 64
    assert nw.load(tmp_path / "run").image_shape_ == (64, 64)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--patches", 5, "--fit", "pad"), "not scaled"),
        (("--patches", 0), "from 1"),
        (("--patches", 5, 6), "one number"),
    ],
)
def test_patches_that_cannot_be_are_refused(narrows, large, tmp_path, options, words):
    options = [str(option).format(large) for option in options]
    found = narrows("train", "ae-mlp", "--data", large, "-o", tmp_path / "run", *options)
    assert found.code == 2
    assert words in found.err


def test_shrinking_large_pictures_suggests_patches(narrows, large, tmp_path, quick):
    def notes_of(name, *options):
        given = ("--data", large, "--grey", "-o", tmp_path / name, *options, *quick)
        found = narrows("train", "ae-mlp", *given)
        assert found.code == 0, found.err
        return [line for line in found.err.splitlines() if "--patches" in line]

    (note,) = notes_of("shrunk", "--size", "12")
    assert "shrunk about 3.3 times, to 12 x 12" in note
    assert notes_of("little", "--size", "28") == []
    assert notes_of("cut", "--size", "12", "--patches", "20") == []
