"""A study whose runs are taken up again is the study itself; and trackers are told of what is trained."""

from shutil import copytree
from typing import ClassVar

import numpy as np
import pytest

from narrows.model.files import store
from narrows.model.trackers import LOGGERS
from narrows.study.run import run_study
from narrows.study.run_folder import take_up
from narrows.study.schema import Drawing, Run, Study


def test_a_study_taken_up_again_is_the_study_itself(several, tmp_path, files):
    folder, said = tmp_path / "again", []
    copytree(several.folder, folder)
    record = run_study(several.study, folder, reuse=True, say=said.append)
    assert [words for words in said if "train" in words] == [
        f"{run.name}: already trained" for run in several.study.runs
    ]
    assert files(folder) == files(several.folder)
    for ours, theirs in zip(record.tables, several.record.tables, strict=True):
        assert (ours["title"], ours["caption"]) == (theirs["title"], theirs["caption"])
        for row, other in zip(ours["rows"], theirs["rows"], strict=True):
            assert row == pytest.approx(other)
    for ours, theirs in zip(record.figures, several.record.figures, strict=True):
        for name, array in theirs.arrays.items():
            np.testing.assert_allclose(ours.arrays[name], array, rtol=1e-6)


def test_only_what_has_changed_is_trained_again(several, tmp_path):
    folder, said = tmp_path / "again", []
    copytree(several.folder, folder)
    figures = [Drawing("correlation", "Other words", runs=["pca"])]
    runs = [
        Run(one.name, one.recipe, {**one.changes}, None, one.snapshots, one.watch)
        for one in several.study.runs
    ]
    runs[0].changes["epochs"] = 1
    record = run_study(
        Study("new", runs, "digits", figures=figures), folder, reuse=True, say=said.append
    )
    assert [
        words.split(" on ")[0] for words in said if "train" in words and "steps" not in words
    ] == [
        "denoiser: training Autoencoder",
        "plane: already trained",
        "pca: already trained",
    ]
    assert store.load(folder / "runs" / "denoiser").epochs_ == 1
    assert [figure.section for figure in record.figures] == ["Other words"]
    assert record.models[2]["training seconds"] == several.record.models[2]["training seconds"]


def test_without_being_asked_nothing_is_taken_up(go):
    said = []
    for reuse in (False, False, True):
        go(Run("p", "pca", {"n_components": 2}), reuse=reuse, say=said.append)
    assert [words[:11] for words in said if words.startswith("p: ")] == ["p: training"] * 2 + [
        "p: already "
    ]


def test_the_time_holds_that_of_trainings_taken_up(go, monkeypatch):
    def slow(*arguments):
        found = take_up(*arguments)
        found.seconds = 1e4
        return found

    go(Run("p", "pca", {"n_components": 2}))
    monkeypatch.setattr("narrows.study.obtain.take_up", slow)
    facts = go(Run("p", "pca", {"n_components": 2}), reuse=True).facts
    assert facts["seconds"] >= facts["seconds of training"] == 1e4


class Tracker:
    """Keeps what it is told."""

    kept: ClassVar[list] = []

    def __init__(self, folder, run):
        self.name, self.version = run, 1
        self.kept.append((run, folder.name, []))

    def log_hyperparams(self, params):
        self.kept[-1][2].append(params)

    def log_metrics(self, metrics, step):
        self.kept[-1][2].append((step, metrics))


def test_a_tracker_is_reported_of_every_run_in_its_folder(go, tmp_path, monkeypatch):
    monkeypatch.setitem(LOGGERS, "json", Tracker)  # a module that there is
    record = go(Run("a", "ae-mlp", {"epochs": 2}), Run("p", "pca", {"n_components": 2}), log="json")
    (a, first, told), (p, second, others) = Tracker.kept
    assert (a, first, p, second) == ("a", "a", "p", "p")
    history = store.load(tmp_path / "out" / "runs" / "a").history_
    assert told[0]["epochs"] == 2
    assert [step for step, _ in told[1:]] == [1, 2]
    for k, (_, metrics) in enumerate(told[1:]):
        seconds = {"seconds": metrics["seconds"]}  # which a model file does not hold
        assert metrics == {**{name: values[k] for name, values in history.items()}, **seconds}
    assert [step for step, _ in others[1:]] == [1]
    assert record.models[0]["epochs"] == 2
