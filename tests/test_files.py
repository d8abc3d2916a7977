"""Laws of writing files: whole or not at all, and never over something else unasked."""

import errno
import multiprocessing
import os
import stat
import time
from contextlib import suppress

import pytest

from narrows import files
from narrows.errors import OutputError, escaped
from narrows.files import (
    LOCK_SUFFIX,
    PREFIX,
    atomic,
    locked,
    publish,
    refuse_overwrite,
    temporary_folder,
    write_csv,
    write_file,
)


@pytest.mark.parametrize("content", ["naïve\n", b"\x00\r\n\xff", "", b""])
def test_what_is_written_is_read(tmp_path, content):
    path = write_file(tmp_path / "new" / "folder" / "x.txt", content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)


def test_while_the_block_runs_the_old_content_is_and_the_ending_is_kept(tmp_path):
    path = write_file(tmp_path / "a.tar.gz", "old")
    with atomic(path) as aside:
        aside.write_text("new")
        assert aside.suffix == path.suffix
        assert aside.parent == path.parent
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("old", ["old", None])
def test_an_exception_in_the_block_leaves_what_was_there_and_nothing_else(tmp_path, error, old):
    path = tmp_path / "x.txt"
    if old is not None:
        path.write_text(old)

    def fail():
        with atomic(path) as aside:
            aside.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ([] if old is None else ["x.txt"])
    assert old is None or path.read_text() == old


@pytest.mark.parametrize(
    "name", ["w" * 251 + ".txt", "写" * 83 + ".txt", "x." + "y" * 253, "q" * 255]
)
def test_a_name_at_the_limit_of_the_file_system_is_written(tmp_path, name):
    path = tmp_path / name
    with atomic(path) as aside:
        aside.write_text("new")
        assert len(os.fsencode(aside.name)) <= len(os.fsencode(name))
    assert path.read_text() == "new"
    with locked(path):
        assert len(list(tmp_path.iterdir())) == 2
    assert list(tmp_path.iterdir()) == [path]


def test_names_that_are_not_utf_8_are_written_escaped(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    assert write_file(tmp_path / "x.html", f"<p>{name}").read_bytes() == rb"<p>caf\udce9.png"
    written = write_csv(tmp_path / "x.csv", ("file", "n"), [(name, 1), ("é", 2)])
    assert written.read_text(encoding="utf-8") == "file,n\ncaf\\udce9.png,1\né,2\n"
    assert (escaped(name), escaped("é")) == (r"caf\udce9.png", "é")


def test_a_folder_is_not_written_over(tmp_path):
    (tmp_path / "x" / "inside").mkdir(parents=True)
    with pytest.raises(OutputError, match="x is a folder"):
        write_file(tmp_path / "x", "a file where a folder is")
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_no_temporary_file_is_left(tmp_path):
    for text in ("1", "2"):
        write_file(tmp_path / "x.txt", text)
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        path = write_file(tmp_path / "x.txt", "text")
    finally:
        found = os.umask(before)
    assert found == mask, "the mask itself is left alone"
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_free_name_may_be_written_and_nothing_is_made(tmp_path):
    assert refuse_overwrite(str(tmp_path / "new" / "x")) == tmp_path / "new" / "x"
    assert not list(tmp_path.iterdir())


def test_a_free_name_in_the_working_folder_may_be_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(refuse_overwrite("x.txt")) == "x.txt"


def test_an_empty_folder_may_be_written(tmp_path):
    assert refuse_overwrite(tmp_path) == tmp_path


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_taken_is_refused_unless_forced_and_never_removed(tmp_path, kind):
    path = tmp_path / "x"
    inside = path / "y" if kind == "folder" else path
    write_file(inside, "old")
    with pytest.raises(
        OutputError, match=r"x exists already; choose another name, or replace it with --force"
    ):
        refuse_overwrite(path)
    assert refuse_overwrite(path, force=True) == path
    assert inside.read_text() == "old"


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", ["x", "new/x"])
def test_a_read_only_folder_is_refused(tmp_path, monkeypatch, force, name):
    # root may write anywhere
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(tmp_path))
    with pytest.raises(OutputError, match=r"the folder .* is read-only"):
        refuse_overwrite(tmp_path / name, force)


def test_a_read_only_folder_is_refused_where_it_is_to_be_written_into(tmp_path, monkeypatch):
    write_file(tmp_path / "run" / "x.txt", "old")
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(tmp_path / "run"))
    with pytest.raises(OutputError, match=r"run cannot be written: the folder .*run is read-only"):
        refuse_overwrite(tmp_path / "run", force=True)


def test_what_else_would_do_is_reported(tmp_path):
    write_file(tmp_path / "x", "old")
    with pytest.raises(
        OutputError, match="choose another name, go on with --resume, or replace it with --force"
    ):
        refuse_overwrite(tmp_path / "x", cure="go on with --resume")


def test_a_file_where_a_folder_is_needed_is_refused(tmp_path):
    write_file(tmp_path / "x", "a file")
    with pytest.raises(OutputError, match="x is a file, not a folder"):
        refuse_overwrite(tmp_path / "x" / "y" / "z.txt")


