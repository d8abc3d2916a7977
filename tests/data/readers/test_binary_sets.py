"""CIFAR, STL-10 and smallNORB: small files of their forms are read back exactly."""

import gzip
import pickle

import numpy as np
import pytest

from narrows.data import has_split, read_data
from narrows.data.readers.formats import format_of
from narrows.errors import DataError
from small_files import norb_bytes

RANDOM = np.random.default_rng(0)


def drawn(*shape):
    return RANDOM.integers(0, 256, shape, dtype=np.uint8)


COLOUR = drawn(5, 32, 32, 3)
LABELS = np.uint8([3, 1, 4, 1, 5])
PLANES = COLOUR.transpose(0, 3, 1, 2).reshape(5, 3072)


def write_batch(path, images=COLOUR, labels=LABELS, coarse=False):
    """A binary batch of CIFAR-10, or of CIFAR-100."""
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), 3072)
    columns = [np.full_like(labels, 7), labels] if coarse else [labels]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.column_stack([*columns, planes]).astype(np.uint8).tofile(path)
    return path


@pytest.mark.parametrize("name", ["data_batch_1.bin", "renamed.dat"])
def test_cifar_10_binary(tmp_path, name):
    path = write_batch(tmp_path / name)
    assert format_of(path) == "cifar"
    found = read_data(path)
    assert np.array_equal(found.images, COLOUR)
    assert found.labels.tolist() == LABELS.tolist()
    assert found.notes == ()


def test_cifar_100_binary_has_fine_labels_and_says_so(tmp_path):
    found = read_data(write_batch(tmp_path / "train.bin", labels=LABELS + 90, coarse=True))
    assert np.array_equal(found.images, COLOUR)
    assert found.labels.tolist() == (LABELS + 90).tolist()
    assert "coarse" in found.notes[0]


def test_a_folder_of_batches_has_splits_and_classes(tmp_path):
    for k in range(1, 6):
        write_batch(tmp_path / f"data_batch_{k}.bin", COLOUR[k - 1 : k], LABELS[k - 1 : k])
    write_batch(tmp_path / "test_batch.bin", COLOUR[:2], LABELS[:2])
    (tmp_path / "batches.meta.txt").write_text("\n".join("abcdefghij") + "\n\n")
    train, test = read_data(tmp_path, "train"), read_data(tmp_path, "test")
    assert np.array_equal(train.images, COLOUR)
    assert (train.classes, train.labels.tolist()) == (tuple("abcdefghij"), LABELS.tolist())
    assert np.array_equal(test.images, COLOUR[:2])
    assert len(read_data(tmp_path, "all")) == 7
    assert [has_split(tmp_path, part) for part in ("train", "val", "test")] == [True, False, True]
    with pytest.raises(DataError, match="has no val split: it has train, test"):
        read_data(tmp_path, "val")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("keys", ["text", "bytes"])
def test_cifars_pickles_as_python_2_and_3_write_them(tmp_path, protocol, keys):
    batch = {"data": PLANES, "labels": LABELS.tolist(), "filenames": list("abcde")}
    if keys == "bytes":
        batch = {key.encode(): value for key, value in batch.items()}
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(batch, protocol))
    meta = {"label_names": list("abcdefghij")}
    (tmp_path / "batches.meta").write_bytes(pickle.dumps(meta, protocol))
    for path in (tmp_path / "data_batch_1", tmp_path):
        found = read_data(path)
        assert np.array_equal(found.images, COLOUR)
        assert found.labels.tolist() == LABELS.tolist()
    assert found.classes == tuple("abcdefghij")


# as cPickle of Python 2.7 with NumPy 1 writes {'data': array([[1, 2], [3, 4]], uint8), 'labels': [7]}
PYTHON_2 = (
    b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04"
    b"K\x00\x85U\x01b\x87Rq\x05(K\x01K\x02K\x02\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03"
    b"U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x04\x01\x02\x03\x04tbU\x06labels]q\x08(K\x07K\x08eu."
)


def test_a_pickle_of_python_2(tmp_path):
    (tmp_path / "a.pkl").write_bytes(PYTHON_2)
    found = read_data(tmp_path / "a.pkl")
    assert found.images.tolist() == [[1, 2], [3, 4]]
    assert found.labels.tolist() == [7, 8]


def test_mnist_pkl_gz_has_three_splits(tmp_path):
    images = RANDOM.random((4, 64), dtype=np.float32)
    parts = [
        (images[:2], np.array([3, 1])),
        (images[2:3], np.array([4])),
        (images[3:], np.array([1])),
    ]
    (tmp_path / "mnist.pkl.gz").write_bytes(gzip.compress(pickle.dumps(tuple(parts), 2)))
    found = read_data(tmp_path / "mnist.pkl.gz", "all")
    assert np.array_equal(found.images, images.reshape(4, 8, 8))
    assert found.labels.tolist() == [3, 1, 4, 1]
    assert [
        len(read_data(tmp_path / "mnist.pkl.gz", part)) for part in ("train", "val", "test")
    ] == [2, 1, 1]


