"""Files of codes: what is written is read again."""

import re

import numpy as np
import pytest

from narrows.data.code_files import read_codes, write_codes
from narrows.errors import DataError, OutputError

CODES = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
NAMES = ("a/1.png", "a/2.png", "b/é.png")


@pytest.mark.parametrize(("ending", "names"), [(".npz", NAMES), (".npz", None), (".npy", None)])
def test_codes_and_names_come_back(tmp_path, ending, names):
    path = write_codes(CODES, tmp_path / f"x{ending}", names, np.arange(3))
    found, named = read_codes(path)
    np.testing.assert_array_equal(found, CODES)
    assert named == (None if names is None else list(names))


def test_labels_are_next_to_the_codes(tmp_path):
    with np.load(write_codes(CODES, tmp_path / "x.npz", NAMES, np.arange(3))) as found:
        assert found["labels"].tolist() == [0, 1, 2]


def test_parquet_has_a_column_a_unit(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    found = parquet.read_table(write_codes(CODES, tmp_path / "x.parquet", NAMES, np.arange(3)))
    assert found.column_names == ["name", "label", "z0", "z1"]
    np.testing.assert_array_equal(found["z1"].to_numpy(), CODES[:, 1])


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(OutputError, match=r"written as \.npz, \.npy, \.parquet, not as \.txt"):
        write_codes(CODES, tmp_path / "x.txt")
    write_codes(CODES, tmp_path / "x.npy")
    with pytest.raises(OutputError, match="--force"):
        write_codes(CODES, tmp_path / "x.npy")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.npz", b"none", "not an .npz or .npy file, or is damaged; `narrows encode` writes"),
        ("x.csv", b"1,2", "x.csv cannot be read as codes: it is not an .npz or .npy file"),
        ("x.npz", None, "there is no file of codes"),
    ],
)
def test_what_are_no_codes_is_refused_without_advice_to_unpickle(tmp_path, name, content, words):
    if content:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=re.escape(words)) as refusal:
        read_codes(tmp_path / name)
    assert "pickle" not in str(refusal.value)


def test_an_archive_without_codes_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", images=CODES)
    with pytest.raises(DataError, match="holds no 'codes'"):
        read_codes(tmp_path / "x.npz")
