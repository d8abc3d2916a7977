"""A study end to end: what it leaves, and that what its page says is what the models say."""

import csv
import json

import numpy as np
import pytest

import narrows as nw
from narrows.data import read as read_data
from narrows.errors import BuildError, DataError, NarrowsWarning, TrainingError, UnknownName
from narrows.model import store
from narrows.model.evaluate import evaluate
from narrows.model.train import Training
from narrows.study.form import Drawing, Number, Run, Study
from narrows.study.record import read
from narrows.study.run import run_study

ONE_FIGURE = [Drawing("curves", "Loss", options={"of": ["loss"]})]


@pytest.fixture(scope="session")
def test_images():
    return nw.load_data("digits", split="test")[0]


# -- what it leaves -------------------------------------------------------------------------------------------


def test_several_runs_have_a_folder_each(several, files):
    models = {f"runs/{name}/model.safetensors" for name in ("denoiser", "plane", "pca")}
    tables = {f"runs/{name}/{table}.csv" for name in ("denoiser", "plane") for table in ("history", "steps")}
    figures = {f"figures/{f.name}.{ending}" for f in several.record.figures for ending in ("npz", "png")}
    assert files(several.folder) == {"run.json", "report.html", *models, *tables, *figures}


def test_one_run_stands_at_the_top(alone, files):
    assert {"model.safetensors", "history.csv", "steps.csv", "run.json", "report.html"} < files(alone.folder)
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
        assert (said[name]["parameters"], said[name]["code size"]) == (model.n_parameters_, model.code_size_)
    assert said["plane"]["options"]["bottleneck"] == {"kind": "variational", "size": 2}
    assert said["plane"]["recipe"] == "vae-mlp"


def test_figures_of_runs_with_like_names_have_files_of_their_own(go, tmp_path, files):
    record = go(Run("a b", "ae-mlp", {"random_state": 1}), Run("a-b", "ae-mlp"))
    assert [figure.name for figure in record.figures] == ["loss-a-b", "loss-a-b-2"]
    assert {"figures/loss-a-b.npz", "figures/loss-a-b-2.npz"} <= files(tmp_path / "out")
    first, second = (figure.arrays["loss"] for figure in read(tmp_path / "out").figures)
    assert first != second


# -- the numbers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["denoiser", "plane", "pca"])
def test_measures_are_those_of_the_kept_model(several, table_of, test_images, name):
    found = evaluate(store.load(several.folder / "runs" / name), test_images)
    shown = {measure: row[name] for measure, row in table_of(several.record, "Measures").items()}
    assert {measure: value for measure, value in shown.items() if value is not None} == pytest.approx(found, rel=1e-5)


@pytest.mark.parametrize("name", ["denoiser", "plane"])
def test_the_last_epoch_is_the_end_of_the_history(several, table_of, name):
    history = store.load(several.folder / "runs" / name).history_
    rows = table_of(several.record, "Last epoch")
    spoken = {f"training {key}".replace("training val_", "validation "): history[key] for key in history}
    assert set(spoken) - {"training seconds"} <= set(rows)
    for measure, row in rows.items():
        whole = {**spoken, "training nll per value": [history["nll"][-1] / 64]}
        assert row[name] == (whole[measure][-1] if measure in whole else None)
        assert row["pca"] is None


def test_numbers_are_entries_of_the_history_or_measures(several, table_of):
    rows = table_of(several.record, "Published and faithful")
    history = store.load(several.folder / "runs" / "plane").history_
    measures = table_of(several.record, "Measures")
    assert {label: row["faithful"] for label, row in rows.items()} == pytest.approx(
        {
            "loss, first": history["loss"][0],
            "loss, last": history["loss"][1],
            "loss, mean": sum(history["loss"]) / 2,
            "loss per pixel": history["loss"][1] / 64,
            "loss, too late": None,
            "test psnr": measures["psnr"]["pca"],
            "test mse per pixel": measures["mse"]["pca"] / 64,
            "watched": history["val_loss"][1],
        }
    )


def test_the_difference_is_faithful_less_published_where_there_are_both(several):
    table = next(table for table in several.record.tables if table["title"] == "Published and faithful")
    for row, number in zip(table["rows"], several.study.numbers, strict=True):
        assert row["published"] == number.published
        if None in (row["published"], row["faithful"]):
            assert row["difference"] is None
        else:
            assert row["difference"] == pytest.approx(row["faithful"] - row["published"])


def test_an_entry_that_the_history_has_not_is_refused_with_what_it_has(go):
    with pytest.raises(DataError, match=r"the number 'n': run 'a' has no 'val_psnr'; .*known: loss, nll, seconds"):
        go(Run("a", "ae-mlp"), numbers=[Number("n", "a", history="val_psnr")])


def test_models_without_a_history_have_no_table_of_last_epochs(go, table_of):
    record = go(Run("p", "pca", {"n_components": 3}), Run("q", "pca", {"n_components": 4}))
    assert [table["title"] for table in record.tables] == ["Measures"]
    sizes = table_of(record, "Measures")["code_size"]
    assert (sizes["p"], sizes["q"]) == (3, 4)


def test_the_scale_of_measures_moves_psnr_not_at_all_and_mse_by_4(go, several, table_of):
    record = go(Run("pca", "pca", {"n_components": 5}), measure_scale="symmetric")
    unit, symmetric = (table_of(r, "Measures") for r in (several.record, record))
    assert symmetric["psnr"]["pca"] == pytest.approx(unit["psnr"]["pca"], rel=1e-5)
    assert symmetric["mse"]["pca"] == pytest.approx(4 * unit["mse"]["pca"], rel=1e-5)
    assert "[-1, 1]" in record.tables[-1]["caption"]


