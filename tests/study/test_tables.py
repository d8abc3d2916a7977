"""The tables of a page hold what history, measures and sizes say, in words."""

import pytest

from narrows.study.byte_sizes import byte_sizes
from narrows.study.tables import LAST, tables

MEASURED = {
    "grey-3": {"mse": 0.1, "psnr": 20.0, "code_size": 3, "parameters": 99},
    "grey-side": {"mse": 0.2, "side_bits": 30, "code_size": 32, "parameters": 88},
    "grey-pca": {"mse": 0.3, "active_units": 2.5, "code_size": 4, "parameters": 77},
}
PUBLISHED = [{"": "loss", "published": 1.0, "faithful": 2.0, "difference": 1.0}]


@pytest.fixture
def found(models):
    """A function: tables of runs by their titles."""

    def named(*names: str, published=PUBLISHED, scale: str = "unit") -> dict[str, dict]:
        done = {name: models[name] for name in names}
        made = tables(published, done, {name: MEASURED.get(name, {}) for name in names}, scale)
        assert all(set(table) == {"title", "caption", "rows"} for table in made)
        return {table["title"]: table for table in made}

    return named


def test_all_tables_stand_in_their_order(found):
    assert list(found("grey-3")) == ["Published and faithful", "Last epoch", "Measures", "Bytes"]
    assert found("grey-3")["Published and faithful"]["rows"] == PUBLISHED


def test_tables_without_rows_are_left_out(found):
    assert list(found("grey-pca", published=[])) == ["Measures", "Bytes"]
    assert list(found("table-pca", published=[])) == []
    assert list(found("table-ae")) == ["Published and faithful", "Last epoch"]


def test_the_last_epoch_is_the_end_of_the_history_in_words(models, found):
    rows = {row["measure"]: row for row in found("grey-3", "grey-pca", "colour-vae")["Last epoch"]["rows"]}
    history = models["grey-3"].model.history_
    assert rows["training loss"]["grey-3"] == history["loss"][-1]
    assert rows["validation loss"]["grey-3"] == history["val_loss"][-1]
    assert rows["validation loss"]["colour-vae"] is None
    assert rows["training kl"]["colour-vae"] == models["colour-vae"].model.history_["kl"][-1]
    assert "grey-pca" not in rows["training loss"]
    assert rows["training nll"]["grey-3"] is None  # the only term: the loss itself
    assert rows["training nll"]["colour-vae"] == models["colour-vae"].model.history_["nll"][-1]
    assert not [name for name in rows if "seconds" in name or "_" in name]
    for name, values in (("grey-3", 64), ("colour-vae", 192)):
        nll = models[name].model.history_["nll"][-1]
        assert rows["training nll per value"][name] == pytest.approx(nll / values)


def test_measures_have_a_row_each_and_sizes_stand_last(found):
    rows = found("grey-3", "grey-side", "grey-pca")["Measures"]["rows"]
    assert [row["measure"] for row in rows] == ["mse", "psnr", "active_units", "code_size", "side_bits", "parameters"]
    assert [row["measure"] for row in rows][2:] == [name for name in LAST if name != "dead_units"]
    for row in rows:
        assert {name: row[name] for name in MEASURED} == {name: m.get(row["measure"]) for name, m in MEASURED.items()}


@pytest.mark.parametrize(("scale", "words"), [("unit", "on [0, 1],"), ("symmetric", "on [-1, 1] with a range of 2,")])
def test_the_caption_says_over_how_many_images_and_on_which_scale(found, scale, words):
    caption = found("grey-3", scale=scale)["Measures"]["caption"]
    assert caption.startswith("Over 40 test images")
    assert words in caption


def test_bytes_are_those_of_the_sizes(models, found):
    assert found("grey-3", "grey-side")["Bytes"]["rows"] == byte_sizes(
        {k: models[k] for k in ("grey-3", "grey-side")}
    )
