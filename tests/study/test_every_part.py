"""A page of a recipe with any objective, penalty or bottleneck; in bounded time, and again without
torch.
"""

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import narrows as nw
from narrows.data import ImageSet
from narrows.errors import Faults
from narrows.model.recipes import RECIPES
from narrows.parts.kinds import KINDS
from narrows.parts.objective import Elbo
from narrows.parts.term import Term
from narrows.study.data_split import DataSplit
from narrows.study.drawings import STANDARD_DRAWINGS, draw_all
from narrows.study.obtain import say_nothing
from narrows.study.page import draw_page
from narrows.study.record import Record
from narrows.study.run import run_study
from narrows.study.schema import Run, Study
from narrows.study.tables import tables
from narrows.study.trained import Trained

SMALL = {"epochs": 1, "batch_size": 256, "body": {"kind": "mlp", "widths": [8]}, "validation": 0.2}
ANY_SIZE = {
    "body": {"kind": "unet", "channels": [4, 6]},
    "bottleneck": {"kind": "plain", "size": None},
}
TERMS_OF_PARTS = [
    *(
        {"objective": name, **(ANY_SIZE if make.any_size else {})}
        for name, make in [*KINDS["objective"].table.items(), ("mine", Elbo)]
    ),
    *({"penalties": [name]} for name in KINDS["penalty"].table),
    *({"bottleneck": {"kind": name}} for name in KINDS["bottleneck"].table),
]
REPRESENTATIVE = ("denoiser-unet", "sparse-mlp", "pca")
SECONDS = 10
LOSS = STANDARD_DRAWINGS[:1]  # matplotlib takes most of the time that a page takes
WITHOUT_TORCH = 'import sys; sys.modules["torch"] = None; import narrows.__main__'


class Mine(Elbo):
    """An objective without an nll, whose term has a name of its own."""

    data_terms = (Term("mine", "my own distance", "ells", "how far it is"),)

    def data(self, network, forward, x):
        return {"mine": super().data(network, forward, x)["nll"]}


@pytest.fixture
def page_of(tmp_path, monkeypatch):
    """A function: the record, the page's text and the model of a small run with these figures."""
    monkeypatch.setitem(KINDS["objective"].table, "mine", Mine)

    def run(figures=LOSS, **changes) -> SimpleNamespace:
        study = Study("t", [Run("net", "ae-mlp", {**SMALL, **changes})], "digits", figures=figures)
        record = run_study(study, tmp_path)
        text = (tmp_path / "report.html").read_text(encoding="utf-8")
        return SimpleNamespace(record=record, text=text, model=nw.load(tmp_path), folder=tmp_path)

    return run


@pytest.mark.parametrize(
    "figures",
    [LOSS, pytest.param(STANDARD_DRAWINGS, marks=pytest.mark.slow)],
    ids=["loss", "standard"],
)
@pytest.mark.parametrize("changes", TERMS_OF_PARTS, ids=str)
def test_terms_of_every_part_are_on_its_page(page_of, changes, figures):
    page = page_of(figures, **changes)
    (table,) = [table for table in page.record.tables if table["title"] == "Last epoch"]
    (curves,) = [figure for figure in page.record.figures if figure.section == "Loss"]
    rows = {row["measure"]: row["net"] for row in table["rows"]}
    history, terms = page.model.history_, page.model.terms_
    assert terms
    for name, term in terms.items():
        assert rows[f"training {name}"] == history[name][-1]
        assert rows[f"validation {name}"] == history[f"val_{name}"][-1]
        assert term.title in table["names"][f"training {name}"]
        # else it is the loss itself
        assert (name in curves.arrays) == (history[name] != history["loss"])
        assert name not in curves.arrays or curves.options["names"][name].startswith(term.title)
    units = {term.unit for term in terms.values()}
    without_unit = "value" if len(curves.arrays) > 2 else "loss"  # the loss and its validation
    shared = units.pop() if len(units) == 1 else ""
    assert curves.options["ylabel"] == (shared or without_unit)
    assert all(words in page.text for words in table["names"].values())


def test_a_root_is_not_printed_in_nats_nor_per_value(page_of):
    page = page_of(objective="root")
    (table,) = [table for table in page.record.tables if table["title"] == "Last epoch"]
    assert "training root" in table["names"]
    assert not [words for words in table["names"].values() if "nats" in words or "a value" in words]
    (curves,) = [figure for figure in page.record.figures if figure.section == "Loss"]
    assert curves.options["ylabel"] == "loss"


def test_report_draws_the_same_page_without_torch(page_of):
    page = page_of(STANDARD_DRAWINGS, bottleneck={"kind": "variational", "size": 3})
    file = page.folder / "report.html"
    before = file.read_bytes()
    file.unlink()
    subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "report", str(page.folder)],
        check=True,
        capture_output=True,
    )
    assert file.read_bytes() == before


# -- time ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in REPRESENTATIVE else pytest.mark.slow)
        for name in RECIPES
    ],
)
@pytest.mark.filterwarnings("ignore::narrows.errors.NarrowsWarning")
def test_a_page_of_large_colour_images_takes_seconds(name, tmp_path):
    if name == "lab-a-plane":
        pytest.skip("a model of points in the plane")
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (64, 64, 64, 3), dtype=np.uint8)
    split = DataSplit(ImageSet(images, np.arange(64) % 4), ImageSet(images, np.arange(64) % 4))
    model = nw.recipe(name)
    if model.fits_in_epochs:
        model.set_params(epochs=1, batch_size=64)
    trained = {"net": Trained("net", model.fit(images), split, complete=True)}
    start, faults, record = time.process_time(), Faults("t"), Record("t")
    record.tables = tables([], trained, {"net": {"mse": 0.1}}, "unit")
    draw_all([], trained, record, say_nothing, faults)
    record.save(tmp_path)
    draw_page(record, tmp_path)
    assert time.process_time() - start < SECONDS
    faults.stop()
    codes = [figure for figure in record.figures if figure.section == "The space of codes"]
    assert bool(codes) != any("The space of codes" in text for text in record.text)
    if name == "denoiser-unet":
        assert "its code is a feature map of 16,384 numbers" in "".join(record.text)
    assert Path(tmp_path / "report.html").is_file()
