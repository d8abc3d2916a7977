"""Tables of text: Kaggle's and others', read exactly, whatever their columns and numbers are."""

import gzip

import numpy as np
import pytest

from narrows.data import read_data
from narrows.data.readers import csv_numbers
from narrows.errors import BuildError, DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 8, 8), dtype=np.uint8)
IMAGES[:, 0, 0] = IMAGES[:, -1, -1] = 0
LABELS = np.arange(30) % 10


def write_csv(path, values, names=None, separator=",", ending="\n"):
    lines = [separator.join(map(str, row)) for row in np.asarray(values).tolist()]
    if names:
        lines.insert(0, separator.join(names))
    text = (ending.join(lines) + ending).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


PIXELS = [f"pixel{k}" for k in range(64)]
ROWS = IMAGES.reshape(30, 64)
FIRST = np.column_stack([LABELS, ROWS])
LAST = np.column_stack([ROWS, LABELS])


@pytest.mark.parametrize("piece", [150, 1 << 22])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\n\n"])
@pytest.mark.parametrize("name", ["a.csv", "a.dat", "a.csv.gz"])
def test_kaggles_csv_is_read_back_exactly(tmp_path, monkeypatch, piece, separator, ending, name):
    monkeypatch.setattr(csv_numbers, "PIECE", piece)
    found = read_data(write_csv(tmp_path / name, FIRST, ["label", *PIXELS], separator, ending))
    assert found.images.dtype == np.uint8
    assert np.array_equal(found.images, IMAGES)
    assert found.labels.tolist() == LABELS.tolist()
    assert found.notes == ()


@pytest.mark.parametrize(
    ("names", "values", "labelled"),
    [
        (["label", *PIXELS], FIRST, True),
        ([*PIXELS, "class"], LAST, True),
        (["digit", *PIXELS], FIRST, True),
        ([f"{i}x{j}" for i in range(8) for j in range(8)], ROWS, False),
        (PIXELS, ROWS, False),
        (None, FIRST, True),
        (None, LAST, True),
        (None, ROWS, False),
    ],
)
def test_the_label_is_found_by_name_or_as_the_column_left_over(tmp_path, names, values, labelled):
    found = read_data(write_csv(tmp_path / "a.csv", values, names))
    assert np.array_equal(found.images, IMAGES)
    assert (found.labels is not None) == labelled
    if labelled:
        assert found.labels.tolist() == LABELS.tolist()
    assert bool(found.notes) == (names is None and labelled)


def test_other_columns_are_left_out_with_a_note(tmp_path):
    values = np.column_stack([np.arange(30), LABELS, ROWS])
    found = read_data(write_csv(tmp_path / "a.csv", values, ["id", "label", *PIXELS]))
    assert np.array_equal(found.images, IMAGES)
    assert found.labels.tolist() == LABELS.tolist()
    assert "left out: id" in found.notes[0]


def test_words_are_classes(tmp_path):
    values = np.column_stack([np.array(["b", "a"] * 15, object), ROWS.astype(object)])
    for names in (["label", *PIXELS], None):
        found = read_data(write_csv(tmp_path / "a.csv", values, names))
        assert np.array_equal(found.images, IMAGES)
        assert (found.classes, found.labels[:3].tolist()) == (("a", "b"), [1, 0, 1])


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (ROWS, "uint8"),
        (ROWS.astype(int) * 257, "uint16"),
        (ROWS / np.float32(255), "float32"),
        (ROWS.astype(int) - 100, "float32"),
        (ROWS.astype(float), "uint8"),
        (ROWS.astype(int) * (1 << 30), "float64"),
    ],
)
@pytest.mark.parametrize("piece", [150, 1 << 22])
def test_numbers_are_kept_in_the_least_type_that_holds_them(
    tmp_path, monkeypatch, values, dtype, piece
):
    monkeypatch.setattr(csv_numbers, "PIECE", piece)
    found = read_data(write_csv(tmp_path / "a.csv", values, PIXELS))
    assert found.images.dtype == dtype
    assert np.array_equal(found.images.reshape(30, 64), values)


def test_images_need_not_be_square_if_their_shape_is_given(tmp_path):
    path = write_csv(tmp_path / "a.csv", FIRST[:, :61], ["label", *PIXELS[:60]])
    assert read_data(path, shape=(10, 6)).images.shape == (30, 10, 6)
    assert read_data(path, shape=[5, 4, 3]).images.shape == (30, 5, 4, 3)
    found = read_data(path)
    assert (found.images.shape, len(found.notes)) == ((30, 60), 1)
    assert "--shape" in found.notes[0]
    with pytest.raises(BuildError, match=r"shape: got \(7, 7\), expected the 60 values of a row"):
        read_data(path, shape=(7, 7))


def test_a_table_of_features_stays_a_table(tmp_path):
    names = ["length", "width", "height", "depth", "class"]
    found = read_data(write_csv(tmp_path / "a.csv", FIRST[:, :5], names))
    assert (found.images.shape, found.labels is None, found.notes) == ((30, 4), False, ())


@pytest.mark.parametrize(
    "lines", [["1,2,3,4", "1,2,3"], ["1,2,3,4.5", "1,2,3"], ["1,2,3,4", "1,,3,4"]]
)
def test_ragged_and_empty_cells_are_refused_with_their_place(tmp_path, lines):
    (tmp_path / "a.csv").write_text("\n".join(["a1,a2,a3,a4", *lines]))
    with pytest.raises(DataError, match=r"a.csv cannot be read as a table .*line 3"):
        read_data(tmp_path / "a.csv")


@pytest.mark.parametrize("text", ["", "label,pixel0,pixel1,pixel2\n", "a\n", "\xff\n1,2,3,4"])
def test_what_is_no_table_is_refused(tmp_path, text):
    (tmp_path / "a.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"a\.csv "):
        read_data(tmp_path / "a.csv")


def test_a_list_of_files_and_labels_is_not_taken_for_images(tmp_path):
    (tmp_path / "labels.dat").write_text("file,label\na.png,cat\nb.png,dog\n")
    with pytest.raises(DataError, match="no format that can be read"):
        read_data(tmp_path / "labels.dat")
    (tmp_path / "labels.dat").rename(tmp_path / "labels.csv")
    with pytest.raises(DataError, match="none of its columns are numbers"):
        read_data(tmp_path / "labels.csv")
