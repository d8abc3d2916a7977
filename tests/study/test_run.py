"""A study end to end: what it leaves, and that what its page says is what the models say."""

import csv
import json

import numpy as np
import pytest

import narrows as nw
from narrows.data import read_data as read_data
from narrows.errors import BuildError, DataError, NarrowsWarning, TrainingError, UnknownName
from narrows.model.files import store
from narrows.model.training.training import Training
from narrows.model.use.evaluate import evaluate
from narrows.study.data_split import read_split
from narrows.study.record import read_record
from narrows.study.run import run_study
from narrows.study.schema import Drawing, Number, Run, Study

RUNS = ("denoiser", "plane", "pca")
ONE_FIGURE = [Drawing("curves", "Loss", options={"of": ["loss"]})]


@pytest.fixture(scope="session")
def tested():
    """The test images of the digits."""
    return nw.load_data("digits", split="test")[0]


# -- what it leaves --------------------------------------------------------------------------------


def test_several_runs_have_a_folder_each(several, files):
    models = {
        f"runs/{name}/{file}" for name in RUNS for file in ("model.safetensors", "times.json")
    }
    trained = ("history.csv", "steps.csv", "last.safetensors")
    tables = {f"runs/{name}/{table}" for name in ("denoiser", "plane") for table in trained}
    figures = {
        f"figures/{f.name}.{ending}" for f in several.record.figures for ending in ("npz", "png")
    }
    more = {"run.json", "report.html", "runs/denoiser/snapshots.npz"}
    assert files(several.folder) == {*more, *models, *tables, *figures}


def test_one_run_is_at_the_top(alone, files):
    assert {"model.safetensors", "history.csv", "steps.csv", "run.json", "report.html"} < files(
        alone.folder
    )
    assert not (alone.folder / "runs").exists()


def test_it_says_what_it_does_as_it_does_it(several):
    trained = [f"{run.name}: training" for run in several.study.runs]
    drawn = [f"figure: {figure.title}" for figure in several.study.figures]
    told = [words for words in several.said if " steps were taken" not in words]
    assert [said[: len(words)] for said, words in zip(told, trained + drawn)] == trained + drawn
    assert "1,437 images" in several.said[0]


def test_the_facts_tell_how_to_run_it_again(several):
    facts = several.record.facts
    assert facts["data"].endswith("1,437 images to train, 360 to test")
    assert facts["fingerprint of the training images"] == read_data("digits", "train").fingerprint
    assert facts["seed"] == "0"
    assert f"narrows {nw.__version__}" in facts["versions"]


def test_models_are_described_as_they_are(several):
    said = {model["name"]: model for model in several.record.models}
    for name, epochs in (("denoiser", 2), ("plane", 2), ("pca", None)):
        model = store.load(several.folder / "runs" / name)
        assert said[name]["epochs"] == epochs
        assert (said[name]["parameters"], said[name]["code size"]) == (
            model.n_parameters_,
            model.code_size_,
        )
    assert said["plane"]["options"]["bottleneck"] == {"kind": "variational", "size": 2}
    assert said["plane"]["recipe"] == "vae-mlp"


def test_figures_of_runs_with_like_names_have_files_of_their_own(go, tmp_path, files):
    record = go(Run("a b", "ae-mlp", {"random_state": 1}), Run("a-b", "ae-mlp"))
    assert [figure.name for figure in record.figures] == ["loss-a-b", "loss-a-b-2"]
    assert {"figures/loss-a-b.npz", "figures/loss-a-b-2.npz"} <= files(tmp_path / "out")
    first, second = (figure.arrays["loss"] for figure in read_record(tmp_path / "out").figures)
    assert first != second


# -- the numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["denoiser", "plane", "pca"])
def test_measures_are_those_of_the_kept_model(several, table_of, tested, name):
    found = evaluate(store.load(several.folder / "runs" / name), tested)
    shown = {measure: row[name] for measure, row in table_of(several.record, "Measures").items()}
    assert {
        measure: value for measure, value in shown.items() if value is not None
    } == pytest.approx(found, rel=1e-5)


def test_numbers_are_in_the_table_in_their_order(several, table_of):
    rows = table_of(several.record, "Published and faithful")
    history = store.load(several.folder / "runs" / "plane").history_
    error = rows["error"]["by the trap"]
    assert {label: row["faithful"] for label, row in rows.items()} == pytest.approx(
        {
            "loss, first": history["loss"][0],
            "loss, too late": None,
            "test psnr": table_of(several.record, "Measures")["psnr"]["pca"],
            "error": rows["error"]["faithful"],
            "watched": history["val_loss"][1],
        }
    )
    assert error > rows["error"]["faithful"] > 0
    assert [row["published"] for row in rows.values()] == [
        number.published for number in several.study.numbers
    ]


def test_models_without_a_history_have_no_table_of_last_epochs(go, table_of):
    record = go(Run("p", "pca", {"n_components": 3}), Run("q", "pca", {"n_components": 4}))
    assert [table["title"] for table in record.tables] == ["Measures", "Bytes"]
    sizes = table_of(record, "Measures")["code_size"]
    assert (sizes["p"], sizes["q"]) == (3, 4)


