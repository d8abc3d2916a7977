"""Verbs that train and measure."""

import json
import os
import sys
from pathlib import Path

import pytest
from PIL import Image

import narrows as nw
from narrows.data.fetch import SUMS
from narrows.model import store
from narrows.model.log import LOGGERS

STUDY = """
title = "Mine"
data = "digits"

[[runs]]
name = "a"
recipe = "ae-mlp"
changes = { epochs = 2, batch_size = 64, body = { widths = [16] } }

[[runs]]
name = "p"
recipe = "pca"

[[numbers]]
label = "loss"
run = "a"
history = "loss"
published = 3.0

[[figures]]
kind = "codes"
title = "Codes"
options = { method = "tsne" }
"""


def record(folder) -> dict:
    return json.loads((Path(folder) / "run.json").read_text())


@pytest.fixture
def photos(tmp_path):
    """A folder of 12 pictures named as a set is, one of them broken; the working folder is where it lies."""
    folder = tmp_path / "digits"
    folder.mkdir()
    for k in range(12):
        Image.linear_gradient("L").resize((9, 8)).rotate(30 * k).save(folder / f"{k}.png")
    (folder / "broken.png").write_bytes(b"none")
    return folder


# -- train and compare ----------------------------------------------------------------------------------------


def test_train_leaves_a_run_folder_that_loads(trained):
    model = store.load(trained["denoiser"])
    assert model.get_params()["bottleneck"] == {"kind": "plain", "size": 4}
    assert model.get_params()["body"] == {"kind": "mlp", "widths": [16]}
    assert (model.epochs_, model.get_params()["batch_size"]) == (1, 64)
    names = {path.name for path in trained["denoiser"].iterdir()}
    assert {"model.safetensors", "history.csv", "run.json", "report.html", "figures"} <= names
    assert record(trained["denoiser"])["title"] == "denoising-mlp on digits"


def test_train_prints_its_tables_and_tells_where_the_report_is(narrows, tmp_path):
    found = narrows("train", "pca", "--data", "digits", "-o", tmp_path / "run", "--set", "n_components=1")
    assert found.code == 0
    assert "Measures" in found.out
    assert "psnr" in found.out
    assert found.err.splitlines()[-1] == f"The report: {tmp_path / 'run' / 'report.html'}"


def test_train_with_json_prints_nothing_else(narrows, tmp_path):
    found = narrows("train", "pca", "--data", "digits", "-o", tmp_path / "run", "--json", "--set", "n_components=1")
    measures = {row["measure"]: row["pca"] for row in found.json()["Measures"]}
    assert measures["code_size"] == 1
    assert measures["mse"] == pytest.approx(store_mse(tmp_path / "run"), rel=1e-5)


def store_mse(folder) -> float:
    return nw.evaluate(store.load(folder), nw.load_data("digits", split="test")[0])["mse"]


def test_all_training_images_are_used_unless_validation_asks_for_some(narrows, trained, quick, tmp_path):
    assert "1,437 images to train, 360 to test" in record(trained["denoiser"])["facts"]["data"]
    assert "val_loss" not in store.load(trained["denoiser"]).history_
    held = (
        "train",
        "ae-mlp",
        "--data",
        "digits",
        "-o",
        tmp_path / "run",
        "--validation",
        "0.1",
        "--seed",
        "5",
        *quick,
    )
    assert narrows(*held).code == 0
    model = store.load(tmp_path / "run")
    assert len(model.history_["val_loss"]) == 1
    assert model.get_params()["random_state"] == 5