# -- no room ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EIO"])
@pytest.mark.parametrize("old", ["old", None])
def test_a_full_disk_is_reported_and_the_old_file_is_kept(tmp_path, name, old):
    path, code = tmp_path / "x.txt", getattr(errno, name)
    if old is not None:
        write_file(path, old)

    def fail():
        with atomic(path) as aside:
            aside.write_text("half")
            raise OSError(code, os.strerror(code))

    kept = "its old content is intact" if old else "nothing was left of it"
    with pytest.raises(
        OutputError, match=rf"x\.txt cannot be written: {os.strerror(code)}; {kept}$"
    ):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ([] if old is None else ["x.txt"])


# -- locks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", [False, True])
def test_a_lock_is_one_process_s_and_leaves_nothing(tmp_path, folder):
    path = tmp_path / "new" / "x"
    for _ in range(2):
        with locked(path, folder):
            assert len(list((tmp_path / "new").rglob(f"{PREFIX}*"))) == 1
            with pytest.raises(
                OutputError, match=r"x is being written by another process; wait for it"
            ):
                locked(path, folder).__enter__()
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", [False, True])
def test_a_lock_dies_with_its_process(tmp_path, folder):
    path = tmp_path / "x"

    def hold():
        with locked(path, folder):
            write_file(tmp_path / "held", "")
            time.sleep(60)

    process = multiprocessing.get_context("fork").Process(target=hold)
    process.start()
    for _ in range(6000):
        if (tmp_path / "held").exists():
            break
        time.sleep(0.01)
    with pytest.raises(OutputError, match="by another process"):
        locked(path, folder).__enter__()
    process.kill()
    process.join()
    with locked(path, folder):
        pass
    assert not list(tmp_path.rglob(f"{PREFIX}*"))


def test_the_owner_of_a_folder_removes_unfinished_files_in_it(tmp_path):
    names = ("x.txt", ".hidden", f"{PREFIX}x-1.txt", f"below/{PREFIX}y-2.npz", "below/y.npz")
    theirs = (f"other/{PREFIX}{LOCK_SUFFIX}", f"other/{PREFIX}z-3.txt")
    for name in (*names, *theirs):
        write_file(tmp_path / name, "")
    with locked(tmp_path, folder=True):
        pass
    left = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert left == {"x.txt", ".hidden", "below/y.npz", *theirs}


def test_what_a_killed_process_has_left_half_written_takes_no_name(tmp_path):
    write_file(tmp_path / "run" / f"{PREFIX}last-1.safetensors", "")
    assert refuse_overwrite(tmp_path / "run") == tmp_path / "run"


# -- what killed processes leave -------------------------------------------------------------------


FORK = multiprocessing.get_context("fork")


def in_a_process(function):
    """A process that runs the function as a new one would."""

    def run():
        files._tidied.clear()
        function()

    process = FORK.Process(target=run)
    process.start()
    return process


def unfinished(folder):
    return sorted(path for path in folder.iterdir() if path.name.startswith(PREFIX))


def write_forever(make, folder):
    with make(folder / "big.npy") as temporary:
        place = temporary / "x" if temporary.is_dir() else temporary
        place.write_text("half")
        (folder / f"begun {temporary.name}").touch()
        time.sleep(600)


@pytest.mark.parametrize("make", [atomic, temporary_folder])
def test_what_a_killed_process_left_is_removed_by_the_next_and_what_a_living_one_writes_is_not(
    tmp_path, make
):
    dead, living = (in_a_process(lambda: write_forever(make, tmp_path)) for _ in range(2))
    for _ in range(6000):
        if len(list(tmp_path.glob("begun*"))) == 2:
            break
        time.sleep(0.01)
    assert len(unfinished(tmp_path)) == 2
    dead.kill()
    dead.join()
    writer = in_a_process(lambda: write_file(tmp_path / "other.txt", "new"))
    writer.join()
    assert writer.exitcode == 0
    assert len(unfinished(tmp_path)) == 1
    with locked(tmp_path, folder=True):
        assert len(unfinished(tmp_path)) == 2  # with the lock of the folder
    living.kill()
    living.join()
    with locked(tmp_path, folder=True):
        pass
    assert not unfinished(tmp_path)
    assert (tmp_path / "other.txt").read_text() == "new"


def test_a_temporary_name_fits_where_the_longest_name_does(tmp_path):
    for name in ("x" * 251 + ".npy", "." + "y" * 254, "é" * 125 + ".tif"):
        assert write_file(tmp_path / name, "text").read_text() == "text"


def test_files_of_a_temporary_folder_get_their_names_together(tmp_path):
    path = tmp_path / "set.tar"
    with suppress(RuntimeError), temporary_folder(path) as folder:
        (folder / "a").write_text("a")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with temporary_folder(path) as folder:
        for name in "ab":
            (folder / name).write_text(name)
        assert len(unfinished(tmp_path)) == 1
        publish(folder / "a", tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~files._umask()
