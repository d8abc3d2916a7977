"""What a run leaves behind; and a run that is taken up again equals the run itself, or is trained
again.
"""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest

import narrows as nw
from narrows.data import ImageSet
from narrows.errors import NarrowsWarning
from narrows.model.files import store
from narrows.study.data_split import DataSplit, read_split
from narrows.study.obtain import obtain_run
from narrows.study.run_folder import as_csv, keep, take_up
from narrows.study.schema import Run
from narrows.study.trained import Trained
from small_models import same, timeless

FAST = {"epochs": 2, "batch_size": 32, "optimiser": {"rate": 3e-3}}
TINY = {**FAST, "body": {"widths": [16]}, "bottleneck": {"size": 3}}
SHARP = {"kind": "gaussian", "variance": 0.02, "output": "sigmoid"}
RUNS = {
    "held": Run("held", "denoising-mlp", {**TINY, "validation": 0.2}, snapshots=[1, 2]),
    "watched": Run(
        "watched", "vae-mlp", {**TINY, "likelihood": SHARP}, snapshots=[2], watch="test"
    ),
    "pca": Run("pca", "pca", {"n_components": 2}),
}


def columns(path) -> dict[str, list[float]]:
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


@pytest.fixture(scope="session")
def digits() -> DataSplit:
    return read_split("digits")


@pytest.fixture(scope="session")
def kept(digits, tmp_path_factory) -> dict[str, SimpleNamespace]:
    """Runs by name: run, trained, folder."""
    found = {}
    for name, run in RUNS.items():
        folder = tmp_path_factory.mktemp(name)
        trained = obtain_run(run, model_of(run), digits, folder)
        found[name] = SimpleNamespace(run=run, trained=trained, folder=folder)
    return found


def model_of(run: Run):
    return nw.recipe(run.recipe, **run.changes)


def copied(folder, tmp_path):
    """A copy of a folder's files."""
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


# -- what is left ----------------------------------------------------------------------------------


def test_csv_is_numbered_from_1_and_keeps_9_digits():
    assert (
        as_csv("epoch", {"a": [1.0, 1 / 3], "b": [0, 1e-20]})
        == "epoch,a,b\n1,1,0\n2,0.333333333,1e-20\n"
    )


def test_csv_stops_where_the_shortest_column_does():
    assert as_csv("epoch", {"a": [1.0, 2.0], "b": [3.0]}) == "epoch,a,b\n1,1,3\n"


@pytest.mark.parametrize("name", ["denoiser", "plane"])
def test_histories_equal_those_of_the_model(several, name):
    folder = several.folder / "runs" / name
    model = store.load(folder)
    epochs, steps = columns(folder / "history.csv"), columns(folder / "steps.csv")
    assert epochs.pop("epoch") == [1, 2]
    times = json.loads((folder / "times.json").read_text())["history"]
    assert all(seconds > 0 for column in times.values() for seconds in column)
    assert set(epochs) == {*model.history_, *times} > set(model.history_) == set(timeless(epochs))
    for entry, values in {**model.history_, **times}.items():
        assert epochs[entry] == pytest.approx(values, rel=1e-8)
    assert steps["step"] == list(range(1, len(steps["loss"]) + 1))
    half = len(steps["loss"]) // 2
    sizes = np.full(half, 32.0)
    sizes[-1] = {"denoiser": 1437 - 287, "plane": 1437}[name] - 32 * (half - 1)
    assert np.average(steps["loss"][half:], weights=sizes) == pytest.approx(
        epochs["loss"][1], rel=1e-6
    )


def test_a_model_without_history_leaves_none(several, files):
    assert files(several.folder / "runs" / "pca") == {"model.safetensors", "times.json"}


def test_the_model_file_says_where_it_comes_from(several):
    about = store.load(several.folder / "runs" / "plane").about_
    assert about["recipe"] == "vae-mlp"
    assert "Digits" in about["data"]
    assert len(about["fingerprint"]) == 16


def test_what_another_run_left_there_goes(kept, tmp_path, files):
    copied(kept["held"].folder, tmp_path)
    keep(kept["pca"].run, kept["pca"].trained, tmp_path)
    assert files(tmp_path) == {"model.safetensors", "times.json"}


# -- taken up again --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RUNS)
def test_a_run_taken_up_again_equals_the_run_itself(kept, digits, name):
    one = kept[name]
    run, before = one.run, one.trained
    found = take_up(run, model_of(run), digits, one.folder)
    assert found is not None
    assert (found.name, found.seconds, found.complete, found.warnings) == (
        name,
        before.seconds,
        True,
        before.warnings,
    )
    assert (found.reused, before.reused) == (True, False)
    assert found.history == before.history
    assert found.steps == before.steps
    assert found.step_terms.keys() == before.step_terms.keys()
    for term, values in before.step_terms.items():
        np.testing.assert_array_equal(np.float32(found.step_terms[term]), np.float32(values))
    assert found.snapshots.keys() == before.snapshots.keys()
    for epoch, rows in before.snapshots.items():
        assert found.snapshots[epoch].keys() == rows.keys()
        for row, images in rows.items():
            np.testing.assert_array_equal(found.snapshots[epoch][row], images)
    assert same(found.model._state()[0], before.model._state()[0])
    codes, codes_before = (one.model.transform(one.part("test")[0]) for one in (found, before))
    np.testing.assert_array_equal(codes, codes_before)