def test_a_path_is_a_path_even_where_it_has_the_name_of_a_set(narrows, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = narrows("train", "pca", "--data", "./digits", "-o", "run", "--set", "n_components=1")
    assert found.code == 0
    assert store.load("run").image_shape_ == (8, 9)
    assert "skipped broken.png: " in found.err
    assert str(photos) in record("run")["facts"]["data"]


def test_what_is_there_is_left_alone_unless_forced(narrows, refused, tmp_path):
    train = ("train", "pca", "--data", "digits", "-o", tmp_path / "run", "--set")
    assert narrows(*train, "n_components=1").code == 0
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert "exists already; choose another name, or replace it with --force" in refused(1, *train, "n_components=3")
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    assert narrows(*train, "n_components=2", "--force").code == 0
    assert store.load(tmp_path / "run").code_size_ == 2


def test_compare_measures_recipes_side_by_side_even_one_twice(narrows, tmp_path, quick):
    one = ("--set", "n_components=1", "--set", "bottleneck.size=1")  # a number has few figures
    folder = tmp_path / "out"
    found = narrows("compare", "pca", "ae-mlp", "pca", "--data", "digits", "-o", folder, "--json", *one, *quick)
    rows = {row["measure"]: row for row in found.json()["Measures"]}
    assert list(rows["psnr"]) == ["measure", "pca-1", "ae-mlp", "pca-3"]
    for name in ("pca-1", "ae-mlp", "pca-3"):
        assert rows["mse"][name] == pytest.approx(store_mse(folder / "runs" / name), rel=1e-5)
    assert rows["mse"]["pca-1"] == rows["mse"]["pca-3"]


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


def orders(folder) -> list[tuple]:
    """Each verb that trains, of data that is not there."""
    (folder / "mine.toml").write_text(STUDY.replace('"digits"', '"nothing"'))
    data = ("--data", "nothing", "-o", folder / "out")
    return [
        ("train", "pca", *data),
        ("compare", "pca", "ae-mlp", *data),
        ("lab", "c", *data),
        ("study", folder / "mine.toml", *data),
    ]


def test_a_tracker_that_is_not_there_is_refused_before_anything_is_read(refused, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    for order in orders(tmp_path):
        assert refused(1, *order, "--log", "wandb") == (
            "narrows: this needs wandb, which is not installed: pip install 'narrows[wandb]'\n"
        )
        assert "no tracker called 'mlfow'; did you mean 'mlflow'?" in refused(2, *order, "--log", "mlfow")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


def test_the_help_names_all_trackers(narrows):
    shown = " ".join(narrows("train", "--help").out.split())
    assert f"{', '.join(list(LOGGERS)[:-1])} or {list(LOGGERS)[-1]}" in shown


# -- evaluate and report --------------------------------------------------------------------------------------


def test_evaluate_gives_what_python_gives(narrows, trained):
    X, _ = nw.load_data("digits", split="test")
    for name in ("denoiser", "pca"):
        (found,) = narrows("evaluate", trained[name], "--data", "digits", "--json").json()
        assert found == pytest.approx(nw.evaluate(store.load(trained[name]), X))
    assert narrows("evaluate", trained["pca"] / "model.safetensors", "--data", "digits").code == 0


def test_evaluate_in_words_is_a_line_for_each_measure(narrows, trained):
    found = narrows("evaluate", trained["denoiser"], "--data", "digits")
    (measures,) = narrows("evaluate", trained["denoiser"], "--data", "digits", "--json").json()
    assert found.out.splitlines()[0].split() == ["measure", "value"]
    assert len(found.out.splitlines()) == 1 + len(measures)
    assert f"{measures['denoised_psnr']:.4g}" in next(
        line for line in found.out.splitlines() if line.startswith("PSNR after denoising, dB")
    )


def test_evaluate_takes_the_part_and_the_seed_asked_for(narrows, trained):
    def mse(*options):
        return narrows("evaluate", trained["denoiser"], "--data", "digits", "--json", *options).json()[0][
            "denoised_mse"
        ]

    X, _ = nw.load_data("digits", split="train")
    assert mse("--split", "train") == pytest.approx(nw.evaluate(store.load(trained["denoiser"]), X)["denoised_mse"])
    assert mse() == mse("--split", "test") == mse("--seed", "0") != mse("--seed", "1")


def test_evaluate_on_other_images_says_what_does_not_fit(refused, narrows, trained, photos):
    assert (
        "they are 8 x 9 pixels, the model was fitted on 8 x 8"
        in narrows("evaluate", trained["pca"], "--data", photos).err
    )
    assert "no split called 'tst'; did you mean 'test'?" in refused(
        2, "evaluate", trained["pca"], "--data", "digits", "--split", "tst"
    )


def test_report_draws_the_page_again(narrows, refused, trained):
    page = trained["pca"] / "report.html"
    before = page.read_bytes()
    page.unlink()
    found = narrows("report", trained["pca"])
    assert (found.code, found.out.strip()) == (0, str(page))
    assert page.read_bytes() == before
    assert "run.json is missing" in refused(1, "report", trained["pca"] / "figures")


# -- studies and labs -----------------------------------------------------------------------------------------


def test_a_study_is_run_with_the_changes_asked_for(narrows, tmp_path):
    (tmp_path / "mine.toml").write_text(STUDY)
    found = narrows("study", tmp_path / "mine.toml", "-o", tmp_path / "out", "--epochs", "1", "--no-tsne", "--json")
    tables = found.json()
    model = store.load(tmp_path / "out" / "runs" / "a")
    assert model.epochs_ == 1
    (row,) = tables["Published and faithful"]
    assert row["faithful"] == pytest.approx(model.history_["loss"][0])
    assert row["difference"] == pytest.approx(row["faithful"] - 3)
    titles = [figure["title"] for figure in record(tmp_path / "out")["figures"]]
    assert len(titles) == 2
    assert all("principal components" in title for title in titles)


def test_a_study_goes_into_a_folder_of_its_name(narrows, tmp_path, monkeypatch, photos):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(STUDY[: STUDY.index("[[numbers]]")].replace('"digits"', '"no such set"'))
    assert narrows("study", "mine.toml", "--data", photos, "--epochs", "1", "--set", "n_components=2").code == 0
    assert (tmp_path / "narrows-mine" / "report.html").exists()
    assert store.load(tmp_path / "narrows-mine" / "runs" / "p").code_size_ == 2


def test_a_study_with_wrong_names_tells_them_all(refused, tmp_path):
    (tmp_path / "bad.toml").write_text(STUDY.replace('"ae-mlp"', '"ae-mpl"').replace('"codes"', '"code"'))
    told = refused(1, "study", tmp_path / "bad.toml")
    assert "did you mean 'ae-mlp'?" in told
    assert "did you mean 'codes'?" in told


def test_the_demo_is_a_sound_study_of_the_embedded_digits():
    from narrows.study.form import read_study
    from narrows.study.labs import lab_file

    assert read_study(lab_file("demo")).data == "digits"


def test_a_lab_is_run_by_its_letter(narrows, tmp_path):
    root = Path(os.environ.get("NARROWS_DATA") or "nowhere", "mnist")
    if not all((root / file).exists() or (root / f"{file}.gz").exists() for file in SUMS["mnist"]):
        pytest.skip("$NARROWS_DATA does not hold mnist")
    found = narrows("lab", "c", "-o", tmp_path / "c", "--epochs", "1", "--json")
    rows = found.json()["Published and faithful"]
    assert rows[0]["published"] == 165.3
    assert abs(rows[0]["difference"]) < 8
    assert [row["faithful"] for row in rows[1:]] == [None] * 4
    assert (tmp_path / "c" / "model.safetensors").exists()