class Evil:
    def __init__(self, call, *arguments):
        self.made = call, arguments

    def __reduce__(self):
        return self.made


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize(
    "content",
    [
        Evil(exec, "raise SystemExit('code was run')"),
        {"data": PLANES, "more": Evil(print, "code was run")},
        Evil(np.load, "x"),
        Evil(getattr, "x", "y"),
        np.array([1, "x", None], object),
        {"data": np.array(["a", "b"])},
        {"data": [1, 2]},
        {"x": 3},
        7,
    ],
)
def test_no_code_is_run_to_read_a_pickle_and_only_arrays_come_out(
    tmp_path, capsys, content, protocol
):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content, protocol))
    with pytest.raises(DataError, match=r"a\.pkl "):
        read_data(tmp_path / "a.pkl")
    assert "code was run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "blob",
    [
        b"\x80\x02]r\xff\xff\xff\x7f.",  # puts into a memo of 16 GB
        b"\x80\x02X\xff\xff\xff\x7fa.",  # text of 2 GB
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x00a.",  # bytes of 72 PB
        b"\x80\x02]q\x01h\x01a.",  # a list that holds itself
        b"\x80\x02.",
        b"\x80\x02" + b"(" * 1000,
        PYTHON_2.replace(b"K\x02K\x02\x86", b"K\xffK\xff\x86"),  # a shape of more values
        PYTHON_2.replace(b"U\x02u1", b"U\x02O8"),
        PYTHON_2[:-20],
    ],
)
def test_absurd_pickles_are_refused(tmp_path, blob):
    (tmp_path / "a.pkl").write_bytes(blob)
    with pytest.raises(DataError, match=r"a\.pkl "):
        read_data(tmp_path / "a.pkl")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pickletools, at text of Python 2
def test_damaged_pickles_are_read_or_refused(tmp_path):
    whole = pickle.dumps({"data": PLANES[:2], "labels": [1, 2]}, 2)
    refused = 0
    for _ in range(300):
        blob = bytearray(whole[:200] + whole[-200:])
        for place in RANDOM.integers(0, len(blob), 3):
            blob[place] = RANDOM.integers(256)
        (tmp_path / "a.pkl").write_bytes(blob)
        try:
            read_data(tmp_path / "a.pkl")
        except DataError:
            refused += 1
    assert refused > 200


# -- STL-10 ------------------------------------------------------------------------------------------


def test_stl_10_is_stored_column_by_column(tmp_path):
    images = drawn(3, 96, 96, 3)
    for part, rows in (("train", slice(0, 2)), ("test", slice(2, 3))):
        images[rows].transpose(0, 3, 2, 1).tofile(tmp_path / f"{part}_X.bin")
        np.uint8([10, 1, 2])[rows].tofile(tmp_path / f"{part}_y.bin")
    (tmp_path / "class_names.txt").write_text("\n".join("abcdefghij"))
    found = read_data(tmp_path / "train_X.bin")
    assert np.array_equal(found.images, images[:2])
    assert (found.labels.tolist(), found.classes) == ([9, 0], tuple("abcdefghij"))
    assert np.array_equal(read_data(tmp_path, "all").images, images)
    assert np.array_equal(read_data(tmp_path, "test").images, images[2:])
    assert has_split(tmp_path, "test")
    (tmp_path / "test_y.bin").write_bytes(b"")
    with pytest.raises(DataError, match=r"test_y.bin has 0 bytes for 1 images"):
        read_data(tmp_path, "test")


def test_a_large_file_of_stl_10_is_mapped(tmp_path, monkeypatch):
    monkeypatch.setattr("narrows.data.readers.reading.MOST_IN_MEMORY", 0)
    images = drawn(2, 96, 96, 3)
    images.transpose(0, 3, 2, 1).tofile(tmp_path / "unlabeled_X.bin")
    found = read_data(tmp_path / "unlabeled_X.bin")
    assert isinstance(found.images, np.memmap)
    assert np.array_equal(found.images, images)
    assert found.labels is None


# -- smallNORB ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_smallnorb_has_two_images_of_each_toy(tmp_path, ending):
    pack = gzip.compress if ending else bytes
    images = drawn(3, 2, 6, 6)
    path = tmp_path / f"norb-dat.mat{ending}"
    path.write_bytes(pack(norb_bytes(images)))
    (tmp_path / f"norb-cat.mat{ending}").write_bytes(pack(norb_bytes(np.int32([4, 0, 2]))))
    found = read_data(path)
    assert np.array_equal(found.images, images.reshape(6, 6, 6))
    assert found.labels.tolist() == [4, 4, 0, 0, 2, 2]
    assert found.classes[4] == "car"
    assert "left one before the right one" in found.notes[0]


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "u1", "i2"])
def test_matrices_of_every_type(tmp_path, dtype):
    images = drawn(3, 6, 6).astype(dtype)
    (tmp_path / "a.mat").write_bytes(norb_bytes(images))
    found = read_data(tmp_path / "a.mat")
    assert found.images.dtype == dtype
    assert np.array_equal(found.images, images)


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b"x", lambda b: b[:6]])
def test_a_matrix_of_another_size_than_it_says_is_refused(tmp_path, change):
    (tmp_path / "a.mat").write_bytes(change(norb_bytes(drawn(3, 6, 6))))
    with pytest.raises(DataError, match=r"a\.mat "):
        read_data(tmp_path / "a.mat")
