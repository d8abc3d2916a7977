"""IDX: what is written is read, and what is wrong is said."""

import gzip

import numpy as np
import pytest

from narrows.data import has_split, read_data
from narrows.errors import BuildError, DataError
from small_files import CODES, idx_bytes, write_idx


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("name", ["a-idx3-ubyte", "a.idx", "a.idx.gz", "a.idx3-ubyte.gz"])
def test_every_type_and_name_is_read_back(tmp_path, images, code, name):
    array = (images // 2).astype(code)
    found = read_data(write_idx(tmp_path / name, array))
    assert found.images.dtype == np.dtype(code)
    assert np.array_equal(found.images, array)
    assert found.labels is None
    assert name in found.source


@pytest.mark.parametrize("shape", [(5, 12), (5, 4, 3), (5, 2, 2, 3)])
def test_tables_grey_and_colour(tmp_path, images, shape):
    assert read_data(write_idx(tmp_path / "a.idx", images.reshape(shape))).images.shape == shape


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_labels_are_found_next_to_images(tmp_path, images, ending):
    write_idx(tmp_path / f"t-labels-idx1-ubyte{ending}", np.uint8([3, 1, 4, 1, 5]))
    found = read_data(write_idx(tmp_path / "t-images-idx3-ubyte.gz", images))
    assert (found.labels.dtype, found.labels.tolist()) == (np.int64, [3, 1, 4, 1, 5])


def test_images_may_be_written_to(tmp_path, images):
    read_data(write_idx(tmp_path / "a.idx", images)).images[0] = 0


def test_a_gzipped_file_may_have_a_plain_name(tmp_path, images):
    (tmp_path / "a.idx").write_bytes(gzip.compress(idx_bytes(images)))
    assert np.array_equal(read_data(tmp_path / "a.idx").images, images)


def test_labels_of_another_length_are_refused(tmp_path, images):
    write_idx(tmp_path / "t-labels-idx1-ubyte", np.uint8([1, 2]))
    path = write_idx(tmp_path / "t-images-idx3-ubyte", images)
    with pytest.raises(
        DataError, match=r"t-labels-idx1-ubyte holds labels of shape \(2,\) for 5 images"
    ):
        read_data(path)


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        (
            "a.idx",
            lambda b: b[:-1],
            "a.idx is cut short: .* takes 76 bytes, and it holds 75; replace it",
        ),
        ("a.idx", lambda b: b[:9], "a.idx is cut short"),
        ("a.idx", lambda b: b + b"x", "a.idx is too long"),
        ("a.idx", lambda b: b"", "a.idx is not an IDX file: it begins with nothing"),
        ("a.idx", lambda b: b"PNG" + b, "a.idx is not an IDX file: it begins with 50 4e 47 00"),
        ("a.idx", lambda b: b"\0\0\7" + b[3:], "a.idx is not an IDX file"),
        (
            "a.idx.gz",
            lambda b: gzip.compress(b)[:-12],
            "a.idx.gz is cut short: .*replace it with a complete copy",
        ),
        ("a.idx.gz", lambda b: gzip.compress(b) + b"more", "a.idx.gz cannot be read .*replace it"),
        (
            "a.idx.gz",
            lambda b: gzip.compress(b)[:14] + b"\xff" * 30,
            "a.idx.gz cannot be read|is cut short",
        ),
    ],
)
def test_damage_is_reported(tmp_path, images, name, change, told):
    (tmp_path / name).write_bytes(change(idx_bytes(images)))
    with pytest.raises(DataError, match=told) as caught:
        read_data(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_gzip_bomb_is_refused_at_once(tmp_path, images):
    (tmp_path / "a.idx.gz").write_bytes(gzip.compress(idx_bytes(images) + bytes(1 << 27), 1))
    with pytest.raises(DataError, match=r"takes 76 bytes, and it holds 1\d{6};"):
        read_data(tmp_path / "a.idx.gz")


def test_labels_alone_are_no_images(tmp_path):
    path = write_idx(tmp_path / "t-labels-idx1-ubyte", np.uint8([1, 2]))
    with pytest.raises(DataError, match="these are labels; give the path of the images"):
        read_data(path)


def test_an_empty_set_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"shape \(0, 4, 3\); expected at least one image"):
        read_data(write_idx(tmp_path / "a.idx", np.zeros((0, 4, 3), np.uint8)))


