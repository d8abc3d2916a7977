"""NumPy's files: mapped, searched by key, never unpickled."""

from io import BytesIO
from zipfile import ZipFile

import numpy as np
import pytest

import narrows as nw
from narrows.data import has_split, read_data
from narrows.errors import DataError, NarrowsError
from narrows.layout import LEVELS

SPLITS = ("train", "val", "test")


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
        DataError, match=f"{name} cannot be read as NumPy arrays: .*; write it again with np.save"
    ):
        read_data(path)


def test_pickles_are_never_opened(tmp_path):
    evil = np.array([print, "x"], dtype=object)
    np.save(tmp_path / "a.npy", evil, allow_pickle=True)
    np.savez(tmp_path / "a.npz", x=evil, allow_pickle=True)
    with pytest.raises(DataError, match="it holds pickled objects, or no array"):
        read_data(tmp_path / "a.npy")
    with pytest.raises(
        DataError, match=r"a.npz: 'x' holds Python objects, which are never unpickled"
    ):
        read_data(tmp_path / "a.npz")


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


# -- what the field puts into an .npz ----------------------------------------------------------------


def medmnist(labels, images):
    """The arrays of a file of MedMNIST: 3 images to train, 1 to validate, 1 to test."""
    parts = {"train": slice(0, 3), "val": slice(3, 4), "test": slice(4, 5)}
    return {
        f"{part}_{key}": array[rows]
        for part, rows in parts.items()
        for key, array in (("images", images), ("labels", labels))
    }


def test_medmnist_has_three_splits_and_all_of_them(tmp_path, images):
    np.savez_compressed(tmp_path / "m.npz", **medmnist(np.uint8([[3], [1], [4], [1], [5]]), images))
    sizes = {split: len(read_data(tmp_path / "m.npz", split)) for split in (*SPLITS, "all")}
    assert sizes == {"train": 3, "val": 1, "test": 1, "all": 5}
    found = read_data(tmp_path / "m.npz", "all")
    assert np.array_equal(found.images, images)
    assert found.labels.tolist() == [3, 1, 4, 1, 5]
    assert all(has_split(tmp_path / "m.npz", split) for split in SPLITS)
    assert found.notes == ()


@pytest.mark.parametrize("split", [*SPLITS, "all"])
def test_several_labels_an_image_are_left_out_with_a_note_that_names_the_key(
    tmp_path, images, split
):
    many = np.uint8([[0, 0, 1], [1, 1, 0], [0, 0, 0], [1, 0, 1], [1, 1, 1]])
    np.savez(tmp_path / "chest.npz", **medmnist(many, images))
    found = read_data(tmp_path / "chest.npz", split)
    assert found.labels is None
    for part in SPLITS if split == "all" else (split,):
        assert any(f"'{part}_labels'" in note and "left out" in note for note in found.notes)


def test_one_hot_labels_are_the_places_of_the_ones_with_a_note(tmp_path, images):
    np.savez(tmp_path / "a.npz", x=images, y=np.eye(10, dtype=np.float32)[[3, 1, 4, 1, 5]])
    found = read_data(tmp_path / "a.npz")
    assert (found.labels.dtype, found.labels.tolist()) == (np.int64, [3, 1, 4, 1, 5])
    (note,) = found.notes
    assert "'y'" in note
    assert "one-hot" in note


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["a", "b", "a", "b", "a"], object),
        np.float32([0.5, 1, 2, 3, 4]),
        np.full(5, np.nan),
    ],
)
def test_labels_that_are_none_are_left_out_and_never_unpickled(tmp_path, images, labels):
    np.savez(tmp_path / "words.npz", images=images, labels=labels)
    found = read_data(tmp_path / "words.npz")
    assert found.labels is None
    (note,) = found.notes
    assert "'labels'" in note


def test_labels_of_another_number_of_images_are_refused_by_name(tmp_path, images):
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(4))
    with pytest.raises(
        DataError, match=r"a.npz holds labels of shape \(4,\) for 5 images, under 'labels'"
    ):
        read_data(tmp_path / "a.npz")


def test_any_array_is_read_by_its_name(tmp_path, images):
    np.savez(tmp_path / "a.npz", imgs=images, other=images[:2], y=np.arange(5))
    found = read_data(tmp_path / "a.npz", array="imgs")
    assert np.array_equal(found.images, images)
    assert found.labels.tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(DataError, match="has no array 'img'; did you mean 'imgs'"):
        read_data(tmp_path / "a.npz", array="img")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("most", [0, 1 << 20])
def test_large_arrays_of_an_npz_are_mapped_or_unpacked_piece_by_piece(
    tmp_path, images, monkeypatch, order, save, most
):
    save(tmp_path / "a.npz", x=np.asarray(images, order=order), y=np.arange(5))
    monkeypatch.setattr("narrows.data.scratch.MOST_IN_MEMORY", most)
    monkeypatch.setattr("narrows.data.readers.npy_stream.MOST_IN_MEMORY", most)
    monkeypatch.setattr("narrows.data.readers.npy_stream.READ_AT_ONCE", 7)
    found = read_data(tmp_path / "a.npz")
    assert np.array_equal(found.images, images)
    assert isinstance(found.images, np.memmap) == (most == 0)


@pytest.mark.parametrize("shape", [(10**6, 10**6), (6, 4, 3)])
def test_sizes_in_the_header_of_an_array_are_compared_with_the_file(tmp_path, images, shape):
    np.savez(tmp_path / "a.npz", x=images)
    blob = BytesIO()
    np.lib.format.write_array_header_1_0(
        blob, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    with ZipFile(tmp_path / "a.npz", "w") as stored:
        stored.writestr("x.npy", blob.getvalue() + images.tobytes())
    with pytest.raises(DataError, match=r"a.npz cannot be read as NumPy arrays: its header says"):
        read_data(tmp_path / "a.npz")


KINDS = ("?", "u1", "i1", "<u2", ">u2", ">i2", "i4", "u8", "f2", "<f4", ">f4", ">f8", "g")


@pytest.mark.filterwarnings("ignore::narrows.errors.NarrowsWarning")  # of dark images
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_values_of_every_type_are_kept_or_refused_by_name(tmp_path, images, kind, name):
    """No type becomes another picture: a model sees the same values, or names the type."""
    array = (images > 30).astype(kind)
    np.save(tmp_path / name, array) if name == "a.npy" else np.savez(tmp_path / name, x=array)
    found = read_data(tmp_path / name).images
    assert np.array_equal(found, array)
    if found.dtype.name in LEVELS:
        expected = np.asarray(array, array.dtype.newbyteorder("="))
        given, native = (nw.PCA(n_components=1).fit(X).components_ for X in (found, expected))
        assert np.array_equal(given, native)
    else:
        with pytest.raises(NarrowsError, match=f"of type {found.dtype.name}; known: uint8"):
            nw.PCA(n_components=1).fit(found)


def test_objects_whose_pickle_is_shorter_than_their_pointers_are_left_out_too(tmp_path):
    words = np.array(["a", "b"] * 100, object)
    np.savez(tmp_path / "a.npz", images=np.zeros((200, 4, 3), np.uint8), labels=words)
    found = read_data(tmp_path / "a.npz")
    assert found.labels is None
    assert "'labels'" in found.notes[0]
