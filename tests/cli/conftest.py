"""Runs that the command line has trained once, and the command line itself."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from narrows.cli import run
from narrows.study import drawings

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
QUICK = ["--epochs", "1", "--batch-size", "64", "--set", "body.widths=[16]"]


@pytest.fixture(autouse=True)
def few_figures(monkeypatch):
    """Pages have the figure of the loss alone: to draw all takes longer than most trainings here."""
    monkeypatch.setattr(drawings, "STANDARD_DRAWINGS", drawings.STANDARD_DRAWINGS[:1])


@pytest.fixture(scope="session")
def quick() -> list[str]:
    """Options that make a training quick."""
    return QUICK


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> dict[str, Path]:
    """Run folders: a denoiser and the principal components of the digits."""
    folder = tmp_path_factory.mktemp("trained")
    denoiser, pca = str(folder / "denoiser"), str(folder / "pca")
    assert (
        run(
            [
                "train",
                "denoising-mlp",
                "--data",
                "digits",
                "-o",
                denoiser,
                "--set",
                "bottleneck.size=4",
                *QUICK,
            ]
        )
        == 0
    )
    assert run(["train", "pca", "--data", "digits", "-o", pca, "--set", "n_components=8"]) == 0
    return {"denoiser": Path(denoiser), "pca": Path(pca)}


@pytest.fixture
def narrows(capsys):
    """A function that runs the command line: code, out, err, and `json()` of what it printed."""

    def call(*arguments) -> SimpleNamespace:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, out=out, err=err, json=lambda: json.loads(out))

    return call


@pytest.fixture
def refused(narrows):
    """A function that runs the command line and expects one plain complaint, and nothing else;
    returns it.
    """

    def call(code: int, *arguments) -> str:
        found = narrows(*arguments)
        assert found.code == code, found.err
        assert found.out == ""
        complaints = [line for line in found.err.splitlines() if line.startswith("narrows: ")]
        assert len(complaints) == 1
        assert "Traceback" not in found.err
        assert "--debug shows where" not in found.err
        return found.err

    return call


@pytest.fixture(scope="session")
def study_text() -> str:
    """A study file of two small models of the digits."""
    return STUDY


@pytest.fixture(scope="session")
def record():
    """A function: what the run.json of a folder says."""
    return lambda folder: json.loads((Path(folder) / "run.json").read_text())


@pytest.fixture
def photos(tmp_path):
    """A folder of 12 pictures named as a set is, one of them broken; the working folder is where it
    lies.
    """
    folder = tmp_path / "digits"
    folder.mkdir()
    for k in range(12):
        Image.linear_gradient("L").resize((9, 8)).rotate(30 * k).save(folder / f"{k}.png")
    (folder / "broken.png").write_bytes(b"none")
    return folder