def test_the_scale_of_measures_moves_psnr_not_at_all_and_mse_by_4(go, several, table_of):
    record = go(Run("pca", "pca", {"n_components": 5}), measure_scale="symmetric")
    unit, symmetric = (table_of(r, "Measures") for r in (several.record, record))
    assert symmetric["psnr"]["pca"] == pytest.approx(unit["psnr"]["pca"], rel=1e-5)
    assert symmetric["mse"]["pca"] == pytest.approx(4 * unit["mse"]["pca"], rel=1e-5)
    (names,) = [table["names"] for table in record.tables if table["title"] == "Measures"]
    assert names["mse"] == "MSE, per pixel on [-1, 1]"


# -- what is trained on what -----------------------------------------------------------------------


def test_snapshots_are_taken_after_their_epochs_of_those_that_have_epochs(several):
    taken = {
        figure.name: figure for figure in several.record.figures if figure.section == "On the way"
    }
    assert set(taken) == {"on-the-way-denoiser-1", "on-the-way-denoiser-2"}
    first, last = taken.values()
    assert np.array_equal(first.arrays["original"], last.arrays["original"])
    assert not np.array_equal(first.arrays["denoised"], last.arrays["denoised"])


def test_snapshots_show_the_images_held_back(several):
    X, _ = nw.load_data("digits", split="train")
    changes = next(run.changes for run in several.study.runs if run.name == "denoiser")
    held = nw.recipe("denoising-mlp", **{**changes, "epochs": 1}).fit(X).validation_index_
    assert held is not None
    shown = next(f for f in several.record.figures if f.name == "on-the-way-denoiser-1").arrays[
        "original"
    ]
    np.testing.assert_allclose(shown, X[held[: len(shown)]] / 255, atol=1e-6)


def test_a_watched_run_is_validated_on_the_tested(several, tested):
    model = store.load(several.folder / "runs" / "plane")
    again = nw.recipe(
        "vae-mlp", **next(run.changes for run in several.study.runs if run.name == "plane")
    )
    again.set_params(validation=tested).fit(nw.load_data("digits", split="train")[0])
    assert again.history_["val_loss"] == pytest.approx(model.history_["val_loss"], rel=1e-4)


def test_changes_merge_into_those_of_the_study_and_pass_by_runs_that_have_no_such_option(go):
    record = go(
        Run("a", "ae-mlp", {"bottleneck": {"size": 7}, "optimiser": {"kind": "adam", "lr": 2e-3}}),
        Run("p", "pca", {"n_components": 3}),
        changes={
            "epochs": 2,
            "bottleneck": {"size": 5},
            "body": {"activation": "tanh"},
            "random_state": 4,
        },
    )
    a, p = (model["options"] for model in record.models)
    assert a["bottleneck"] == {"kind": "plain", "size": 5}
    assert a["body"] == {"kind": "mlp", "widths": [32], "activation": "tanh"}
    assert a["optimiser"] == {"kind": "adam", "lr": 2e-3}
    assert (a["epochs"], record.models[0]["epochs"], p["n_components"]) == (2, 2, 3)
    assert record.facts["seed"] == "4"


def test_a_change_of_a_part_left_to_its_default_goes_into_the_default(go):
    changes = {"optimiser": {"lr": 5e-4}, "likelihood": {"variance": 2.0}}
    options = go(Run("a", "ae-mlp", {"optimiser": "adam"}), changes=changes).models[0]["options"]
    assert options["optimiser"] == {"kind": "adam", "lr": 5e-4}
    assert options["likelihood"] == {"kind": "gaussian", "variance": 2.0}


def test_a_change_that_no_run_has_is_refused(go, tmp_path):
    with pytest.raises(
        UnknownName, match="no option called 'botleneck'; did you mean 'bottleneck'"
    ):
        go(Run("a", "ae-mlp"), changes={"botleneck": {"size": 3}})
    assert not (tmp_path / "out").exists()


def test_a_wrong_option_is_refused_before_anything_is_written(go, tmp_path):
    with pytest.raises(DataError, match=r"the run 'a': .* no option 'siz'; did you mean 'size'"):
        go(Run("a", "ae-mlp", {"bottleneck": {"siz": 3}}))
    assert not (tmp_path / "out").exists()


def test_each_run_is_trained_on_its_own_data_and_measured_on_it(go, pictures, table_of):
    small = pictures(20)
    record = go(
        Run("a", "pca", {"n_components": 2}), Run("b", "pca", {"n_components": 2}, small), say=print
    )
    assert "1,437 images to train, 360 to test; " in record.facts["data"]
    assert record.facts["data"].endswith("18 images to train, 2 to test")
    prints = record.facts["fingerprint of the training images"].split(", ")
    assert prints == [read_split("digits").train.fingerprint, read_split(small).train.fingerprint]
    mse = table_of(record, "Measures")["mse"]
    for name, data in (("a", "digits"), ("b", small)):
        shown = read_split(data)
        model = nw.PCA(2).fit(shown.train.images)
        assert mse[name] == pytest.approx(evaluate(model, shown.test.images)["mse"], rel=1e-4)
    assert "360 or 2 test images" in next(
        t["caption"] for t in record.tables if t["title"] == "Measures"
    )


