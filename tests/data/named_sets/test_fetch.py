"""Files of named sets: the order of the look-up, the check, the mirrors. No test leaves this machine."""

import gzip
import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from narrows.data.named_sets import fetch
from narrows.errors import DataError

FILE, CONTENT = "train-images-idx3-ubyte", b"what the file should hold" * 99
FULL = gzip.compress(CONTENT)


@pytest.fixture(autouse=True)
def world(tmp_path, monkeypatch):
    """A set called "tiny" of one file, folders to find it in, and no mirror."""
    monkeypatch.setitem(fetch.SUMS, "tiny", {FILE: hashlib.sha256(CONTENT).hexdigest()})
    monkeypatch.setitem(fetch.MIRRORS, "tiny", ())
    monkeypatch.setenv("NARROWS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NARROWS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for folder in ("data/tiny/raw", "cache/tiny", "web/good", "web/bad", "web/cut"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def web(world):
    """The address of a server of the folder `web`: one good mirror, two bad ones."""
    (world / f"web/good/{FILE}.gz").write_bytes(FULL)
    (world / f"web/bad/{FILE}.gz").write_bytes(gzip.compress(b"something else"))
    (world / f"web/cut/{FILE}.gz").write_bytes(FULL[:-9])
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(world / "web")))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Say nothing."""


PLACES = ["data/tiny", "data/tiny/raw", "cache/tiny"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("ending", "blob"), [("", CONTENT), (".gz", FULL), ("", FULL)], ids=["plain", "gz", "gz-plain"]
)
def test_a_file_is_found_gzipped_or_not(world, place, ending, blob):
    (world / place / f"{FILE}{ending}").write_bytes(blob)
    assert fetch.obtain("tiny", FILE) == CONTENT


def test_the_users_folder_comes_before_the_cache(world):
    for place in reversed(PLACES):
        (world / place / f"{FILE}.gz").write_bytes(FULL)
        assert fetch.find_file("tiny", FILE) == world / place / f"{FILE}.gz"


@pytest.mark.parametrize(
    ("blob", "told"),
    [
        (
            gzip.compress(b"other"),
            "is not the expected file: its 5 bytes have the SHA-256 sum d9298a10d1b0",
        ),
        (
            FULL[:-9],
            "is cut short: its gzip stream has no end; replace it with a complete copy, or remove it",
        ),
        (
            FULL[:-8] + b"\xff" * 8,
            r"cannot be read \(.*\); replace it with a complete copy, or remove it",
        ),
        (b"", "is not the expected file: its 0 bytes"),
    ],
    ids=["other", "cut", "damaged", "empty"],
)
def test_a_wrong_file_is_reported_in_one_sentence(world, blob, told):
    path = world / f"data/tiny/{FILE}.gz"
    path.write_bytes(blob)
    with pytest.raises(DataError, match=told) as caught:
        fetch.obtain("tiny", FILE)
    assert str(caught.value).startswith(str(path))
    assert "remove it to have it downloaded" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_mirrors_are_tried_in_turn_and_the_right_file_is_kept(world, web, monkeypatch):
    mirrors = tuple(f"{web}/{name}" for name in ("absent", "bad", "cut", "good"))
    monkeypatch.setitem(fetch.MIRRORS, "tiny", mirrors)
    assert fetch.obtain("tiny", FILE) == CONTENT
    assert [p.name for p in (world / "cache/tiny").iterdir()] == [f"{FILE}.gz"]
    monkeypatch.setitem(fetch.MIRRORS, "tiny", ())
    assert fetch.obtain("tiny", FILE) == CONTENT  # from the cache


def test_where_every_mirror_fails_the_way_out_is_reported(world, web, monkeypatch):
    mirrors = (f"{web}/absent", f"{web}/bad", "http://127.0.0.1:9")
    monkeypatch.setitem(fetch.MIRRORS, "tiny", mirrors)
    with pytest.raises(DataError) as caught:
        fetch.obtain("tiny", FILE)
    data, cache = world / "data/tiny", world / "cache/tiny"
    assert str(caught.value) == (
        f"{FILE} is missing: it was looked for in {data}, {data / 'raw'}, {cache}, and could "
        f"not be downloaded "
        "(127.0.0.1: answered 404; 127.0.0.1: sent a damaged or wrong file; 127.0.0.1: ConnectionError); "
        f"place {FILE}.gz in $NARROWS_DATA/tiny/, or connect to the internet"
    )
    assert list(cache.iterdir()) == []


def test_without_the_variable_the_message_reports_of_it(monkeypatch):
    monkeypatch.delenv("NARROWS_DATA")
    with pytest.raises(
        DataError,
        match=r"set NARROWS_DATA to a folder of yours and place .*\.gz in \$NARROWS_DATA/tiny/",
    ):
        fetch.obtain("tiny", FILE)


def test_a_cache_that_cannot_be_written_is_reported(world, monkeypatch, web):
    (world / "file").write_text("no folder")
    monkeypatch.setenv("NARROWS_CACHE", str(world / "file"))
    monkeypatch.setitem(fetch.MIRRORS, "tiny", (f"{web}/good",))
    with pytest.raises(
        DataError, match=r"could not be downloaded \(127.0.0.1: .*file.*cannot be written"
    ):
        fetch.obtain("tiny", FILE)


def test_the_users_own_cache_is_the_last_place(monkeypatch):
    monkeypatch.delenv("NARROWS_CACHE")
    assert "narrows" in str(list(fetch._folders("tiny"))[-1])


def test_every_file_of_a_set_has_a_sum_and_every_set_mirrors():
    assert set(fetch.SUMS) == set(fetch.MIRRORS)
    assert all(len(total) == 64 for files in fetch.SUMS.values() for total in files.values())
    assert all(len(fetch.MIRRORS[name]) >= 2 for name in ("mnist", "fashion-mnist"))


@pytest.mark.parametrize(
    "place",
    [
        "tiny/train-images.idx3-ubyte",  # Kaggle's zip
        f"tiny/{FILE}/{FILE}",
        "tiny/train-images.idx3-ubyte/train-images.idx3-ubyte",
        f"TINY/raw/{FILE}",  # torchvision
        f"TINY/raw/{FILE}.gz",
    ],
)
def test_a_file_is_found_as_kaggle_and_torchvision_leave_it(world, monkeypatch, place):
    monkeypatch.setitem(fetch.OTHER_NAMES, "tiny", ("TINY",))
    path = world / "data" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(FULL)
    assert fetch.obtain("tiny", FILE) == CONTENT
    monkeypatch.setenv("NARROWS_DATA", str(world / "data" / place.partition("/")[0]))
    assert fetch.obtain("tiny", FILE) == CONTENT
