"""NumPy's files: mapped, searched by key, never unpickled."""

import numpy as np
import pytest

from narrows.data import read_data
from narrows.errors import DataError


def test_npy_is_a_memory_map(tmp_path, images):
    np.save(tmp_path / "a.npy", images)
    found = read_data(tmp_path / "a.npy", "all")
    assert isinstance(found.images, np.memmap)
    assert np.array_equal(found.images, images)
    assert not found.images.flags.writeable
    assert found.labels is None


@pytest.mark.parametrize("key", ["images", "X", "x", "data", "x_train", "train_images"])
@pytest.mark.parametrize("label", ["y", "labels", "targets"])
def test_npz_is_searched_for_known_keys(tmp_path, images, key, label):
    label = {"x_train": "y_train", "train_images": "train_labels"}.get(key, label)
    np.savez_compressed(
        tmp_path / "a.npz", **{key: images, label: np.arange(5, dtype=np.uint8), "more": [1]}
    )
    found = read_data(tmp_path / "a.npz")
    assert np.array_equal(found.images, images)
    assert (found.labels.dtype, found.labels.tolist()) == (np.int64, [0, 1, 2, 3, 4])


def test_npz_without_names_or_labels(tmp_path, images):
    np.savez(tmp_path / "a.npz", images)
    assert read_data(tmp_path / "a.npz").labels is None


def test_npz_with_splits(tmp_path, images):
    arrays = {
        "x_train": images,
        "y_train": np.arange(5),
        "x_test": images[:2],
        "y_test": np.array([[7], [8]]),
    }
    np.savez(tmp_path / "a.npz", **arrays)
    assert [len(read_data(tmp_path / "a.npz", split)) for split in ("train", "test", "all")] == [
        5,
        2,
        7,
    ]
    assert read_data(tmp_path / "a.npz", "all").labels.tolist() == [0, 1, 2, 3, 4, 7, 8]


def test_npz_words_are_classes(tmp_path, images):
    np.savez(tmp_path / "a.npz", x=images, y=np.array(list("babab")))
    found = read_data(tmp_path / "a.npz")
    assert (found.labels.tolist(), found.classes) == ([1, 0, 1, 0, 1], ("a", "b"))


def test_missing_keys_and_splits_are_reported(tmp_path, images):
    np.savez(tmp_path / "a.npz", pictures=images)
    with pytest.raises(
        DataError,
        match=r"a.npz holds no images under a known key: it has pictures; known: images, X",
    ):
        read_data(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", x_train=images)
    with pytest.raises(
        DataError, match=r"b.npz has no test split: it has x_train; read it with split='all'"
    ):
        read_data(tmp_path / "b.npz", "test")
    np.savez(tmp_path / "c.npz", x=images)
    with pytest.raises(DataError, match=r"c.npz has no test split, it is one set"):
        read_data(tmp_path / "c.npz", "test")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
@pytest.mark.parametrize(
    "change", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"not numpy at all"]
)
def test_damage_is_reported(tmp_path, images, name, change):
    path = tmp_path / name
    np.save(path, images) if name == "a.npy" else np.savez(path, x=images)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(
        DataError, match=f"{name} cannot be read as NumPy arrays .*; write it again with np.save"
    ):
        read_data(path)


def test_pickles_are_never_opened(tmp_path):
    evil = np.array([print, "x"], dtype=object)
    np.save(tmp_path / "a.npy", evil, allow_pickle=True)
    np.savez(tmp_path / "a.npz", x=evil, allow_pickle=True)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(DataError, match="it holds pickled objects, or no array"):
            read_data(tmp_path / name)


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.array(["a", "b"]), "values of type <U1; expected numbers"),
        (
            np.zeros(4),
            r"shape \(4,\); expected at least one image as \(N, D\), \(N, H, W\) or \(N, H, W, C\)",
        ),
        (np.zeros((0, 4, 4)), r"shape \(0, 4, 4\)"),
        (np.zeros((1, 1, 1, 1, 1)), "expected at least one image"),
    ],
)
def test_arrays_that_are_no_images(tmp_path, array, told):
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "b.npz", x=array)
    for name in ("a.npy", "b.npz"):
        with pytest.raises(DataError, match=f"{name} holds.*{told}"):
            read_data(tmp_path / name)


def test_one_kind_under_the_name_of_the_other_is_read(tmp_path, images):
    np.savez(tmp_path / "a.npz", x=images)
    (tmp_path / "a.npz").rename(tmp_path / "b.npy")
    np.save(tmp_path / "a.npy", images)
    (tmp_path / "a.npy").rename(tmp_path / "c.npz")
    for name in ("b.npy", "c.npz"):
        assert np.array_equal(read_data(tmp_path / name).images, images)
