"""Small studies, run once: of three models with several kinds of figures, and of one model. And
small models.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import narrows as nw
from narrows.data import ImageSet
from narrows.data.named_sets.spiral import spiral
from narrows.model.estimator.base import ImageModel
from narrows.model.use.evaluate import image_rows
from narrows.study.data_split import DataSplit
from narrows.study.run import run_study
from narrows.study.schema import Drawing, Number, Run, Study
from narrows.study.trained import Trained

SMALL = {
    "epochs": 2,
    "batch_size": 32,
    "body": {"widths": [32]},
    "optimiser": {"kind": "adam", "lr": 3e-3},
}
# a VAE that soon holds something in its code
SHARP = {"kind": "gaussian", "variance": 0.02, "output": "sigmoid"}
RUNS = [
    Run(
        "denoiser",
        "denoising-mlp",
        {**SMALL, "bottleneck": {"size": 6}, "validation": 0.2},
        snapshots=[1, 2, 9],
    ),
    Run(
        "plane", "vae-mlp", {**SMALL, "bottleneck": {"size": 2}, "likelihood": SHARP}, watch="test"
    ),
    Run("pca", "pca", {"n_components": 5}, snapshots=[1]),
]
NUMBERS = [
    Number("loss, first", "plane", history="loss", epoch=1, published=10.0),
    Number("loss, too late", "plane", history="loss", epoch=3, published=1.0),
    Number("test psnr", "pca", test="psnr", published=16.0),
    Number("error", "pca", error={"index": [3]}, trap=255.0),
    Number("watched", "plane", history="val_loss", epoch=2),
]
FIGURES = [
    Drawing(
        "curves", "Loss", "they fall", options={"of": ["loss", "val_loss", "nothing"], "log": True}
    ),
    Drawing("steps", "Batch by batch", runs=["denoiser"], options={"of": ["loss"]}),
    Drawing("reconstructions", "Images", runs=["denoiser"], options={"images": {"count": 3}}),
    Drawing("snapshots", "On the way"),
    Drawing("samples", "New images", runs=["plane", "pca"], options={"count": 4}),
    Drawing("correlation", "Correlation", runs=["denoiser"], options={"on": "validation"}),
    Drawing("codes", "Codes", runs=["plane", "pca"]),
]
MLP = {"kind": "mlp", "widths": [16]}
POOLED = {"kind": "conv", "channels": [4, 8], "stages": "pooled"}
UNCLIPPED = {"kind": "gaussian", "sigma": 0.3, "clip": False}
QUICK = {"epochs": 2, "batch_size": 16, "optimiser": {"kind": "adam", "lr": 3e-3}}


def plain(size: int | None, kind: str = "plain") -> dict:
    return {"kind": kind, "size": size}


# -- studies ---------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def several(tmp_path_factory) -> SimpleNamespace:
    """A study of three runs: study, folder, record, said (what it said on the way)."""
    folder, said = tmp_path_factory.mktemp("several"), []
    words = {"question": "Which is <best>?", "text": ["One paragraph.", "A second & last."]}
    study = Study(
        "Three <script>alert(1)</script>", RUNS, "digits", numbers=NUMBERS, figures=FIGURES, **words
    )
    return SimpleNamespace(
        study=study, folder=folder, said=said, record=run_study(study, folder, say=said.append)
    )


@pytest.fixture(scope="session")
def alone(tmp_path_factory) -> SimpleNamespace:
    """A study of one run, with the standard figures: study, folder, record."""
    folder = tmp_path_factory.mktemp("alone")
    study = Study("One", [Run("ae", "ae-mlp", {**SMALL, "bottleneck": {"size": 4}})], "digits")
    return SimpleNamespace(study=study, folder=folder, record=run_study(study, folder))


@pytest.fixture
def go(tmp_path, small):
    """A function that runs a study of small models with one quick figure, or that given, into a
    folder of its own.
    """

    def run(*runs: Run, **options):
        for one in runs:
            if one.recipe != "pca":
                one.changes = {**small, "epochs": 1, **one.changes}
        names = ("changes", "log", "reuse", "resume", "say")
        how = {name: options.pop(name) for name in names if name in options}
        figures = [Drawing("curves", "Loss", options={"of": ["loss"]})]
        study = Study("t", list(runs), **{"figures": figures, "data": "digits", **options})
        return run_study(study, tmp_path / "out", **how)

    return run


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
def pictures(tmp_path):
    """A function that writes a folder of pictures, without labels or a test part, and gives its path."""

    def write(count: int, channels: int = 1) -> str:
        folder = tmp_path / f"pictures-{count}-{channels}"
        folder.mkdir()
        random = np.random.default_rng(0)
        shape = (9, 8) if channels == 1 else (9, 8, channels)
        for k in range(count):
            ramp = np.linspace(0, random.integers(60, 256), 72).reshape(9, 8, *[1] * (channels > 1))
            Image.fromarray(np.broadcast_to(ramp, shape).astype(np.uint8)).save(
                folder / f"{k:02d}.png"
            )
        return str(folder)

    return write


# -- models ----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def sets() -> dict[str, DataSplit]:
    """Grey and colour images with labels, a table without, and points in the plane: 160 to train,
    40 to test.
    """
    X, y = nw.load_data("digits", split="train")
    colours = np.random.default_rng(0).uniform(0.3, 1, (200, 1, 1, 3))
    table = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
    points = spiral("train")
    assert y is not None
    assert points.labels is not None
    found = {
        "grey": (X[:200], y[:200], tuple("0123456789")),
        "colour": (
            (X[:200, ..., None] / 255 * colours).astype(np.float32),
            y[:200],
            tuple("0123456789"),
        ),
        "table": (table, None, None),
        "points": (points.images[:200], points.labels[:200], points.classes),
    }
    return {
        name: DataSplit(*(_part(slice(*part), *one) for part in ((160,), (160, 200))))
        for name, one in found.items()
    }


def _part(
    part: slice, images: np.ndarray, labels: np.ndarray | None, classes: tuple[str, ...] | None
) -> ImageSet:
    return ImageSet(images[part], None if labels is None else labels[part], None, classes)


@pytest.fixture(scope="session")
def models(sets) -> dict[str, Trained]:
    """name -> what was trained; the name begins with that of its set."""
    vae = {"bottleneck": {"kind": "variational", "size": 3}, "likelihood": SHARP}
    made = {
        "grey-3": nw.Autoencoder(MLP, plain(3), validation=0.2, **QUICK),
        "grey-1": nw.Autoencoder(MLP, plain(1), **{**QUICK, "epochs": 6}),
        "grey-2": nw.Autoencoder(MLP, plain(2), corruption=UNCLIPPED, **QUICK),
        "grey-relu": nw.Autoencoder({"kind": "mlp", "widths": []}, plain(9, "relu"), **QUICK),
        "grey-pca": nw.PCA(4),
        "grey-linear": nw.PCA(4, add_mean=False),
        "grey-whole": nw.PCA(),
        "grey-side": nw.Autoencoder(POOLED, plain(None), up="unpool", **QUICK),
        "colour-vae": nw.Autoencoder(MLP, **vae, **QUICK),
        "table-ae": nw.Autoencoder(MLP, plain(3), **QUICK),
        "table-pca": nw.PCA(3),
        "points-pca": nw.PCA(2),
        "points": nw.Autoencoder(
            MLP, plain(16), corruption={**UNCLIPPED, "sigma": 0.1}, scale="symmetric", **QUICK
        ),
    }
    return {name: _trained(name, model, sets[name.split("-")[0]]) for name, model in made.items()}


def _trained(name: str, model: ImageModel, shown: DataSplit) -> Trained:
    model.fit(shown.train.images)
    trained = Trained(name, model, shown, step_terms=getattr(model, "steps_", {}), complete=True)
    if name == "grey-3":
        trained.snapshots[2] = image_rows(model, shown.test.images[:3])
    return trained
