"""The tables of a page hold what history, measures and sizes say, under names with units and scales."""

from copy import copy

import pytest

from narrows.parts.term import Term
from narrows.study.byte_sizes import byte_sizes
from narrows.study.tables import EPOCH, merged_order, tables
from narrows.study.trained import Trained

MEASURED = {
    "grey-3": {"mse": 0.1, "psnr": 20.0, "signal_power": 0.1, "code_size": 3, "parameters": 99},
    "grey-side": {"mse": 0.2, "code_size": 32, "side_bits": 30, "parameters": 88},
    "grey-pca": {"mse": 0.3, "active_units": 2.5, "code_size": 4, "parameters": 77},
}
PUBLISHED = [{"": "loss", "published": 1.0, "faithful": 2.0, "difference": 1.0}]


class Declared(Trained):
    """A run whose terms are given."""

    declared: dict = {}

    @property
    def terms(self):
        return self.declared


def term(title: str, unit: str = "nats an image", caption: str = "") -> Term:
    return Term("", title, unit, caption)


@pytest.fixture
def found(models):
    """A function: tables of runs by their titles; runs are names of models, or trained runs."""

    def named(*names, published=PUBLISHED, scale: str = "unit") -> dict[str, dict]:
        runs = [models[name] if isinstance(name, str) else name for name in names]
        trained = {run.name: run for run in runs}
        made = tables(published, trained, {name: MEASURED.get(name, {}) for name in trained}, scale)
        assert all(set(table) == {"title", "caption", "rows", "names"} for table in made)
        return {table["title"]: table for table in made}

    return named


@pytest.fixture
def of_history(models):
    """A function: a run with the given history and terms."""

    def run(history: dict, terms: dict, name: str = "own"):
        model = copy(models["grey-3"].model)
        model.history_ = {key: [value] for key, value in history.items()}
        trained = Declared(name, model, models["grey-3"].split)
        trained.declared = terms
        return trained

    return run


def rows_of(table: dict) -> dict[str, dict]:
    return {row["measure"]: row for row in table["rows"]}


def test_tables_are_in_their_order(found):
    assert list(found("grey-3")) == ["Published and faithful", "Last epoch", "Measures", "Bytes"]
    assert found("grey-3")["Published and faithful"]["rows"] == PUBLISHED


def test_tables_without_rows_are_left_out(found):
    assert list(found("grey-pca", published=[])) == ["Measures", "Bytes"]
    assert list(found("table-pca", published=[])) == []
    assert list(found("table-ae")) == ["Published and faithful", "Last epoch"]


def test_last_epoch_is_the_end_of_the_history(models, found):
    rows = rows_of(found("grey-3", "grey-pca", "colour-vae")["Last epoch"])
    history = models["grey-3"].model.history_
    assert rows["training loss"]["grey-3"] == history["loss"][-1]
    assert rows["validation loss"]["grey-3"] == history["val_loss"][-1]
    assert rows["validation loss"]["colour-vae"] is None
    assert rows["training kl"]["colour-vae"] == models["colour-vae"].model.history_["kl"][-1]
    assert "grey-pca" not in rows["training loss"]
    assert not [name for name in rows if "seconds" in name]


def test_last_epoch_hides_no_term(models, found, of_history):
    run = of_history({"loss": 3.0, "nll": 2.0, "mine": 1.0, "val_loss": 2.5, "val_mine": 0.5}, {})
    rows = rows_of(found(run)["Last epoch"])
    assert {name: row["own"] for name, row in rows.items()} == {
        "training loss": 3.0,
        "training nll": 2.0,
        "training mine": 1.0,
        "validation loss": 2.5,
        "validation mine": 0.5,
    }


def test_terms_are_printed_with_their_own_titles_units_and_captions(found, of_history):
    terms = {"nll": term("NLL"), "mine": term("my penalty", "", "the squared length of the code")}
    table = found(of_history({"loss": 3.0, "nll": 2.0, "mine": 1.0, "val_mine": 2.0}, terms))[
        "Last epoch"
    ]
    assert table["names"]["training loss"] == "training loss"  # its terms share no unit
    assert table["names"]["training nll"] == "training NLL, nats an image"
    assert table["names"]["validation mine"] == "validation my penalty"
    assert "my penalty: the squared length of the code." in table["caption"]