def test_it_knows_what_it_held_back(kept, digits):
    found = take_up(kept["held"].run, model_of(kept["held"].run), digits, kept["held"].folder)
    assert found is not None
    for ours, theirs in zip(
        found.part("validation"), kept["held"].trained.part("validation"), strict=True
    ):
        assert ours is not None
        np.testing.assert_array_equal(ours, theirs)
        assert len(ours) == 287


def test_warnings_are_taken_over_too(digits, tmp_path):
    dead = {
        "bottleneck": {"kind": "sparse", "size": 8, "weight": 1e4},
        "epochs": 3,
        "optimiser": {"rate": 0.03},
    }
    run = Run("dead", "ae-mlp", {**TINY, **dead})
    with pytest.warns(NarrowsWarning, match="the code is dead"):
        obtain_run(run, model_of(run), digits, tmp_path)
    found = take_up(run, model_of(run), digits, tmp_path)
    assert found is not None
    (told,) = found.warnings
    assert told.startswith("the code is dead")


@pytest.mark.parametrize("name", RUNS)
def test_what_is_taken_up_is_not_trained(kept, digits, monkeypatch, name):
    monkeypatch.setattr("narrows.study.obtain._kept", None)
    said, one = [], kept[name]
    found = obtain_run(one.run, model_of(one.run), digits, one.folder, reuse=True, say=said.append)
    assert said == [f"{name}: already trained"]
    assert found.complete


CHANGES = {
    "an option": {"changes": {**TINY, "validation": 0.2, "epochs": 3}},
    "an option of a part": {"changes": {**TINY, "validation": 0.2, "bottleneck": {"size": 4}}},
    "the seed": {"changes": {**TINY, "validation": 0.2, "random_state": 1}},
    "the recipe": {"recipe": "ae-mlp", "changes": {**TINY, "validation": 0.2}},
    "snapshots": {"snapshots": [1]},
    "watch": {"watch": "test"},
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_run_that_has_changed_is_no_longer_that_run(kept, digits, what):
    one = kept["held"]
    told = {
        name: getattr(one.run, name) for name in ("name", "recipe", "changes", "snapshots", "watch")
    }
    run = Run(**{**told, **CHANGES[what]})
    assert take_up(run, model_of(run), digits, one.folder) is None


def test_other_images_make_another_run(kept, digits):
    fewer, seen = ImageSet(digits.train.images[:-1]), ImageSet(digits.test.images[:-1])
    for name, shown, taken in (
        ("held", DataSplit(fewer, digits.test), False),
        ("pca", DataSplit(fewer, digits.test), False),
        ("pca", DataSplit(digits.train, seen), True),  # which has not seen a test image
        ("watched", DataSplit(digits.train, seen), False),
    ):
        found = take_up(kept[name].run, model_of(kept[name].run), shown, kept[name].folder)
        assert (found is not None) == taken


@pytest.mark.parametrize("name", ["narrows", "torch"])
def test_another_version_makes_another_run(kept, digits, monkeypatch, name):
    now = store.versions()
    monkeypatch.setattr(store, "versions", lambda: {**now, name: "0.0"})
    assert take_up(kept["pca"].run, model_of(kept["pca"].run), digits, kept["pca"].folder) is None
    monkeypatch.setattr(store, "versions", lambda: {**now, "python": "2.7"})
    assert (
        take_up(kept["pca"].run, model_of(kept["pca"].run), digits, kept["pca"].folder) is not None
    )


def test_a_training_that_has_not_come_to_its_end_is_not_taken_up(kept, digits, tmp_path):
    one = kept["held"]
    before = one.trained
    keep(one.run, Trained("held", before.model, digits, step_terms=before.step_terms), tmp_path)
    assert take_up(one.run, model_of(one.run), digits, tmp_path) is None


def spoil_header(folder):
    header, tensors = store.read_file(folder / "model.safetensors")
    del header["about"]["whole"]
    header = json.dumps(header)
    from safetensors.torch import save_file

    save_file(tensors, folder / "model.safetensors", {"narrows": header})


SPOILT = {
    "no file": lambda folder: (folder / "model.safetensors").unlink(),
    "a broken file": lambda folder: (folder / "model.safetensors").write_bytes(b"none"),
    "another's file": spoil_header,
    "no times": lambda folder: (folder / "times.json").unlink(),
    "broken times": lambda folder: (folder / "times.json").write_text("[]"),
    "broken steps": lambda folder: (folder / "steps.csv").write_text("step,loss\n1,x\n"),
    "broken snapshots": lambda folder: (folder / "snapshots.npz").write_bytes(b"none"),
}


@pytest.mark.parametrize("what", SPOILT)
def test_what_is_missing_or_broken_is_trained_again(kept, digits, tmp_path, what):
    folder = copied(kept["held"].folder, tmp_path)
    assert take_up(RUNS["held"], model_of(RUNS["held"]), digits, folder) is not None
    SPOILT[what](folder)
    assert take_up(RUNS["held"], model_of(RUNS["held"]), digits, folder) is None
