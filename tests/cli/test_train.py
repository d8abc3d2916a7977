"""Verbs that train and measure: train, compare, evaluate."""

import numpy as np
import pytest

import narrows as nw
from narrows.model.files import store

# -- train and compare -----------------------------------------------------------------------------


def test_train_leaves_a_run_folder_that_loads(trained, record):
    model = store.load(trained["denoiser"])
    assert model.get_params()["bottleneck"] == {"kind": "plain", "size": 4}
    assert model.get_params()["body"] == {"kind": "mlp", "widths": [16]}
    assert (model.epochs_, model.get_params()["batch_size"]) == (1, 64)
    names = {path.name for path in trained["denoiser"].iterdir()}
    assert {"model.safetensors", "history.csv", "run.json", "report.html", "figures"} <= names
    assert record(trained["denoiser"])["title"] == "denoising-mlp on digits"


def test_train_prints_its_tables_and_reports_where_the_report_is(narrows, tmp_path):
    found = narrows(
        "train", "pca", "--data", "digits", "-o", tmp_path / "run", "--set", "n_components=1"
    )
    assert found.code == 0
    assert "Measures" in found.out
    for title in ("MSE, per pixel on [0, 1]", "PSNR, dB", "SSIM, on [0, 1]"):
        assert title in found.out
    assert found.err.splitlines()[-1] == f"The report: {tmp_path / 'run' / 'report.html'}"


def test_train_reports_the_epochs_and_batches_of_a_small_set_unless_they_are_chosen(
    narrows, tmp_path
):
    np.save(tmp_path / "few.npy", nw.load_data("digits")[0][:20])
    train = ("train", "vae-mlp", "--data", tmp_path / "few.npy", "--set", "body.widths=[4]")
    small = (*train, "--set", "training.least_steps=30")
    planned = narrows(*small, "-o", tmp_path / "planned")
    plan = "14 images to train on: 30 epochs of batches of 16, to take 30 steps instead of 5"
    assert plan in planned.err
    assert store.load(tmp_path / "planned").epochs_ == 30
    for name, chosen in {"epochs": ("--epochs", 2), "set": ("--set", "batch_size=8")}.items():
        found = narrows(*train, *chosen, "-o", tmp_path / name)
        assert found.code == 0
        assert "images to train on" not in found.err
        assert " steps were taken; a small set needs more epochs" in found.err
    assert store.load(tmp_path / "epochs").epochs_ == 2


def test_train_with_json_prints_nothing_else(narrows, tmp_path):
    found = narrows(
        "train",
        "pca",
        "--data",
        "digits",
        "-o",
        tmp_path / "run",
        "--json",
        "--set",
        "n_components=1",
    )
    measures = {row["measure"]: row["pca"] for row in found.json()["Measures"]}
    assert measures["code_size"] == 1
    assert measures["mse"] == pytest.approx(store_mse(tmp_path / "run"), rel=1e-5)


def store_mse(folder) -> float:
    return nw.evaluate(store.load(folder), nw.load_data("digits", split="test")[0])["mse"]


def test_all_training_images_are_used_unless_validation_asks_for_some(
    narrows, trained, quick, tmp_path, record
):
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


def test_a_path_is_a_path_even_where_it_has_the_name_of_a_set(
    narrows, photos, tmp_path, monkeypatch, record
):
    monkeypatch.chdir(tmp_path)
    found = narrows("train", "pca", "--data", "./digits", "-o", "run", "--set", "n_components=1")
    assert found.code == 0
    assert store.load("run").image_shape_ == (8, 9)
    assert "skipped broken.png: " in found.err
    assert str(photos) in record("run")["facts"]["data"]


def test_compare_measures_recipes_side_by_side_even_one_twice(narrows, tmp_path, quick):
    one = ("--set", "n_components=1", "--set", "bottleneck.size=1")  # a number has few figures
    folder = tmp_path / "out"
    found = narrows(
        "compare", "pca", "ae-mlp", "pca", "--data", "digits", "-o", folder, "--json", *one, *quick
    )
    rows = {row["measure"]: row for row in found.json()["Measures"]}
    assert list(rows["psnr"]) == ["measure", "pca-1", "ae-mlp", "pca-3"]
    for name in ("pca-1", "ae-mlp", "pca-3"):
        assert rows["mse"][name] == pytest.approx(store_mse(folder / "runs" / name), rel=1e-5)
    assert rows["mse"]["pca-1"] == rows["mse"]["pca-3"]


# -- evaluate --------------------------------------------------------------------------------------


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
    assert "SSIM after denoising, on [0, 1]" in found.out, "every number says its scale"


def test_evaluate_takes_the_part_and_the_seed_asked_for(narrows, trained):
    def mse(*options):
        return narrows(
            "evaluate", trained["denoiser"], "--data", "digits", "--json", *options
        ).json()[0]["denoised_mse"]

    X, _ = nw.load_data("digits", split="train")
    assert mse("--split", "train") == pytest.approx(
        nw.evaluate(store.load(trained["denoiser"]), X)["denoised_mse"]
    )
    assert mse() == mse("--split", "test") == mse("--seed", "0") != mse("--seed", "1")


def test_evaluate_on_other_images_says_what_does_not_fit(refused, narrows, trained, photos):
    assert (
        "they are 8 x 9 pixels, the model was fitted on 8 x 8"
        in narrows("evaluate", trained["pca"], "--data", photos).err
    )
    assert "no split called 'tst'; did you mean 'test'?" in refused(
        2, "evaluate", trained["pca"], "--data", "digits", "--split", "tst"
    )


def test_array_and_shape_choose_the_images_of_a_file(narrows, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (30, 6, 4), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", mine=images, y=np.ones((30, 14)))
    rows = [",".join(map(str, row)) for row in images.reshape(30, 24).tolist()]
    (tmp_path / "a.csv").write_text("\n".join([",".join(f"p{k}" for k in range(24)), *rows]))
    for name, options in (("a.npz", ["--array", "mine"]), ("a.csv", ["--shape", 6, 4])):
        asked = ["train", "pca", "--data", tmp_path / name, *options, "--set", "n_components=2"]
        found = narrows(*asked, "-o", tmp_path / f"run-{name[2:]}")
        assert found.code == 0, found.err
        assert ("note: The labels 'y' in" in found.err) == (name == "a.npz")
        found = narrows(
            "evaluate", tmp_path / f"run-{name[2:]}", "--data", tmp_path / name, *options
        )
        assert found.code == 0, found.err
        assert ("note: The labels 'y' in" in found.err) == (name == "a.npz")