def test_one_file_has_no_test_split_and_no_options(tmp_path, images):
    path = write_idx(tmp_path / "a.idx", images)
    with pytest.raises(
        DataError, match="has no test split, it is one set; read it with split='all'"
    ):
        read_data(path, "test")
    with pytest.raises(BuildError, match="it has no option 'size'"):
        read_data(path, size=(2, 2))


# -- QMNIST and EMNIST -------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_the_class_is_the_first_of_qmnists_eight_numbers(tmp_path, images, ending):
    numbers = np.arange(40, dtype="i4").reshape(5, 8)
    write_idx(tmp_path / f"qmnist-test-labels-idx2-int{ending}", numbers)
    found = read_data(write_idx(tmp_path / f"qmnist-test-images-idx3-ubyte{ending}", images))
    assert np.array_equal(found.images, images)
    assert found.labels.tolist() == [0, 8, 16, 24, 32]
    assert "the class" in found.notes[0]


def test_emnists_images_are_transposed_and_this_is_reported(tmp_path, images):
    write_idx(tmp_path / "emnist-letters-train-labels-idx1-ubyte", np.uint8([3, 1, 4, 1, 5]))
    path = write_idx(tmp_path / "emnist-letters-train-images-idx3-ubyte", images)
    found = read_data(path)
    assert np.array_equal(found.images, images.transpose(0, 2, 1))
    assert found.labels.tolist() == [3, 1, 4, 1, 5]
    assert "transposed" in found.notes[0]


@pytest.mark.parametrize("code", CODES)
def test_a_large_file_is_mapped_or_changed_on_the_disk(tmp_path, images, code, monkeypatch):
    for module in ("readers.reading", "scratch"):
        monkeypatch.setattr(f"narrows.data.{module}.MOST_IN_MEMORY", 0)
    array = (images // 2).astype(code)
    found = read_data(write_idx(tmp_path / "a.idx", array))
    assert isinstance(found.images, np.memmap)
    assert (found.images.dtype.name, found.images.dtype.isnative) == (np.dtype(code).name, True)
    assert np.array_equal(found.images, array)


@pytest.mark.parametrize("kind", ["Kaggle", "usual"])
def test_labels_are_found_as_kaggles_zip_names_them(tmp_path, images, kind):
    dot = {"Kaggle": ".", "usual": "-"}[kind]
    write_idx(tmp_path / f"train-labels{dot}idx1-ubyte", np.uint8([3, 1, 4, 1, 5]))
    found = read_data(write_idx(tmp_path / f"train-images{dot}idx3-ubyte", images))
    assert found.labels.tolist() == [3, 1, 4, 1, 5]


NAMES = [
    f"{part}-{what}-ubyte" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")
]


@pytest.mark.parametrize("layout", ["plain", "gzipped", "both", "dots", "nested"])
def test_a_folder_of_idx_files_is_a_set_under_any_name(tmp_path, layout):
    images = np.random.default_rng(0).integers(0, 256, (7, 5, 4), np.uint8)
    labels = np.arange(7, dtype=np.uint8)
    for name, array in zip(NAMES, (images[:4], labels[:4], images[4:], labels[4:])):
        file = {
            "plain": name, "both": name, "gzipped": f"{name}.gz", "dots": name.replace("-idx", ".idx"),
            "nested": f"{name}/{name}",
        }[layout]  # fmt: skip
        write_idx(tmp_path / "any" / file, array)
        if layout == "both":
            write_idx(tmp_path / "any" / f"{name}.gz", array)
    assert has_split(tmp_path / "any", "test")
    assert not has_split(tmp_path / "any", "val")
    for split, rows in (("train", slice(4)), ("test", slice(4, 7)), ("all", slice(7))):
        found = read_data(tmp_path / "any", split)
        np.testing.assert_array_equal(found.images, images[rows])
        np.testing.assert_array_equal(found.labels, labels[rows])
    with pytest.raises(DataError, match="has no val split, only train and test"):
        read_data(tmp_path / "any", "val")


def test_a_folder_of_idx_files_that_is_not_one_set_is_refused(tmp_path):
    write_idx(tmp_path / "a" / "a-labels-idx1-ubyte", np.arange(7, dtype=np.uint8))
    with pytest.raises(DataError, match="files of labels and none of images"):
        read_data(tmp_path / "a")
    for name in ("a-train-images-idx3", "b-train-images-idx3"):
        write_idx(tmp_path / "b" / name, np.zeros((2, 3, 4), np.uint8))
    with pytest.raises(DataError, match="several files of images to train with: a-train-images"):
        read_data(tmp_path / "b")