def test_the_loss_has_the_unit_that_its_terms_share(found, of_history):
    terms = {"nll": term("NLL"), "kl": term("KL")}
    table = found(of_history({"loss": 3.0, "nll": 2.0, "kl": 1.0}, terms))["Last epoch"]
    assert table["names"]["training loss"] == "training loss, nats an image"


def test_the_constant_of_a_likelihood_is_named_only_where_there_is_one(models, found):
    assert "constant" in found("grey-3")["Last epoch"]["caption"]  # the caption of its NLL
    assert "constant" not in found("grey-3")["Measures"]["caption"]
    assert "constant" not in EPOCH
    (run,) = (models["grey-3"],)
    measured = {run.name: {"mse": 0.1, "elbo": -3.0}}
    measures = {table["title"]: table for table in tables([], {run.name: run}, measured, "unit")}
    assert "ELBO and NLL hold the likelihood's constant" in measures["Measures"]["caption"]


@pytest.mark.parametrize("features", [64])
def test_loss_is_given_a_value_where_it_is_a_sum_over_the_image(found, of_history, features):
    table = found(of_history({"loss": 128.0, "nll": 128.0}, {"nll": term("NLL")}))["Last epoch"]
    assert rows_of(table)["training nll per value"]["own"] == 128 / features
    assert table["names"]["training nll per value"] == "training NLL, nats a value"


def test_a_length_of_the_error_is_never_in_nats_nor_divided_by_the_values(found, of_history):
    history = {"loss": 2.0, "root": 2.0, "val_loss": 3.0, "val_root": 3.0}
    table = found(of_history(history, {"root": term("length of the error", "")}))["Last epoch"]
    assert set(rows_of(table)) == {
        "training loss",
        "training root",
        "validation loss",
        "validation root",
    }
    assert "training length of the error" in table["names"].values()
    assert not [name for name in table["names"].values() if "nats" in name or "value" in name]


def test_an_objective_without_nll_has_a_page(found, of_history):
    table = found(of_history({"loss": 2.0, "mine": 2.0}, {}))["Last epoch"]
    assert table["names"] == {"training loss": "training loss", "training mine": "training mine"}


def test_scales_of_the_losses_are_said_for_each_run(found):
    assert "are on [0, 1]." in found("grey-3")["Last epoch"]["caption"]
    caption = found("grey-3", "points")["Last epoch"]["caption"]
    assert "are on [0, 1] (grey-3), [-1, 1] (points)." in caption
    assert (
        "standardised features (table-ae)" in found("grey-3", "table-ae")["Last epoch"]["caption"]
    )


def test_measures_have_a_row_each_and_sizes_are_last(found):
    rows = found("grey-3", "grey-side", "grey-pca")["Measures"]["rows"]
    names = ["mse", "psnr", "signal_power", "active_units", "code_size", "side_bits", "parameters"]
    assert [row["measure"] for row in rows] == names
    for row in rows:
        assert {name: row[name] for name in MEASURED} == {
            name: m.get(row["measure"]) for name, m in MEASURED.items()
        }


def test_names_are_merged_in_front_of_what_follows_them():
    assert merged_order([["a", "c"], ["a", "b", "c", "d"], ["e", "c"]]) == ["a", "b", "e", "c", "d"]


@pytest.mark.parametrize(("scale", "words"), [("unit", "[0, 1]"), ("symmetric", "[-1, 1]")])
def test_measures_carry_their_scale(found, scale, words):
    table = found("grey-3", scale=scale)["Measures"]
    assert table["caption"].startswith("Over 40 test images")
    assert table["names"]["mse"] == f"MSE, per pixel on {words}"
    assert table["names"]["signal_power"] == "signal power, mean square on [0, 1]"  # on either


def test_tables_of_values_are_measured_on_the_working_scale(found):
    assert "(table-ae, standardised features)" in found("grey-3", "table-ae")["Measures"]["caption"]


def test_bytes_are_those_of_the_sizes_on_a_scale_that_is_named(models, found):
    table = found("grey-3", "grey-side")["Bytes"]
    assert table["rows"] == byte_sizes({k: models[k] for k in ("grey-3", "grey-side")})
    assert "squared error per pixel, on [0, 1]" in table["rows"][0]
