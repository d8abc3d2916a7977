"""Training on pairs from the command line: `train --noisy`."""

import json

import numpy as np
import pytest

import narrows as nw


@pytest.fixture
def files(tmp_path):
    """Clean and noisy digits, one array each."""
    clean = nw.load_data("digits", split="test")[0]
    paths = [tmp_path / "clean.npy", tmp_path / "noisy.npy"]
    for path, images in zip(paths, (clean, clean // 2 + 90)):
        np.save(path, images)
    return paths


def test_train_learns_noise_from_pairs(narrows, files, quick, tmp_path, monkeypatch, record):
    monkeypatch.chdir(tmp_path)
    found = narrows(
        "train",
        "ae-mlp",
        "--data",
        "clean.npy",
        "--noisy",
        "noisy.npy",
        "-o",
        "run",
        "--json",
        *quick,
    )
    assert found.code == 0, found.err
    measures = {row["measure"]: row["ae-mlp"] for row in json.loads(found.out)["Measures"]}
    among = nw.measure.psnr(*map(np.load, files))
    assert among.min() <= measures["noisy_psnr"] <= among.max()
    assert measures["denoised_psnr"] > 0
    assert nw.load(tmp_path / "run").get_params()["corruption"] == "pairs"
    assert record(tmp_path / "run")["origin"]["data"] == {
        "kind": str(files[0]),
        "noisy": str(files[1]),
    }


def test_options_of_reading_hold_for_both(narrows, photos, quick, tmp_path, record):
    arguments = (
        "train",
        "ae-mlp",
        "--data",
        photos,
        "--noisy",
        photos,
        "--size",
        "6",
        "-o",
        tmp_path / "run",
        *quick,
    )
    found = narrows(*arguments)
    assert found.code == 0, found.err
    assert nw.load(tmp_path / "run").image_shape_ == (6, 6)
    assert "skipped broken.png" in found.err


def test_what_is_no_pair_is_refused_in_one_sentence(refused, files, quick, tmp_path):
    np.save(tmp_path / "fewer.npy", np.load(files[1])[:-1])
    told = refused(
        1,
        "train",
        "ae-mlp",
        "--data",
        files[0],
        "--noisy",
        tmp_path / "fewer.npy",
        "-o",
        tmp_path / "run",
    )
    assert "they are 360 and 359 images; expected as many" in told
    options = ("--set", "corruption=pairs", "-o", tmp_path / "run", *quick)
    assert "--noisy" in refused(2, "train", "ae-mlp", "--data", files[0], *options)


def test_evaluate_measures_any_model_on_noise_of_your_own(narrows, files, tmp_path):
    clean, noisy = map(np.load, files)
    nw.save(nw.recipe("pca", n_components=8).fit(clean), tmp_path / "pca.safetensors")
    place = (
        "evaluate",
        tmp_path / "pca.safetensors",
        "--data",
        files[0],
        "--noisy",
        files[1],
        "--json",
    )
    [measures] = json.loads(narrows(*place).out)
    assert measures["noisy_psnr"] == pytest.approx(nw.measure.psnr(clean, noisy).mean(), rel=1e-5)
    rows = {row["denoiser"]: row for row in json.loads(narrows(*place, "--baselines").out)}
    assert rows["noisy"]["psnr"] == pytest.approx(measures["noisy_psnr"], rel=1e-5)
    assert rows["this model"]["psnr"] == pytest.approx(measures["denoised_psnr"], rel=1e-5)
    assert rows["median"]["psnr"] < rows["this model"]["psnr"]
