"""What libraries raise: a bad file is an error that names it, a shortage is no bad file."""

import errno
import multiprocessing
import os
import resource
import zipfile
import zlib
from contextlib import suppress
from tokenize import TokenError

import pytest
import torch
from PIL import Image

from narrows.cli import run
from narrows.data import read_data
from narrows.data.packs import reader
from narrows.data.packs.pack import pack
from narrows.data.packs.reader import verify_pack
from narrows.data.readers.picture_stream import stream_pictures
from narrows.errors import DataError, Shortage
from narrows.reading import SHORTAGES, cause_of, reading, shortage_of
from small_files import write_picture

FORK = multiprocessing.get_context("fork")
RAISED = (
    TokenError("EOF in multi-line statement", (2, 0)), zipfile.BadZipFile("File is not a zip file"),
    NotImplementedError("compression method"), RecursionError("maximum recursion depth"), KeyError("x"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), OverflowError("too large"), IndexError(),
    zlib.error("Error -3"), OSError(errno.EACCES, "Permission denied"), EOFError(), AssertionError(),
)  # fmt: skip


@pytest.mark.parametrize("raised", RAISED, ids=lambda error: type(error).__name__)
def test_whatever_a_library_raises_is_an_error_that_names_file_cause_and_cure(raised):
    with pytest.raises(DataError) as caught, reading("a.npy", "write it again"):
        raise raised
    assert str(caught.value).startswith("a.npy cannot be read: ")
    assert str(caught.value).endswith("; write it again")
    assert cause_of(raised) in str(caught.value)
    assert "\n" not in cause_of(raised)
    assert caught.value.__cause__ is raised


def test_an_error_of_ours_stays_as_it_is():
    with pytest.raises(DataError, match=r"^in our words$"), reading("a.npy"):
        raise DataError("in our words")


@pytest.mark.parametrize("number", SHORTAGES, ids=errno.errorcode.get)
def test_a_shortage_is_not_a_bad_file(number):
    with pytest.raises(Shortage) as caught, reading("a.npy"):
        raise OSError(number, os.strerror(number), "a.npy")
    assert str(caught.value) == SHORTAGES[number]


def test_full_memory_is_a_shortage_whoever_reports_it():
    assert isinstance(shortage_of(MemoryError()), Shortage)
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    assert isinstance(shortage_of(caught.value), Shortage)
    assert shortage_of(RuntimeError("shapes cannot be multiplied")) is None


# -- images ----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    for k in range(4):
        write_picture(tmp_path / "photos" / f"{k}.png", fill=k)
    return tmp_path / "photos"


@pytest.fixture
def few(monkeypatch):
    """The third picture that is opened finds no room."""

    def run_out(error):
        opened, open_image, count = [], Image.open, 2

        def open_or_fail(*arguments, **options):
            opened.append(1)
            if len(opened) > count:
                raise error
            return open_image(*arguments, **options)

        monkeypatch.setattr(Image, "open", open_or_fail)

    return run_out


READERS = {
    "folder": lambda folder: read_data(folder, "all"),
    "pack": lambda folder: read_data(folder.parent / "set.tar", "all"),
    "a tar to verify": lambda folder: verify_pack(folder.parent / "bare.tar"),
    "a folder to pack": lambda folder: pack(folder, folder.parent / "new.tar"),
    "pictures": lambda folder: list(stream_pictures(folder)),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize(
    "error", [OSError(errno.EMFILE, "Too many open files"), MemoryError()], ids=["files", "memory"]
)
def test_no_image_is_skipped_for_a_shortage(folder, few, read, error):
    pack(folder, folder.parent / "set.tar")
    pack(folder, folder.parent / "bare.tar")
    (folder.parent / "bare.index").unlink()
    few(error)
    with pytest.raises(Shortage):
        read(folder)


def test_a_verb_that_runs_out_of_files_ends_with_a_sentence(folder, few, capsys):
    few(OSError(errno.EMFILE, "Too many open files"))
    assert run(["pack", str(folder), "-o", str(folder.parent / "set.tar")]) == 1
    assert capsys.readouterr().err == f"narrows: {SHORTAGES[errno.EMFILE]}\n"


# -- packs of many tars ----------------------------------------------------------------------------


@pytest.fixture
def shards(folder):
    """A pack of a tar an image."""
    for k in range(100):
        write_picture(folder / f"{k}.png", fill=k)
    return pack(folder, folder.parent / "set.tar", shard=4096)["path"]


def with_files_left(count: int, function):
    """What a function says in a process that may open this many more files."""

    def child(answers):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
        taken = []
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        for descriptor in taken[:count]:
            os.close(descriptor)
        answers.put(function())

    answers = FORK.SimpleQueue()
    process = FORK.Process(target=child, args=(answers,))
    process.start()
    process.join(60)
    assert not answers.empty()
    return answers.get()


def test_a_pack_keeps_few_tars_open(shards, monkeypatch):
    monkeypatch.setattr(reader, "MOST_OPEN", 3)
    opened = reader.Pack(shards)
    before = len(os.listdir("/dev/fd"))
    assert len({image.data for image in opened}) == 100
    assert len(os.listdir("/dev/fd")) == before + 3
    del opened
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("left", [3, 30])
def test_a_pack_of_many_tars_is_read_with_few_files(shards, left):
    def read():
        data = read_data(shards, "all")
        return data.images[:, 0, 0].tolist(), data.skipped

    assert len(reader.Pack(shards).index.shards) == 100
    assert with_files_left(left, read) == with_files_left(250, read)


def test_without_any_file_left_it_is_a_shortage(shards):
    def read():
        try:
            return len(opened), opened[0], opened[1]
        except Shortage as error:
            return str(error)

    opened = reader.Pack(shards)
    assert with_files_left(0, read) == SHORTAGES[errno.EMFILE]
