"""Names, specs and paths: each finds its reader, and what is nothing is told."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from narrows import data
from narrows.data import ImageSet, load_data, read_data
from narrows.data.load import has_split
from narrows.data.packs.pack import pack
from narrows.errors import BuildError, DataError, NarrowsError, UnknownName
from small_files import write_idx, write_picture


def test_load_data_is_the_face_of_read():
    X, y = load_data("digits", split="test")
    found = read_data("digits", "test")
    assert np.array_equal(X, found.images)
    assert np.array_equal(y, found.labels)
    assert len(load_data("digits")[0]) == 1437


def test_a_path_may_be_text_a_path_or_a_spec(tmp_path):
    write_picture(tmp_path / "a.png")
    specs = [str(tmp_path), tmp_path, {"kind": str(tmp_path)}, {"kind": tmp_path, "size": [6, 4]}]
    assert {read_data(spec).fingerprint for spec in specs} == {
        read_data(tmp_path / "a.png").fingerprint
    }


def test_options_given_go_before_those_of_the_spec(tmp_path):
    write_picture(tmp_path / "a.png")
    assert read_data({"kind": tmp_path, "size": [3, 3]}, size=2).images.shape == (1, 2, 2)


def test_a_name_wins_over_a_folder_and_a_dot_over_the_name(tmp_path, monkeypatch):
    write_picture(tmp_path / "digits/a.png")
    monkeypatch.chdir(tmp_path)
    assert len(read_data("digits", "test")) == 360
    assert len(read_data("./digits")) == len(read_data(Path("digits"))) == 1


def test_the_home_folder_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_picture(tmp_path / "a.png")
    assert len(read_data("~/a.png")) == 1


def test_a_function_of_ones_own():
    def mine(split: str, count: int = 2) -> ImageSet:
        return ImageSet(np.full((count, 2, 2), split == "test"), source=split)

    assert read_data(mine, "test").images.all()
    assert len(read_data({"kind": mine, "count": 3}, "all")) == 6
    assert read_data(mine, "all").source == "train; test"


@pytest.mark.parametrize("kind", ["mnits", "no/such/folder", "no.npy"])
def test_what_is_nothing_is_reported_with_the_names_that_are_known(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        (DataError, UnknownName), match=f"no file or folder {kind}|no.*{kind}"
    ) as caught:
        read_data(kind)
    assert "known: coloured-mnist, digits, fashion-mnist, mnist" in str(caught.value)


def test_an_unknown_name_says_that_a_path_was_looked_for():
    with pytest.raises(UnknownName) as caught:
        read_data("mnits")
    assert str(caught.value) == (
        "there is no data set called 'mnits'; did you mean 'mnist'? "
        "known: coloured-mnist, digits, fashion-mnist, mnist, spiral; nor is there a file or "
        "folder mnits here"
    )


def test_an_unknown_format_is_reported(tmp_path):
    (tmp_path / "a.dat").write_text("1,2")
    with pytest.raises(
        DataError, match=r"a.dat has no format.* begins with 31 2c 32 \('1,2'\); known:"
    ):
        read_data(tmp_path / "a.dat")


def test_an_unknown_split_is_reported():
    with pytest.raises(
        UnknownName,
        match=r"no split called 'tset'; did you mean 'test'\? known: all, test, train, val",
    ):
        read_data("digits", "tset")


@pytest.mark.parametrize(
    ("what", "got"), [(3, "a int"), ({"name": "x"}, "{'name': 'x'}"), (None, "a NoneType")]
)
def test_what_is_no_name_is_reported(what, got):
    with pytest.raises(DataError, match=f"data: got {got}, expected a path, the name of a set"):
        read_data(what)


def test_the_public_face_is_there_and_light():
    assert all(hasattr(data, name) for name in data.__all__)
    heavy = "{'torch', 'sklearn', 'pooch', 'requests'}"
    code = f"import sys, narrows.data; sys.exit(len({heavy} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def kinds(tmp_path):
    """Data of every kind -> whether it has a test part."""
    X = np.zeros((5, 6, 4), np.uint8)
    np.save(tmp_path / "x.npy", X)
    write_idx(tmp_path / "t10k-images-idx3-ubyte", X)
    np.savez(tmp_path / "one.npz", x=X, x_test=X)
    np.savez(tmp_path / "train.npz", x_train=X)
    np.savez(tmp_path / "both.npz", x_train=X, x_test=X)
    for name in ("plain/1", "plain/test/1", "split/train/1", "split/test/1"):
        write_picture(tmp_path / f"{name}.png")
    for name in ("plain", "split"):
        pack(tmp_path / name, tmp_path / f"{name}.tar")
    answers = {
        "x.npy": False, "t10k-images-idx3-ubyte": False,
        "one.npz": False, "train.npz": False, "both.npz": True,
        "plain": False, "plain/1.png": False, "split": True,
        "plain.tar": False, "split.tar": True, "split.index": True,
    }  # fmt: skip
    return {tmp_path / name: answer for name, answer in answers.items()}


def test_has_split_says_of_every_kind_of_data_whether_it_has_a_test_part(kinds):
    for path, answer in kinds.items():
        assert has_split(path, "test") == has_split({"kind": str(path)}, "test") == answer, path
        if answer:
            assert len(read_data(path, "test")) < len(read_data(path, "all"))
            assert has_split(path, "train")
        else:
            with pytest.raises(DataError, match="no test split"):
                read_data(path, "test")


def test_has_split_of_named_sets_functions_and_pairs(kinds, tmp_path):
    assert has_split("digits", "test")
    assert has_split({"kind": "digits"}, "train")
    assert has_split(lambda split: ImageSet(np.zeros((1, 2, 2))), "test")
    for path, answer in kinds.items():
        assert has_split({"kind": tmp_path / "split", "noisy": path}, "test") == answer
        assert has_split({"kind": path, "noisy": tmp_path / "split"}, "test") == answer


def test_has_split_raises_what_reading_raises(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"broken")
    for path in (tmp_path / "x.npz", tmp_path / "nowhere", tmp_path / "x.csv"):
        with pytest.raises(DataError):
            has_split(path, "test")
    with pytest.raises(UnknownName, match="no split called 'tset'; did you mean 'test'"):
        has_split("digits", "tset")


def test_options_stand_behind_a_path(tmp_path):
    """`path::name=value`, after `path::array`: several, and integers with an x between them."""
    values = np.arange(5 * 12, dtype=np.uint8).reshape(5, 12)
    np.savetxt(tmp_path / "a.csv", values, "%d", ",")
    images = load_data(f"{tmp_path / 'a.csv'}::shape=3x4")[0]
    np.testing.assert_array_equal(images, values.reshape(5, 3, 4))
    savemat(tmp_path / "a.mat", {"b": values.reshape(5, 3, 4), "c": np.zeros((90, 90))})
    images = load_data(f"{tmp_path / 'a.mat'}::b::axis=1")[0]
    np.testing.assert_array_equal(images, values.reshape(5, 3, 4).transpose(1, 0, 2))
    with pytest.raises(BuildError, match="axis: got 9, expected one of 0 to 2"):
        load_data(f"{tmp_path / 'a.mat'}::b::axis=9")
    with pytest.raises(BuildError, match=r"axis: got 1, expected the one in .* give one of them"):
        load_data(f"{tmp_path / 'a.mat'}::b::axis=0", axis=1)
    with pytest.raises(NarrowsError, match="axes"):
        load_data(f"{tmp_path / 'a.mat'}::axes=0")


@pytest.mark.parametrize("ending", ["pkl", "pt"])
def test_rows_of_pickles_and_tensors_have_the_shape_that_is_given(tmp_path, ending):
    values = np.arange(5 * 12, dtype=np.uint8).reshape(5, 12)
    if ending == "pkl":
        (tmp_path / "a.pkl").write_bytes(pickle.dumps({"images": values}))
    else:
        torch.save(torch.tensor(values), tmp_path / "a.pt")
    images = load_data(tmp_path / f"a.{ending}", shape=(3, 4))[0]
    np.testing.assert_array_equal(images, values.reshape(5, 3, 4))
