"""Training from noisy images alone, on the command line: `train --no-clean`, and then `evaluate`."""

import json

import numpy as np
import pytest

import narrows as nw

pytestmark = pytest.mark.filterwarnings("ignore:the noise of neighb", "ignore:the model predicts")
SMALL = ("--epochs", 1, "--batch-size", 50, "--set", "body.channels=[4,6]")


@pytest.fixture
def files(tmp_path):
    """Clean digits, and two noisy shots of them, one array each."""
    clean = nw.load_data("digits", split="test")[0][:100]
    paths = {"clean": tmp_path / "clean.npy"}
    np.save(paths["clean"], clean)
    for seed, name in enumerate(["noisy", "other"]):
        noise = np.random.default_rng(seed).normal(0, 40, clean.shape)
        paths[name] = tmp_path / f"{name}.npy"
        np.save(paths[name], (clean + noise).clip(0, 255).astype(np.uint8))
    return paths


def measures_of(narrows, run, *data):
    found = narrows("evaluate", run, "--split", "all", "--json", *data)
    assert found.code == 0, found.err
    return json.loads(found.out)[0], found.err


def test_noisy_images_alone(narrows, files, tmp_path):
    run = tmp_path / "run"
    given = ("--data", files["noisy"], "--no-clean", "-o", run, *SMALL)
    found = narrows("train", "denoiser-unet", *given)
    assert found.code == 0, found.err
    assert "PSNR" not in found.out
    options = nw.load(run).get_params()
    assert (options["objective"], options["corruption"]) == ("neighbours", "none")
    measures, said = measures_of(narrows, run, "--data", files["noisy"])
    assert not [name for name in measures if "psnr" in name]
    assert "takes these as such, so nothing is compared with them" in said
    pair = ("--data", files["clean"], "--noisy", files["noisy"])
    measures, said = measures_of(narrows, run, *pair)
    assert "denoised_psnr" in measures
    assert "nothing is compared" not in said
    found = narrows("denoise", run, files["noisy"], "-o", tmp_path / "denoised.npy")
    assert found.code == 0, found.err
    assert "not trained on noise" not in found.err


def test_two_noisy_shots(narrows, files, tmp_path):
    run = tmp_path / "run"
    given = ("--data", files["other"], "--noisy", files["noisy"], "--no-clean", "-o", run)
    small = (
        "--epochs",
        1,
        "--batch-size",
        50,
        "--set",
        "body.widths=[8]",
        "--set",
        "body.blocks=[1]",
    )
    found = narrows("train", "denoiser-photo", *given, *small)
    assert found.code == 0, found.err
    assert "PSNR" not in found.out
    assert nw.load(run).get_params()["corruption"] == "two-shots"


def test_a_recipe_of_one_size_is_refused(narrows, files, tmp_path):
    given = ("--data", files["noisy"], "--no-clean", "-o", tmp_path / "run")
    found = narrows("train", "denoising-mlp", *given)
    assert found.code == 2
    assert "expected a network that takes images of any size; body='unet'" in found.err
