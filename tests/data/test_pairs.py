"""Pairs are matched by name or by place; what has no counterpart is told, what is no pair is refused."""

import numpy as np
import pytest
from PIL import Image

from narrows.data import fingerprint
from narrows.data import scratch as scratch_module
from narrows.data.pairs import read_pairs, size_in_file
from narrows.errors import BuildError, DataError


def pictures(folder, names, size=(6, 5), mode="L", add=0):
    """A picture for each name, whose values say which name it has."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        value = sum(map(ord, path.stem)) % 100 + add
        Image.new(mode, size, value if mode == "L" else (value, 0, 255)).save(path)
    return str(folder)


@pytest.fixture
def folders(tmp_path):
    clean = pictures(tmp_path / "clean", ["cat/a.png", "cat/b.png", "dog/c.png", "dog/e.png"])
    noisy = pictures(
        tmp_path / "noisy", ["cat/b.bmp", "cat/a.bmp", "dog/d.png", "dog/e.tif"], add=100
    )
    return {"kind": clean, "noisy": noisy}


def test_files_are_matched_by_their_names_without_endings(folders):
    found = read_pairs(folders, "all")
    assert found.names == ("cat/a.png", "cat/b.png", "dog/e.png")
    assert found.labels is not None
    assert found.labels.tolist() == [0, 0, 1]
    assert found.noisy is not None
    np.testing.assert_array_equal(found.noisy, found.images + 100)
    assert f"the folder {folders['kind']}, with the folder {folders['noisy']}" == found.source


def test_names_match_in_any_unicode_normal_form(tmp_path):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    clean = pictures(tmp_path / "clean", [f"{composed}/1.png", "x.png"])
    noisy = pictures(tmp_path / "noisy", [f"{decomposed}/1.png", "x.png"], add=100)
    found = read_pairs({"kind": clean, "noisy": noisy}, "all")
    assert (found.names, found.skipped) == ((f"{composed}/1.png", "x.png"), ())


def test_two_names_that_differ_in_their_normal_form_alone_are_two(tmp_path):
    both = ["caf\u00e9.png", "cafe\u0301.png"]
    sides = [pictures(tmp_path / side, both) for side in ("clean", "noisy")]
    found = read_pairs({"kind": sides[0], "noisy": sides[1]}, "all")
    assert found.names is not None
    assert sorted(found.names) == sorted(both)


def test_what_has_no_counterpart_is_reported(folders):
    skipped = dict(read_pairs(folders, "all").skipped)
    assert skipped["dog/c.png"].endswith(
        "clean it has no noisy counterpart: a pair is two files of one name"
    )
    assert skipped["dog/d.png"].endswith(
        "noisy it has no clean counterpart: a pair is two files of one name"
    )
    assert len(skipped) == 2


def test_a_file_that_cannot_be_read_takes_its_counterpart_along(folders, tmp_path):
    (tmp_path / "noisy" / "cat" / "a.bmp").write_bytes(b"broken")
    found = read_pairs(folders, "all")
    assert found.names == ("cat/b.png", "dog/e.png")
    assert {"cat/a.bmp", "cat/a.png"} <= {name for name, _ in found.skipped}


def test_a_large_set_that_loses_some_is_on_the_disk(folders, monkeypatch):
    monkeypatch.setattr(scratch_module, "MOST_IN_MEMORY", 10)
    found = read_pairs(folders, "all")
    assert isinstance(found.images, np.memmap)
    assert isinstance(found.noisy, np.memmap)
    np.testing.assert_array_equal(found.noisy, found.images + 100)


def test_options_hold_for_both_and_one_in_colour_makes_both_so(tmp_path):
    clean = pictures(tmp_path / "clean", ["a.png", "b.png"], (6, 5))
    noisy = pictures(tmp_path / "noisy", ["a.png", "b.png"], (6, 5), "RGB")
    both = {"kind": clean, "noisy": noisy}
    found = read_pairs(both, "all")
    assert found.noisy is not None
    assert found.images.shape == found.noisy.shape == (2, 5, 6, 3)
    found = read_pairs({**both, "size": [4, 3], "grey": True}, "all")
    assert found.noisy is not None
    assert found.images.shape == found.noisy.shape == (2, 4, 3)


def test_splits_and_places(tmp_path):
    for part in ("train", "test"):
        pictures(tmp_path / "clean", [f"{part}/a.png"])
        pictures(tmp_path / "noisy", [f"{part}/a.png"], add=50)
    found = read_pairs({"kind": str(tmp_path / "clean"), "noisy": str(tmp_path / "noisy")}, "test")
    assert found.names == ("test/a.png",)
    X = np.arange(5 * 4 * 4, dtype=np.uint8).reshape(5, 4, 4)
    np.save(tmp_path / "x.npy", X)
    np.savez(tmp_path / "y.npz", images=255 - X)
    arrays = read_pairs({"kind": str(tmp_path / "x.npy"), "noisy": str(tmp_path / "y.npz")}, "all")
    assert arrays.noisy is not None
    np.testing.assert_array_equal(arrays.images, 255 - arrays.noisy)
    assert arrays.fingerprint != fingerprint(arrays.images)
    assert read_pairs(str(tmp_path / "x.npy"), "all").fingerprint == fingerprint(X)


def test_what_is_no_pair_is_refused(tmp_path, folders):
    def refused(words, **changes):
        with pytest.raises((DataError, BuildError), match=words):
            read_pairs({**folders, **changes}, "all")

    np.save(tmp_path / "x.npy", np.zeros((3, 5, 6), np.uint8))
    np.save(tmp_path / "y.npy", np.zeros((4, 5, 6), np.uint8))
    names = {name: pictures(tmp_path / name, [f"{name}.png"], (3, 3)) for name in ("one", "two")}
    refused(
        "no file of one has the name of one of the other; the first ones are one and two",
        kind=names["one"],
        noisy=names["two"],
    )
    refused("files are matched by name, arrays by place", noisy=str(tmp_path / "x.npy"))
    refused("they are 3 and 4 images", kind=str(tmp_path / "x.npy"), noisy=str(tmp_path / "y.npy"))
    refused("there is no file or folder", noisy=str(tmp_path / "nowhere.npy"))
    small = pictures(tmp_path / "small", ["cat/a.png", "cat/b.png"], (3, 3))
    refused(r"need one shape, these are \(5, 6\) and \(3, 3\)", noisy=small)
    refused("need one size; others have cat/a.png, cat/b.png", noisy=small, size=4)
    pictures(tmp_path / "noisy", ["cat/a.gif"])
    refused("several files are called cat/a, with other endings")


def test_the_size_of_a_picture_is_that_of_the_upright_one(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("L", (6, 5)).save(tmp_path / "a.jpg", exif=turned)
    Image.new("L", (6, 5)).save(tmp_path / "b.jpg")
    assert (size_in_file(tmp_path / "a.jpg"), size_in_file(tmp_path / "b.jpg")) == ((5, 6), (6, 5))