def test_the_set_given_replaces_that_of_the_study_not_that_of_a_run(pictures, tmp_path):
    own = pictures(20)
    runs = [Run("a", "pca", {"n_components": 2}), Run("b", "pca", {"n_components": 2}, own)]
    record = run_study(
        Study("t", runs, "no such set", figures=ONE_FIGURE), tmp_path / "out", data="digits"
    )
    assert "1,437 images to train" in record.facts["data"]
    assert "18 images to train" in record.facts["data"]


def test_all_data_are_read_before_the_first_run_is_trained(go, tmp_path):
    with pytest.raises(UnknownName, match="no data set called 'mnits'; did you mean 'mnist'"):
        go(Run("a", "ae-mlp"), Run("b", "pca", data="mnits"))
    assert not (tmp_path / "out").exists()


# -- failing, and again ----------------------------------------------------------------------------


def test_a_training_that_fails_keeps_the_best_model_and_its_history(several, tmp_path, monkeypatch):
    step = Training.step

    def poisoned(self, *arguments):
        if self.progress.epoch == 2:
            next(self.network.parameters()).data.fill_(np.nan)
        return step(self, *arguments)

    monkeypatch.setattr(Training, "step", poisoned)
    healthy = next(run for run in several.study.runs if run.name == "denoiser")
    study = Study(
        "t",
        [Run("a", healthy.recipe, {**healthy.changes, "epochs": 4})],
        "digits",
        figures=ONE_FIGURE,
    )
    with pytest.raises(
        TrainingError, match=r"became nan in epoch 3, batch 1, .* the best epoch so far are kept"
    ):
        run_study(study, tmp_path)
    assert weights(tmp_path) == weights(several.folder / "runs" / "denoiser")
    with open(tmp_path / "history.csv", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]
    assert not (tmp_path / "report.html").exists()


def weights(folder) -> dict:
    _, tensors = store.read_file(folder / "model.safetensors")
    return {
        name: tensor.tolist() for name, tensor in tensors.items() if not name.startswith("prior.")
    }


def test_the_same_study_gives_the_same_again_but_for_the_time(alone, tmp_path, files):
    again = run_study(alone.study, tmp_path)
    assert files(tmp_path) == files(alone.folder)
    assert timeless(tmp_path) == timeless(alone.folder)
    for ours, theirs in zip(again.figures, alone.record.figures, strict=True):
        assert ours.arrays.keys() == theirs.arrays.keys()
        for name, array in ours.arrays.items():
            np.testing.assert_array_equal(array, theirs.arrays[name])


def timeless(folder) -> dict:
    plain = json.loads((folder / "run.json").read_text())
    for name in ("seconds", "seconds of training"):
        del plain["facts"][name]
    for model in plain["models"]:
        del model["training seconds"]
    return plain


@pytest.mark.parametrize(
    ("wishes", "kind", "said"),
    [
        (
            {"numbers": [Number("x", "p", test="psnrr")]},
            DataError,
            "run 'p' has no 'psnrr'; did you mean 'psnr'",
        ),
        (
            {"figures": [Drawing("codes", "f", options={"method": "umap"})]},
            BuildError,
            "method: got 'umap'",
        ),
        (
            {"figures": [Drawing("plane", "f", options={"reach": "x"})]},
            BuildError,
            "the figure 'f': an option has",
        ),
        (
            {"figures": [Drawing("samples", "f", options={"count": "x"})]},
            BuildError,
            "count: got 'x'",
        ),
    ],
)
def test_what_cannot_be_had_is_reported_once_the_page_is_drawn(go, tmp_path, wishes, kind, said):
    with pytest.raises(kind, match=said):
        go(Run("p", "pca", {"n_components": 2}), **wishes)
    assert (tmp_path / "out" / "report.html").exists()


def test_what_training_warned_of_is_on_the_page(go, tmp_path):
    dead = {
        "bottleneck": {"kind": "sparse", "size": 8, "weight": 1e4},
        "epochs": 5,
        "optimiser": {"rate": 0.01},
    }
    with pytest.warns(NarrowsWarning, match="the code is dead"):
        go(Run("s", "ae-mlp", dead))
    assert "Warning: s: the code is dead" in (tmp_path / "out" / "report.html").read_text(
        encoding="utf-8"
    )


def test_a_study_is_left_as_it_is(tmp_path, small):
    dead = {
        **small,
        "bottleneck": {"kind": "sparse", "size": 8, "weight": 1e4},
        "optimiser": {"rate": 0.03},
    }
    study = Study("t", [Run("s", "ae-mlp", dead)], "digits", text=["one"], figures=ONE_FIGURE)
    with pytest.warns(NarrowsWarning):
        record = run_study(study, tmp_path)
    assert (len(record.text), study.text) == (2, ["one"])
