"""MATLAB's files: the field's sets in their own orders are read back exactly."""

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from narrows.data import read_data
from narrows.data.readers.formats import format_of
from narrows.data.readers.mat_variables import read_variable, variables_in
from narrows.errors import DataError

RANDOM = np.random.default_rng(0)


def drawn(*shape):
    return RANDOM.integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("compressed", [False, True])
def test_svhn_has_its_images_last_and_10_for_0(tmp_path, compressed):
    images = drawn(5, 32, 32, 3)
    arrays = {"X": images.transpose(1, 2, 3, 0), "y": np.uint8([[1], [10], [9], [2], [10]])}
    savemat(tmp_path / "train_32x32.mat", arrays, do_compression=compressed)
    found = read_data(tmp_path / "train_32x32.mat")
    assert np.array_equal(found.images, images)
    assert found.labels.tolist() == [1, 0, 9, 2, 0]
    assert "label 10" in found.notes[0]


def test_frey_faces_are_columns_of_28_x_20(tmp_path):
    images = drawn(7, 28, 20)
    savemat(tmp_path / "frey_rawface.mat", {"ff": images.reshape(7, 560).T})
    assert np.array_equal(read_data(tmp_path / "frey_rawface.mat").images, images)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "float64"])
@pytest.mark.parametrize("name", ["a.mat", "a.dat"])
def test_rows_are_images_and_keep_their_type(tmp_path, dtype, name):
    images = drawn(9, 16, 16).astype(dtype)
    labels = np.arange(9)[:, None] + 1
    savemat(tmp_path / name, {"fea": images.reshape(9, 256), "gnd": labels}, appendmat=False)
    assert format_of(tmp_path / name) == "mat"
    found = read_data(tmp_path / name)
    assert found.images.dtype == dtype
    assert np.array_equal(found.images, images)
    assert found.labels.tolist() == list(range(1, 10))


@pytest.mark.parametrize("count", [16, 300])
def test_labels_say_which_axis_counts_the_images(tmp_path, count):
    images = drawn(count, 4, 4)
    labels = np.arange(count)[None]
    for rows in (images.reshape(count, 16), images.reshape(count, 16).T):
        if rows.shape == (16, 16):
            rows = images.reshape(count, 16)
        savemat(tmp_path / "a.mat", {"data": rows, "labels": labels})
        found = read_data(tmp_path / "a.mat")
        assert np.array_equal(found.images, images)
        assert found.labels.tolist() == list(range(count))


def test_a_variable_and_a_shape_may_be_chosen(tmp_path):
    images = drawn(5, 6, 4)
    arrays = {"large": drawn(90, 90), "faces": images.reshape(5, 24).T, "name": "text"}
    savemat(tmp_path / "a.mat", arrays)
    found = read_data(tmp_path / "a.mat", array="faces", shape=(6, 4))
    assert np.array_equal(found.images, images)
    with pytest.raises(DataError, match="has no array 'face'; did you mean 'faces'"):
        read_data(tmp_path / "a.mat", array="face")


def test_what_could_be_rows_or_columns_is_said_and_decided_by_the_shape(tmp_path):
    images = drawn(4, 8, 8)
    savemat(tmp_path / "a.mat", {"faces": images.reshape(4, 64)})
    found = read_data(tmp_path / "a.mat")
    assert found.images.shape == (64, 2, 2)
    assert "read as 64" in found.notes[0]
    found = read_data(tmp_path / "a.mat", shape=(8, 8))
    assert np.array_equal(found.images, images)
    assert found.notes == ()


def test_stacks_have_their_images_last(tmp_path):
    images = drawn(5, 8, 9)
    savemat(tmp_path / "a.mat", {"stack": images.transpose(1, 2, 0)})
    assert np.array_equal(read_data(tmp_path / "a.mat").images, images)


@pytest.mark.parametrize("version", ["4", "5"])
def test_the_older_version_is_read_by_its_ending(tmp_path, version):
    images = drawn(10, 16, 16)
    savemat(tmp_path / "a.mat", {"fea": images.reshape(10, 256)}, format=version)
    assert np.array_equal(read_data(tmp_path / "a.mat").images, images)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_large_arrays_are_mapped_or_unpacked_piece_by_piece(
    tmp_path, monkeypatch, compressed, dtype
):
    for module in ("readers.reading", "scratch"):
        monkeypatch.setattr(f"narrows.data.{module}.MOST_IN_MEMORY", 0)
    monkeypatch.setattr("narrows.data.readers.mat_variables.PIECE", 7)
    images = drawn(5, 8, 9).astype(dtype)
    savemat(tmp_path / "a.mat", {"X": images.transpose(1, 2, 0)}, do_compression=compressed)
    found = read_data(tmp_path / "a.mat")
    assert isinstance(found.images, np.memmap)
    assert np.array_equal(found.images, images)


def test_all_numbers_that_scipy_writes_are_read_as_scipy_reads_them(tmp_path):
    kinds = [f"{sign}{bits}" for bits in "1248" for sign in "iu"] + ["f4", "f8"]
    arrays = {f"a_{kind}": drawn(3, 4, 5).astype(kind) for kind in kinds}
    more = {"text": "abc", "cell": np.array([1, "x"], object), "z": np.complex64([[1j]])}
    for compressed in (False, True):
        savemat(tmp_path / "a.mat", {**arrays, **more}, do_compression=compressed)
        variables = variables_in(tmp_path / "a.mat")
        assert set(variables) == set(arrays)
        for name, variable in variables.items():
            values = read_variable(tmp_path / "a.mat", variable)
            expected = loadmat(tmp_path / "a.mat")[name]
            assert values.dtype == expected.dtype
            assert np.array_equal(values, expected)


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0", b"MATLAB 7.3 MAT-file, Platform: GLNXA64"])
def test_what_is_no_matlab_file_is_refused(tmp_path, content):
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.mat "):
        read_data(tmp_path / "a.mat")


def test_damaged_matlab_files_are_read_or_refused(tmp_path):
    path = tmp_path / "a.mat"
    savemat(path, {"fea": drawn(9, 16), "gnd": np.arange(9)[:, None]})
    whole, refused = path.read_bytes(), 0
    for _ in range(300):
        blob = bytearray(whole)
        for place in RANDOM.integers(0, len(blob), 3):
            blob[place] = RANDOM.integers(256)
        path.write_bytes(blob[: RANDOM.integers(len(blob) // 2, len(blob) + 1)])
        try:
            read_data(path)
        except DataError:
            refused += 1
    assert refused > 100
