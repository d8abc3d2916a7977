"""Small studies, run once: of three models with every kind of figure, and of one model."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from narrows.study.form import Drawing, Number, Run, Study
from narrows.study.run import run_study

SMALL = {"epochs": 2, "batch_size": 32, "body": {"widths": [32]}, "optimiser": {"kind": "adam", "rate": 3e-3}}
SHARP = {"kind": "gaussian", "variance": 0.02, "output": "sigmoid"}  # a VAE that soon holds something in its code
RUNS = [
    Run("denoiser", "denoising-mlp", {**SMALL, "bottleneck": {"size": 6}, "validation": 0.2}, snapshots=[1, 2, 9]),
    Run("plane", "vae-mlp", {**SMALL, "bottleneck": {"size": 2}, "likelihood": SHARP}, watch="test"),
    Run("pca", "pca", {"n_components": 5}, snapshots=[1]),
]
NUMBERS = [
    Number("loss, first", "plane", history="loss", epoch=1, published=10.0),
    Number("loss, last", "plane", history="loss"),
    Number("loss, mean", "plane", history="loss", mean=True),
    Number("loss per pixel", "plane", history="loss", epoch=2, per_pixel=True, published=0.5),
    Number("loss, too late", "plane", history="loss", epoch=3, published=1.0),
    Number("test psnr", "pca", test="psnr", published=16.0),
    Number("test mse per pixel", "pca", test="mse", per_pixel=True),
    Number("watched", "plane", history="val_loss", epoch=2),
]
FIGURES = [
    Drawing("curves", "Loss", "they fall", options={"of": ["loss", "val_loss", "nothing"], "log": True}),
    Drawing("steps", "Batch by batch", runs=["denoiser"], options={"of": ["loss"]}),
    Drawing("reconstructions", "Images", runs=["denoiser"], options={"count": 3}),
    Drawing("snapshots", "On the way"),
    Drawing("samples", "New images", runs=["plane", "pca"], options={"count": 4}),
    Drawing("correlation", "Correlation", runs=["denoiser"], options={"on": "validation"}),
    Drawing("codes", "Codes", runs=["plane", "pca"]),
]


@pytest.fixture(scope="session")
def several(tmp_path_factory) -> SimpleNamespace:
    """A study of three runs: study, folder, record, said (what it said on the way)."""
    folder, said = tmp_path_factory.mktemp("several"), []
    words = {"question": "Which is <best>?", "text": ["One paragraph.", "A second & last."]}
    study = Study("Three <script>alert(1)</script>", RUNS, "digits", numbers=NUMBERS, figures=FIGURES, **words)
    return SimpleNamespace(study=study, folder=folder, said=said, record=run_study(study, folder, say=said.append))


@pytest.fixture(scope="session")
def alone(tmp_path_factory) -> SimpleNamespace:
    """A study of one run, with the standard figures: study, folder, record."""
    folder = tmp_path_factory.mktemp("alone")
    study = Study("One", [Run("ae", "ae-mlp", {**SMALL, "bottleneck": {"size": 4}})], "digits")
    return SimpleNamespace(study=study, folder=folder, record=run_study(study, folder))


@pytest.fixture
def pictures(tmp_path):
    """A function that writes a folder of pictures, without labels or a test part, and gives its path."""

    def write(count: int, channels: int = 1) -> str:
        folder = tmp_path / f"pictures-{count}-{channels}"
        folder.mkdir()
        random = np.random.default_rng(0)
        shape = (9, 8) if channels == 1 else (9, 8, channels)
        for k in range(count):
            ramp = np.linspace(0, random.integers(60, 256), 72).reshape(9, 8, *[1] * (channels > 1))
            Image.fromarray(np.broadcast_to(ramp, shape).astype(np.uint8)).save(folder / f"{k:02d}.png")
        return str(folder)

    return write


@pytest.fixture(scope="session")
def small() -> dict:
    """Changes that make a recipe small and quick."""
    return SMALL


@pytest.fixture(scope="session")
def table_of():
    """A function: the rows of a record's table by its title, each row by its first cell."""

    def rows(record, title: str) -> dict[str, dict]:
        table = next(table for table in record.tables if table["title"] == title)
        return {next(iter(row.values())): row for row in table["rows"]}

    return rows


@pytest.fixture(scope="session")
def files():
    """A function: all files under a folder, by their paths in it."""

    def walk(folder: Path) -> set[str]:
        return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

    return walk


@pytest.fixture
def go(tmp_path, small):
    """A function that runs a study of small models with one quick figure, or that given, into a folder of its own."""

    def run(*runs: Run, **options):
        for one in runs:
            if one.recipe != "pca":
                one.changes = {**small, "epochs": 1, **one.changes}
        changes, data = options.pop("changes", None), options.pop("data", "digits")
        study = Study(
            "t", list(runs), **{"figures": [Drawing("curves", "Loss", options={"of": ["loss"]})], **options}
        )
        return run_study(study, tmp_path / "out", data=data, changes=changes)

    return run
