"""No run is lost: a real process is killed, stopped, starved of disk; it goes on and ends as an
unbroken one does.
"""

import json
import multiprocessing
import os
import random
import re
import resource
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from narrows import files
from narrows.cli import run
from narrows.errors import BuildError, NarrowsWarning
from narrows.files import PREFIX
from narrows.model import file_format as contents
from narrows.model.file_format import CHECKPOINT_NAME
from narrows.model.files import store
from narrows.model.training import checkpoint as checkpoint
from narrows.model.training.training import Training
from narrows.study.record import Record
from narrows.study.schema import Run

KILLS = (3, pytest.param(20, marks=pytest.mark.slow))
STUDY = """
title = "Mine"
data = "digits"

[[runs]]
name = "vae"
recipe = "vae-conv"
snapshots = [1, 2, 3]

[runs.changes]
epochs = 3
batch_size = 512
bottleneck = { size = 3, beta = 2.0, warmup = 2 }
body = { kind = "conv", channels = [4, 6], batch_norm = true, dropout = 0.1 }
corruption = { kind = "gaussian", sigma = 0.2 }
schedule = "cosine"
validation = 0.1
training = { ema = 0.9, clip = 1.0, patience = 3, measures = ["psnr"] }

[[runs]]
name = "pca"
recipe = "pca"

[[figures]]
kind = "steps"
title = "Steps"
options = { of = ["loss"] }
"""
EACH_STEP = ("--save-every", "1e-9")
FORK = multiprocessing.get_context("fork")  # a new interpreter would take a second to begin


def begin(study: Path, folder: Path, *options: str, first=lambda: None):
    """A process of its own that runs the study; `first` is called in it. What it says is in
    FOLDER.txt.
    """

    def go():
        said = os.open(f"{folder}.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 1), os.dup2(said, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        first()
        sys.exit(run(["study", str(study), "-o", str(folder), *EACH_STEP, *options]))

    process = FORK.Process(target=go)
    process.start()
    return process


def ended(process) -> int:
    """The exit code of a process, once it has ended."""
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


def at_write(count: int, act):
    """What a process does first, so that it does `act` in place of writing its checkpoint that time."""

    def first():
        write, writes = checkpoint.write_file, iter(range(1, count))
        checkpoint.write_file = lambda *what: (
            act(*what) if next(writes, None) is None else write(*what)
        )

    return first


def kill(*what):
    os.kill(os.getpid(), signal.SIGKILL)


def content(folder: Path) -> dict:
    """All that the files of a folder hold, but wall times, and the work tree that it was run in."""
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    run = json.loads(found["run.json"])
    for table in (run["facts"], *run["models"]):
        for name in [name for name in table if "seconds" in name or name == "git"]:
            del table[name]
    run["origin"].pop("git", None)
    page = re.sub(r"((?:seconds[a-z ]*|git)</dt><dd>)[^<]+", r"\1", found["report.html"].decode())
    found |= {"run.json": run, "report.html": page}
    for name in [name for name in found if name.endswith("times.json")]:
        found[name] = None
    for name in [name for name in found if name.endswith("history.csv")]:
        rows = np.genfromtxt(
            found[name].decode().splitlines(), delimiter=",", names=True, dtype=str
        )
        found[name] = {
            column: rows[column].tolist() for column in rows.dtype.names if "seconds" not in column
        }
    for name in [name for name in found if name.endswith(CHECKPOINT_NAME)]:
        found[name] = state(folder / name)
    return found


def state(path: Path) -> dict:
    header, tensors = contents.read_file(path)
    held = header[contents.CHECKPOINT_KEY]
    for table in (held["numbers"], held["numbers"]["history"]):
        for name in [name for name in table if name in ("spent", "seconds", "val_seconds")]:
            del table[name]
    return {**held, **{name: tensor.numpy().tobytes() for name, tensor in tensors.items()}}


def assert_same(folder: Path, unbroken) -> None:
    found = content(folder)
    assert found.keys() == unbroken.content.keys()
    for name, value in unbroken.content.items():
        assert found[name] == value, name


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory) -> SimpleNamespace:
    """A run that nothing happens to: study (its file), content, seconds."""
    place = tmp_path_factory.mktemp("unbroken")
    study, folder = place / "mine.toml", place / "run"
    study.write_text(STUDY)
    # here, so that all is imported before processes begin
    assert run(["study", str(study), "-o", str(folder)]) == 0
    start = time.monotonic()
    assert ended(begin(study, place / "again")) == 0
    seconds = time.monotonic() - start
    found = SimpleNamespace(study=study, content=content(folder), seconds=seconds)
    assert_same(place / "again", found)
    return found


