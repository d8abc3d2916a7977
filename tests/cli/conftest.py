"""Runs that the command line has trained once, and the command line itself."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from narrows.cli import run

QUICK = ["--epochs", "1", "--batch-size", "64", "--set", "body.widths=[16]"]


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
        run(["train", "denoising-mlp", "--data", "digits", "-o", denoiser, "--set", "bottleneck.size=4", *QUICK]) == 0
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
    """A function that runs the command line and expects one plain complaint, and nothing else; returns it."""

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