# -- what is trained on what ----------------------------------------------------------------------------------


def test_snapshots_are_taken_after_their_epochs_of_those_that_have_epochs(several):
    taken = {figure.name: figure for figure in several.record.figures if figure.section == "On the way"}
    assert set(taken) == {"on-the-way-denoiser-1", "on-the-way-denoiser-2"}
    first, last = taken.values()
    assert np.array_equal(first.arrays["original"], last.arrays["original"])
    assert not np.array_equal(first.arrays["denoised"], last.arrays["denoised"])


def test_snapshots_show_the_images_held_back(several):
    X, _ = nw.load_data("digits", split="train")
    changes = next(run.changes for run in several.study.runs if run.name == "denoiser")
    held = nw.recipe("denoising-mlp", **{**changes, "epochs": 1}).fit(X).validation_index_
    shown = next(f for f in several.record.figures if f.name == "on-the-way-denoiser-1").arrays["original"]
    np.testing.assert_allclose(shown, X[held[: len(shown)]] / 255, atol=1e-6)


def test_a_watched_run_is_validated_on_the_test_images(several, test_images):
    model = store.load(several.folder / "runs" / "plane")
    again = nw.recipe("vae-mlp", **next(run.changes for run in several.study.runs if run.name == "plane"))
    again.set_params(validation=test_images).fit(nw.load_data("digits", split="train")[0])
    assert again.history_["val_loss"] == pytest.approx(model.history_["val_loss"], rel=1e-4)


def test_changes_merge_into_those_of_the_study_and_pass_by_runs_that_have_no_such_option(go):
    record = go(
        Run("a", "ae-mlp", {"bottleneck": {"size": 7}, "optimiser": {"kind": "adam", "rate": 2e-3}}),
        Run("p", "pca", {"n_components": 3}),
        changes={"epochs": 2, "bottleneck": {"size": 5}, "body": {"activation": "tanh"}, "random_state": 4},
    )
    a, p = (model["options"] for model in record.models)
    assert a["bottleneck"] == {"kind": "plain", "size": 5}
    assert a["body"] == {"kind": "mlp", "widths": [32], "activation": "tanh"}
    assert a["optimiser"] == {"kind": "adam", "rate": 2e-3}
    assert (a["epochs"], record.models[0]["epochs"], p["n_components"]) == (2, 2, 3)
    assert record.facts["seed"] == "4"


def test_a_change_of_a_part_left_to_its_default_goes_into_the_default(go):
    changes = {"optimiser": {"rate": 5e-4}, "likelihood": {"variance": 2.0}}
    options = go(Run("a", "ae-mlp", {"optimiser": "adam"}), changes=changes).models[0]["options"]
    assert options["optimiser"] == {"kind": "adam", "rate": 5e-4}
    assert options["likelihood"] == {"kind": "gaussian", "variance": 2.0}


def test_a_change_that_no_run_has_is_refused(go, tmp_path):
    with pytest.raises(UnknownName, match="no option called 'botleneck'; did you mean 'bottleneck'"):
        go(Run("a", "ae-mlp"), changes={"botleneck": {"size": 3}})
    assert not (tmp_path / "out").exists()


def test_a_wrong_option_is_refused_before_anything_is_written(go, tmp_path):
    with pytest.raises(BuildError, match="no option 'siz'; did you mean 'size'"):
        go(Run("a", "ae-mlp", {"bottleneck": {"siz": 3}}))
    assert not (tmp_path / "out").exists()


# -- sets of all kinds ----------------------------------------------------------------------------------------


# -- failing, and again ---------------------------------------------------------------------------------------


def test_a_training_that_fails_keeps_the_best_model_and_its_history(several, tmp_path, monkeypatch):
    step = Training.step

    def poisoned(self, *arguments):
        if self.epoch == 2:
            next(self.network.parameters()).data.fill_(np.nan)
        return step(self, *arguments)

    monkeypatch.setattr(Training, "step", poisoned)
    healthy = next(run for run in several.study.runs if run.name == "denoiser")
    study = Study("t", [Run("a", healthy.recipe, {**healthy.changes, "epochs": 4})], "digits", figures=ONE_FIGURE)
    with pytest.raises(TrainingError, match=r"became nan in epoch 3, batch 1, .* the best epoch so far are kept"):
        run_study(study, tmp_path)
    assert weights(tmp_path) == weights(several.folder / "runs" / "denoiser")
    with open(tmp_path / "history.csv", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]
    assert not (tmp_path / "report.html").exists()


def weights(folder) -> dict:
    _, tensors = store.read(folder / "model.safetensors")
    return {name: tensor.tolist() for name, tensor in tensors.items() if not name.startswith("prior.")}


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
    del plain["facts"]["seconds"]
    for model in plain["models"]:
        del model["training seconds"]
    return plain


def test_a_number_that_is_not_there_is_told_once_the_page_is_drawn(go, tmp_path):
    number = Number("x", "p", test="psnrr")
    with pytest.raises(DataError, match="run 'p' has no 'psnrr'; did you mean 'psnr'"):
        go(Run("p", "pca", {"n_components": 2}), numbers=[number])
    assert (tmp_path / "out" / "report.html").exists()


def test_what_training_warned_of_is_on_the_page(go, tmp_path):
    dead = {"bottleneck": {"kind": "sparse", "size": 8, "weight": 1e4}, "epochs": 5, "optimiser": {"rate": 0.01}}
    with pytest.warns(NarrowsWarning, match="the code is dead"):
        go(Run("s", "ae-mlp", dead))
    assert "Warning: s: the code is dead" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
