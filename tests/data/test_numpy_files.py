"""Arrays from anywhere: what a header says is compared with the file before anything is allocated."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest

from narrows.data.numpy_files import Npz, load_npy, read_header
from narrows.errors import DataError
from narrows.reading import reading

ARRAY = np.arange(24, dtype=np.float32).reshape(4, 6)
MEGABYTE = 1 << 20


def npy_bytes(header: str, content: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode("latin1").ljust(118) + b"\n"
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text + content


def header_of(shape: str, descr: str = "'<f4'", order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


FORGED = {
    "a thousand million rows": header_of("(1000000000, 6)"),
    "more than a number can hold": header_of("(4294967296, 4294967296, 4294967296)"),
    "rows below 0": header_of("(-1, 6)"),
    "two lengths below 0": header_of("(-2, -12)"),
    "values of no bytes": header_of("(1000000000000,)", "'<U0'"),
    "values of a gigabyte": header_of("(1,)", "'S1000000000'"),
    "objects": header_of("(1000,)", "'|O'"),
    "no end": "{'descr': '<f4', 'shape': (",
    "a nest": "-" * 90 + "1",
    "not a dict": "3",
    "nothing": "",
}


@pytest.mark.parametrize("header", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("kind", ["npy", "npz", "npz compressed"])
def test_a_forged_header_is_refused_before_anything_is_allocated(tmp_path, header, kind):
    path, content = tmp_path / "x.npz", npy_bytes(header, bytes(96))
    if kind == "npy":
        path.write_bytes(content)
    else:
        method = zipfile.ZIP_DEFLATED if "compressed" in kind else zipfile.ZIP_STORED
        with zipfile.ZipFile(path, "w", method) as stored:
            stored.writestr("x.npy", content)
    tracemalloc.start()
    with pytest.raises(DataError, match=f"^{path} cannot be read: "):
        read(path)
    assert tracemalloc.get_traced_memory()[1] < MEGABYTE
    tracemalloc.stop()


def read(path):
    with reading(path):
        if not zipfile.is_zipfile(path):
            return load_npy(path)
        with Npz(path) as stored:
            return stored["x"]


def test_a_zip_that_says_more_than_it_can_hold_is_refused(tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, x=np.zeros(1000))
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02") + 24  # the size of x.npy in the table of contents
    content[place : place + 4] = (2**32 - 2).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ValueError, match="more than the file can hold"), Npz(path) as stored:
        stored.header("x")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_wrote_is_read(tmp_path, save):
    arrays = {
        "a": ARRAY,
        "b": np.asfortranarray(ARRAY),
        "c": np.array(["x", "yy"]),
        "d": np.int64(3),
    }
    save(tmp_path / "x.npz", **arrays, e=np.zeros(100_000), f=np.empty((0, 3)))
    with Npz(tmp_path / "x.npz") as stored:
        assert list(stored) == [*"abcdef"]
        for key, array in arrays.items():
            np.testing.assert_array_equal(stored[key], array)
            assert stored[key].dtype == array.dtype
        assert stored.header("a")[:2] == ((4, 6), np.float32)
        assert (stored["e"].shape, stored["f"].shape) == ((100_000,), (0, 3))
        assert "g" not in stored


@pytest.mark.parametrize("mapped", [False, True])
def test_an_array_is_read_or_mapped(tmp_path, mapped):
    np.save(tmp_path / "x.npy", ARRAY)
    array = load_npy(tmp_path / "x.npy", mapped)
    np.testing.assert_array_equal(array, ARRAY)
    assert isinstance(array, np.memmap) == mapped


def test_a_parser_without_memory_is_a_bad_header(monkeypatch):
    def fail(file):
        raise MemoryError

    monkeypatch.setattr("narrows.data.numpy_files.HEADER_READERS", {(1, 0): fail})
    content = npy_bytes(header_of("(1,)"))
    with pytest.raises(ValueError, match="nested too deeply"):
        read_header(io.BytesIO(content), len(content))
