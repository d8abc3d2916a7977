"""What verbs that train have in common: they leave alone what is there, take it up again, and tell
trackers.
"""

import sys

import pytest

from narrows.files import locked
from narrows.model.file_format import CHECKPOINT_NAME
from narrows.model.files import store
from narrows.model.trackers import LOGGERS

# -- what is there already -------------------------------------------------------------------------


def test_what_is_there_is_left_alone_unless_forced(narrows, refused, tmp_path):
    train = ("train", "pca", "--data", "digits", "-o", tmp_path / "run", "--set")
    assert narrows(*train, "n_components=1").code == 0
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert "exists already; choose another name, or replace it with --force" in refused(
        1, *train, "n_components=3"
    )
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    assert narrows(*train, "n_components=2", "--force").code == 0
    assert store.load(tmp_path / "run").code_size_ == 2


def test_reuse_keeps_a_trained_model_if_nothing_has_changed(narrows, tmp_path, quick):
    train = ("train", "ae-mlp", "--data", "digits", "-o", tmp_path / "run", *quick, "--set")
    first = narrows(*train, "bottleneck.size=2", "--json")
    weights = (tmp_path / "run" / "model.safetensors").read_bytes()
    again = narrows(*train, "bottleneck.size=2", "--reuse", "--json")
    assert (first.code, again.code) == (0, 0)
    assert "ae-mlp: already trained" in again.err
    for title, rows in first.json().items():
        for row, other in zip(again.json()[title], rows, strict=True):
            assert row == pytest.approx(other)
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == weights
    changed = narrows(*train, "bottleneck.size=3", "--reuse")
    assert "ae-mlp: training Autoencoder" in changed.err
    assert store.load(tmp_path / "run").code_size_ == 3


# -- going on --------------------------------------------------------------------------------------


def test_a_run_resumes_and_a_folder_that_is_taken_says_that_it_could(
    narrows, refused, tmp_path, quick
):
    train = ("train", "ae-mlp", "--data", "digits", "-o", tmp_path / "run", *quick[2:], "--epochs")
    first = narrows(*train, "1", "--resume")
    assert f"there is no state {tmp_path / 'run' / CHECKPOINT_NAME} to go on from" in first.err
    assert "choose another name, continue with --resume, or replace it with --force" in refused(
        1, *train, "1"
    )
    assert "ae-mlp: already trained" in narrows(*train, "1", "--resume").err
    more = narrows(*train, "3", "--resume")
    assert "ae-mlp: going on from epoch 2 of 3, batch 1" in more.err
    assert store.load(tmp_path / "run").epochs_ == 3
    fewer = refused(2, *train, "2", "--resume")
    assert "is the state of another training: epochs was 3, now 2" in fewer
    assert "body.widths was '[16]', now '[8]'" in refused(
        2, *train, "3", "--resume", "--set", "body.widths=[8]"
    )


def test_what_cannot_be_asked_for_together_is_refused_before_anything_is_read(
    refused, tmp_path, study_text
):
    for order in orders(tmp_path, study_text):
        assert refused(2, *order, "--resume", "--force") == (
            "narrows: --resume continues and --force starts over: choose one of them\n"
        )
        assert "--save-every: got 0.0, expected minutes, above 0" in refused(
            2, *order, "--save-every", "0"
        )


def test_a_folder_that_cannot_be_written_is_refused_before_all(
    refused, tmp_path, study_text, monkeypatch
):
    (tmp_path / "out").mkdir()
    for order in orders(tmp_path, study_text):
        with monkeypatch.context() as patch:
            patch.setattr("os.access", lambda path, mode: False)
            assert "is read-only" in refused(1, *order)
        with locked(tmp_path / "out", folder=True):
            assert "is being written by another process" in refused(1, *order)


def test_the_page_is_not_drawn_again_while_another_process_writes_there(refused, trained):
    with locked(trained["pca"], folder=True):
        assert "is being written by another process" in refused(1, "report", trained["pca"])


def test_a_checkpoint_says_what_it_is(narrows, refused, trained):
    path = trained["denoiser"] / CHECKPOINT_NAME
    told = narrows("info", path, "--json").json()
    assert told["what"].startswith(
        "checkpoint of a training, from which `narrows train ... --resume` continues"
    )
    assert (told["epochs done"], told["recipe"], told["bottleneck.size"]) == (1, "denoising-mlp", 4)
    assert "it is the checkpoint of a training" in refused(1, "evaluate", path, "--data", "digits")


# -- trackers --------------------------------------------------------------------------------------


def test_a_tracker_is_reported_what_the_history_holds(narrows, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    small = (
        "--epochs",
        "2",
        "--batch-size",
        "64",
        "--set",
        "body.widths=[16]",
        "--set",
        "n_components=2",
    )
    found = narrows(
        "compare",
        "ae-mlp",
        "pca",
        "--data",
        "digits",
        "-o",
        tmp_path,
        "--log",
        "tensorboard",
        *small,
    )
    assert found.code == 0
    for name, tag in (("ae-mlp", "loss"), ("pca", "explained_variance_ratio")):
        found = accumulator.EventAccumulator(str(tmp_path / "runs" / name / "log" / "1")).Reload()
        told = [(event.step, event.value) for event in found.Scalars(tag)]
        history = store.load(tmp_path / "runs" / name).history_ or {tag: [told[0][1]]}
        assert told == [
            (k, pytest.approx(value, rel=1e-6)) for k, value in enumerate(history[tag], start=1)
        ]


def orders(folder, study: str) -> list[tuple]:
    """Each verb that trains, of data that is not there."""
    (folder / "mine.toml").write_text(study.replace('"digits"', '"nothing"'))
    data = ("--data", "nothing", "-o", folder / "out")
    return [
        ("train", "pca", *data),
        ("compare", "pca", "ae-mlp", *data),
        ("lab", "c", *data),
        ("study", folder / "mine.toml", *data),
    ]


def test_a_tracker_that_is_not_there_is_refused_before_anything_is_read(
    refused, tmp_path, monkeypatch, study_text
):
    monkeypatch.setitem(sys.modules, "wandb", None)
    for order in orders(tmp_path, study_text):
        assert refused(1, *order, "--log", "wandb") == (
            "narrows: this needs wandb, which is not installed: pip install 'narrows[wandb]'\n"
        )
        assert "no tracker called 'mlfow'; did you mean 'mlflow'?" in refused(
            2, *order, "--log", "mlfow"
        )
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


def test_the_help_names_all_trackers(narrows):
    shown = " ".join(narrows("train", "--help").out.split())
    assert f"{', '.join(list(LOGGERS)[:-1])} or {list(LOGGERS)[-1]}" in shown
