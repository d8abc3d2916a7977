"""What verbs that train have in common: they leave alone what is there, take it up again, and tell trackers."""

import sys

import pytest

from narrows.model import store
from narrows.model.log import LOGGERS

# -- what is there already ------------------------------------------------------------------------------------


def test_what_is_there_is_left_alone_unless_forced(narrows, refused, tmp_path):
    train = ("train", "pca", "--data", "digits", "-o", tmp_path / "run", "--set")
    assert narrows(*train, "n_components=1").code == 0
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert "exists already; choose another name, or replace it with --force" in refused(1, *train, "n_components=3")
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    assert narrows(*train, "n_components=2", "--force").code == 0
    assert store.load(tmp_path / "run").code_size_ == 2


def test_what_is_there_is_taken_up_again_if_nothing_has_changed(narrows, tmp_path, quick):
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


# -- trackers -------------------------------------------------------------------------------------------------


def test_a_tracker_is_told_what_the_history_holds(narrows, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    small = ("--epochs", "2", "--batch-size", "64", "--set", "body.widths=[16]", "--set", "n_components=2")
    found = narrows("compare", "ae-mlp", "pca", "--data", "digits", "-o", tmp_path, "--log", "tensorboard", *small)
    assert found.code == 0
    for name, tag in (("ae-mlp", "loss"), ("pca", "explained_variance_ratio")):
        found = accumulator.EventAccumulator(str(tmp_path / "runs" / name / "log" / "1")).Reload()
        told = [(event.step, event.value) for event in found.Scalars(tag)]
        history = getattr(store.load(tmp_path / "runs" / name), "history_", {tag: [told[0][1]]})
        assert told == [(k, pytest.approx(value, rel=1e-6)) for k, value in enumerate(history[tag], start=1)]


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


def test_a_tracker_that_is_not_there_is_refused_before_anything_is_read(refused, tmp_path, monkeypatch, study_text):
    monkeypatch.setitem(sys.modules, "wandb", None)
    for order in orders(tmp_path, study_text):
        assert refused(1, *order, "--log", "wandb") == (
            "narrows: this needs wandb, which is not installed: pip install 'narrows[wandb]'\n"
        )
        assert "no tracker called 'mlfow'; did you mean 'mlflow'?" in refused(2, *order, "--log", "mlfow")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


def test_the_help_names_all_trackers(narrows):
    shown = " ".join(narrows("train", "--help").out.split())
    assert f"{', '.join(list(LOGGERS)[:-1])} or {list(LOGGERS)[-1]}" in shown