# -- killed ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", KILLS)
def test_killed_at_random_moments_it_ends_as_if_it_had_not_been(unbroken, tmp_path, count):
    chance, kills, ends = random.Random(6), 0, 0
    while kills < count:
        process = begin(unbroken.study, tmp_path / f"run-{ends}", "--resume")
        process.join(chance.uniform(0, unbroken.seconds))
        if process.exitcode is None:
            process.kill()
            process.join()
            kills += 1
        else:
            assert process.exitcode == 0
            assert_same(tmp_path / f"run-{ends}", unbroken)
            ends += 1
    folder = tmp_path / f"run-{ends}"
    assert ended(begin(unbroken.study, folder, "--resume")) == 0, Path(f"{folder}.txt").read_text()
    assert_same(folder, unbroken)


def half_written(path, content):
    with files.atomic(path) as aside:
        aside.write_bytes(content[: len(content) // 2])
        kill()


def unsynced(*what):
    files._sync = kill
    files.write_file(*what)


def unnamed(*what):
    Path.replace = kill  # type: ignore[assignment]
    files.write_file(*what)


def test_killed_while_it_writes_it_ends_as_if_it_had_not_been(unbroken, tmp_path):
    folder = tmp_path / "run"
    for count, act in ((4, half_written), (5, unsynced), (3, unnamed)):
        assert (
            ended(begin(unbroken.study, folder, "--resume", first=at_write(count, act)))
            == -signal.SIGKILL
        )
        assert leftovers(folder)
    assert ended(begin(unbroken.study, folder, "--resume")) == 0
    assert not leftovers(folder)
    assert_same(folder, unbroken)


def leftovers(folder: Path) -> list[Path]:
    """Files that were never finished, and locks."""
    return [path for path in folder.rglob("*") if path.name.startswith(PREFIX)]


def test_killed_when_the_model_is_there_it_is_measured_and_shown_the_same(unbroken, tmp_path):
    folder = tmp_path / "run"

    def first():
        Record.save = kill  # type: ignore[assignment]

    assert ended(begin(unbroken.study, folder, first=first)) == -signal.SIGKILL
    assert ended(begin(unbroken.study, folder, "--resume")) == 0
    assert_same(folder, unbroken)
    said = Path(f"{folder}.txt").read_text().splitlines()
    assert {"vae: already trained", "pca: already trained"} < set(said)


# -- stopped ---------------------------------------------------------------------------------------


WITHIN, AT_END = (6, "in epoch 2 of 3, after batch 1 of 3"), (13, "after 3 of 3 epochs")


@pytest.mark.parametrize(
    ("name", "count", "where"),
    [
        ("SIGTERM", *WITHIN),
        ("SIGINT", *AT_END),
        ("SIGHUP", *WITHIN),
        pytest.param("SIGINT", *WITHIN, marks=pytest.mark.slow),
        pytest.param("SIGTERM", *AT_END, marks=pytest.mark.slow),
        pytest.param("SIGHUP", *AT_END, marks=pytest.mark.slow),
    ],
)
def test_a_signal_waits_for_the_step_and_says_how_to_resume(unbroken, tmp_path, name, count, where):
    folder = tmp_path / "run"

    def stop(*what):
        os.kill(os.getpid(), getattr(signal, name))
        files.write_file(*what)

    assert ended(begin(unbroken.study, folder, first=at_write(count, stop))) == 1
    path = folder / "runs" / "vae" / CHECKPOINT_NAME
    assert Path(f"{folder}.txt").read_text().splitlines()[-1] == (
        f"narrows: stopped by {name} {where}; the state is in {path}: "
        "the same command with --resume (resume=True) goes on from there"
    )
    assert not leftovers(folder)
    # what it has come to is kept
    assert store.load(folder / "runs" / "vae").epochs_ == (1 if count == 6 else 3)
    assert ended(begin(unbroken.study, folder, "--resume")) == 0
    assert_same(folder, unbroken)


# -- two at once -----------------------------------------------------------------------------------


def test_a_second_process_is_refused_whatever_it_wants_until_the_first_has_died(
    unbroken, tmp_path, capsys
):
    folder = tmp_path / "run"
    first = begin(unbroken.study, folder, first=at_write(5, lambda *what: time.sleep(60)))
    path, start = folder / "runs" / "vae" / CHECKPOINT_NAME, time.monotonic()
    while not path.exists() and time.monotonic() < start + 60:
        time.sleep(0.01)
    for wish in ("--force", "--resume", "--reuse", "--json"):
        assert run(["study", str(unbroken.study), "-o", str(folder), wish]) == 1
        assert capsys.readouterr().err == (
            f"narrows: {folder} is being written by another process; wait for it, or choose another\n"
        )
    first.kill()
    assert ended(first) == -signal.SIGKILL
    assert ended(begin(unbroken.study, folder, "--resume")) == 0
    assert_same(folder, unbroken)


# -- no room ---------------------------------------------------------------------------------------


def test_a_full_disk_stops_it_and_leaves_the_checkpoint_whole(unbroken, tmp_path):
    folder = tmp_path / "run"
    path = folder / "runs" / "vae" / CHECKPOINT_NAME
    assert ended(begin(unbroken.study, folder, first=at_write(5, kill))) == -signal.SIGKILL
    before = path.read_bytes()
    room = len(before) // 2

    def first():
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    assert ended(begin(unbroken.study, folder, "--resume", first=first)) == 1
    said = Path(f"{folder}.txt").read_text()
    assert said.endswith(
        f"narrows: {path} cannot be written: File too large; its old content is intact; once there is room, "
        "the same command with --resume (resume=True) goes on from there\n"
    )
    assert path.read_bytes() == before
    assert not leftovers(folder)
    assert ended(begin(unbroken.study, folder, "--resume")) == 0
    assert_same(folder, unbroken)


def test_a_disk_without_room_for_a_checkpoint_is_known_of_before_anything_is_trained(
    unbroken, tmp_path
):
    def first():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        Training.run_epoch = None  # type: ignore[assignment]

    folder = tmp_path / "run"
    assert ended(begin(unbroken.study, folder, first=first)) == 1
    path = folder / "runs" / "vae" / CHECKPOINT_NAME
    last = Path(f"{folder}.txt").read_text().splitlines()[-1]
    assert last == f"narrows: {path} cannot be written: File too large; nothing was left of it"
    assert [p for p in folder.rglob("*") if p.is_file()] == []


# -- what is asked for -----------------------------------------------------------------------------


def test_more_epochs_resume_from_a_training_that_has_ended(go, tmp_path):
    def weights(folder):
        return {name: tensor.tolist() for name, tensor in store.read_file(folder)[1].items()}

    one = Run("a", "denoising-mlp", {"validation": 0.2}, snapshots=[1, 2, 4])
    file = tmp_path / "out" / "model.safetensors"
    go(one, changes={"epochs": 4})
    whole = weights(file), (file.parent / "snapshots.npz").read_bytes()
    (tmp_path / "out").rename(tmp_path / "whole")
    said = []
    for epochs in (2, 4, 4):
        go(one, changes={"epochs": epochs}, resume=True, say=said.append)
    assert (weights(file), (file.parent / "snapshots.npz").read_bytes()) == whole
    assert [words for words in said if words.startswith("a: ") and "steps" not in words] == [
        "a: training Autoencoder on 1,437 images",
        (
            f"a: there is no state {tmp_path / 'out' / CHECKPOINT_NAME} to go on from: the training "
            f"starts at the start"
        ),
        "a: training Autoencoder on 1,437 images",
        "a: going on from epoch 3 of 4, batch 1",
        "a: already trained",
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"bottleneck": {"size": 3}}, "bottleneck.size was 32, now 3"),
        ({"epochs": 1}, "epochs was 2, now 1"),
        ({"optimiser": {"rate": 0.5}}, "optimiser.lr was 0.003, now 0.5"),
    ],
)
def test_other_settings_are_refused_in_the_words_they_are_set_by(go, changes, told):
    go(Run("a", "ae-mlp", {"epochs": 2}))
    with pytest.raises(
        BuildError, match=rf"is the state of another training: {told}\. Only more epochs"
    ):
        go(Run("a", "ae-mlp", {"epochs": 2}), changes=changes, resume=True)


def test_other_images_and_other_pictures_are_refused(go, pictures):
    go(Run("a", "ae-mlp"))
    for other in (Run("a", "ae-mlp", data=pictures(20)), Run("a", "ae-mlp", snapshots=[1])):
        told = "data was .* now .*" if other.data else r"snapshots was \[\], now \[1\]"
        with pytest.raises(BuildError, match=told):
            go(other, resume=True)


def test_a_training_that_draws_anew_each_time_is_not_resumed(go, tmp_path):
    go(Run("a", "ae-mlp", {"random_state": None}))
    assert not (tmp_path / "out" / CHECKPOINT_NAME).exists()
    with pytest.raises(BuildError, match="random_state: got None"):
        go(Run("a", "ae-mlp", {"random_state": None}), resume=True, changes={"epochs": 2})


def test_pictures_that_were_lost_are_reported(go, tmp_path):
    go(Run("a", "ae-mlp", snapshots=[1]))
    (tmp_path / "out" / "snapshots.npz").write_bytes(b"none")
    with pytest.warns(NarrowsWarning, match="the pictures taken after epoch 1 are lost"):
        go(Run("a", "ae-mlp", snapshots=[1]), resume=True, changes={"epochs": 2})
