"""What a run leaves behind."""

import csv

import numpy as np
import pytest

from narrows.model import store
from narrows.study.output import as_csv


def columns(path) -> dict[str, list[float]]:
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def test_csv_is_numbered_from_1_and_keeps_9_digits():
    assert as_csv("epoch", {"a": [1.0, 1 / 3], "b": [0, 1e-20]}) == "epoch,a,b\n1,1,0\n2,0.333333333,1e-20\n"


def test_csv_stops_where_the_shortest_column_does():
    assert as_csv("epoch", {"a": [1.0, 2.0], "b": [3.0]}) == "epoch,a,b\n1,1,3\n"


@pytest.mark.parametrize("name", ["denoiser", "plane"])
def test_histories_equal_those_of_the_model(several, name):
    folder = several.folder / "runs" / name
    model = store.load(folder)
    epochs, steps = columns(folder / "history.csv"), columns(folder / "steps.csv")
    assert epochs.pop("epoch") == [1, 2]
    assert list(epochs) == list(model.history_)
    for entry, values in epochs.items():
        assert values == pytest.approx(model.history_[entry], rel=1e-8)
    assert steps["step"] == list(range(1, len(steps["loss"]) + 1))
    half = len(steps["loss"]) // 2
    sizes = np.full(half, 32.0)
    sizes[-1] = {"denoiser": 1437 - 287, "plane": 1437}[name] - 32 * (half - 1)
    assert np.average(steps["loss"][half:], weights=sizes) == pytest.approx(epochs["loss"][1], rel=1e-6)


def test_a_model_without_history_leaves_none(several, files):
    assert files(several.folder / "runs" / "pca") == {"model.safetensors"}


def test_the_model_file_says_where_it_comes_from(several):
    about = store.load(several.folder / "runs" / "plane").about_
    assert about["recipe"] == "vae-mlp"
    assert "Digits" in about["data"]
    assert len(about["fingerprint"]) == 16
