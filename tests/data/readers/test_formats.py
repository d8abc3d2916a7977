"""The table of formats: files are known by content, readers are found, one's own come first."""

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import narrows as nw
from narrows.data import FORMATS, ImageSet, read_data
from narrows.data.packs.pack import pack
from narrows.data.readers.formats import format_of
from narrows.data.readers.recognise import begins_with
from narrows.errors import BuildError, DataError, UnknownName
from small_files import write_idx, write_picture


@pytest.fixture(autouse=True)
def _table():
    """Whatever a test registers is gone after it."""
    before = dict(FORMATS)
    yield
    FORMATS.clear()
    FORMATS.update(before)


@pytest.fixture
def files(tmp_path, images):
    """A file of each format, by its name in the table."""
    np.save(tmp_path / "a.npy", images)
    np.savez(tmp_path / "b.npz", x=images)
    write_idx(tmp_path / "c-idx3-ubyte", images)
    write_idx(tmp_path / "d.idx.gz", images)
    for k, ending in enumerate(("png", "jpg", "webp", "tif", "bmp", "gif")):
        write_picture(tmp_path / "pictures" / f"{k}.{ending}")
    pack(tmp_path / "pictures", tmp_path / "e.tar")
    pictures = dict.fromkeys((tmp_path / "pictures").iterdir(), "picture")
    return {
        tmp_path / "a.npy": "npy",
        tmp_path / "b.npz": "npz",
        tmp_path / "c-idx3-ubyte": "idx",
        tmp_path / "d.idx.gz": "idx",
        tmp_path / "e.tar": "pack",
        tmp_path / "e.index": "pack",
        **pictures,
    }


@pytest.mark.parametrize("name", ["renamed.dat", "renamed", "renamed.npy", "renamed.csv"])
def test_a_format_is_known_by_content_whatever_the_name(files, name):
    for path, form in files.items():
        assert format_of(path) == form
        renamed = path.rename(path.with_name(name))
        assert format_of(renamed) == form, path
        renamed.rename(path)


def test_an_npz_called_dat_is_read(files, images, tmp_path):
    (tmp_path / "b.npz").rename(tmp_path / "b.dat")
    assert np.array_equal(read_data(tmp_path / "b.dat").images, images)


@pytest.mark.parametrize("name", FORMATS)
def test_every_reader_is_there_and_takes_a_path_and_a_split(name):
    form = FORMATS[name]
    first, second = list(inspect.signature(form.read).parameters)[:2]
    assert (first, second) == ("path", "split")
    assert form.title
    assert form.splits is None or callable(form.has_split)


def test_a_reader_is_imported_when_its_first_file_is_met():
    code = "import sys, narrows.data.readers.formats; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    modules = {
        f"narrows.data.{reference.partition(':')[0]}"
        for form in FORMATS.values()
        if isinstance(reference := form.reader, str)
    }
    # IDX is what named sets are kept in
    assert not (modules - {"narrows.data.readers.idx"}) & set(loaded.stdout.split())


def test_an_unknown_file_is_refused_with_its_first_bytes_and_all_known_formats(tmp_path):
    (tmp_path / "a.dat").write_bytes(b"\xffwhat is this?")
    (tmp_path / "b.dat").write_bytes(b"")
    with pytest.raises(DataError, match=r"begins with ff 77 68 61 74 20 69 73; known: ") as caught:
        read_data(tmp_path / "a.dat")
    assert all(form.title in str(caught.value) for form in FORMATS.values())
    with pytest.raises(DataError, match=r"b.dat has no format that can be read: it is empty"):
        read_data(tmp_path / "b.dat")


def test_an_ending_decides_only_if_nothing_recognises_the_content(tmp_path):
    (tmp_path / "a.png").write_bytes(b"<html>not found</html>")
    assert format_of(tmp_path / "a.png") == "picture"


# -- readers of one's own --------------------------------------------------------------------------


def read_raw(path: Path, split: str, width: int = 4):
    """Bytes after a signature, as images of 3 rows."""
    values = np.frombuffer(path.read_bytes()[4:], np.uint8)
    return values.reshape(-1, 3, width)


def is_raw(path: Path, head: bytes) -> bool:
    return head.startswith(b"RAW1")


@pytest.fixture
def raw(tmp_path):
    (tmp_path / "a.raw").write_bytes(b"RAW1" + bytes(range(24)))
    return tmp_path / "a.raw"


def test_a_registered_reader_reads_its_files_with_its_options(raw):
    assert nw.register("reader", read_raw, recognise=is_raw) is read_raw
    X, y = nw.load_data(raw)
    assert (X.shape, y) == ((2, 3, 4), None)
    assert X.ravel().tolist() == list(range(24))
    assert nw.load_data({"kind": raw, "width": 2})[0].shape == (4, 3, 2)
    with pytest.raises(BuildError, match="'read_raw': it has no option 'heigth'"):
        nw.load_data(raw, heigth=2)


def test_a_registered_reader_may_be_decorated_and_say_itself_what_it_recognises(raw):
    @nw.register("reader", name="raw", recognise=is_raw)
    def read(path, split):
        return read_raw(path, split), ["a", "b"]

    found = read_data(raw)
    assert (found.labels.tolist(), found.classes) == ([0, 1], ("a", "b"))

    class Reader:
        __name__ = "another"
        recognise = staticmethod(is_raw)

        def __call__(self, path, split):
            return ImageSet(read_raw(path, split), source="another")

    nw.register("reader", Reader())
    assert read_data(raw).source == "another"


def test_a_registered_reader_is_asked_first_and_may_be_registered_again(tmp_path, images):
    np.save(tmp_path / "a.npy", images)
    for _ in range(2):

        @nw.register("reader", name="mine", recognise=begins_with(b"\x93NUMPY"))
        def mine(path, split):
            return np.load(path)[:1]

    assert len(read_data(tmp_path / "a.npy")) == 1
    assert next(iter(FORMATS)) == "mine"


def test_what_is_no_reader_is_refused(tmp_path, raw):
    with pytest.raises(BuildError, match=r"a reader to register: .* recognise\(path, head\)"):
        nw.register("reader", read_raw)
    with pytest.raises(BuildError, match="name: got 'npz', expected one that no other format has"):
        nw.register("reader", read_raw, name="npz", recognise=is_raw)
    with pytest.raises(UnknownName, match="called 'raeder'; did you mean 'reader'"):
        nw.register("raeder", read_raw)
    nw.register("reader", lambda path, split: np.zeros(3), name="bad", recognise=is_raw)
    with pytest.raises(DataError, match=r"a.raw holds an array of shape \(3,\)"):
        read_data(raw)
