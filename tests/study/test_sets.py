"""Studies of sets of all kinds: without a test part, in colour, without labels, with broken files."""

import numpy as np
import pytest

from narrows.errors import DataError
from narrows.study.run import run_study
from narrows.study.schema import Drawing, Run, Study

ONE_FIGURE = [Drawing("curves", "Loss", options={"of": ["loss"]})]


def test_a_set_without_a_test_part_is_split_a_tenth_to_the_test(go, pictures):
    record = go(Run("p", "pca", {"n_components": 2}), data=pictures(21))
    assert record.facts["data"].endswith("19 images to train, 2 to test")
    assert any(table["caption"].startswith("Over 2 test images") for table in record.tables)


def test_a_set_of_one_image_is_refused_in_words(go, pictures):
    with pytest.raises(DataError, match="holds one image; two at least are needed"):
        go(Run("p", "pca"), data=pictures(1))


def test_colour_images_without_labels_have_every_standard_figure(go, pictures):
    record = go(
        Run("a", "ae-mlp", {"epochs": 20, "bottleneck": {"size": 3}}),
        data=pictures(20, 3),
        figures=[],
    )
    shapes = {
        figure.kind: {k: v.shape for k, v in figure.arrays.items()}
        for figure in reversed(record.figures)  # the first of a kind
    }
    assert set(shapes) == {"curves", "grid", "tiles", "scatter", "heatmap", "histogram"}
    assert [figure.kind for figure in record.figures].count("grid") == 3
    assert shapes["grid"]["original"] == (2, 9, 8, 3)
    assert shapes["tiles"]["samples"] == (64, 9, 8, 3)
    assert "labels" not in shapes["scatter"]


def test_files_that_cannot_be_read_are_reported(pictures, tmp_path):
    data = pictures(20)
    (tmp_path / "pictures-20-1" / "broken.png").write_bytes(b"no image")
    said = []
    study = Study("t", [Run("p", "pca", {"n_components": 2})], data, figures=ONE_FIGURE)
    record = run_study(study, tmp_path / "out", say=said.append)
    assert [words for words in said if words.startswith("skipped broken.png: ")]
    assert record.facts["files skipped"] == 1
    (row,) = record.tables[-1]["rows"]
    assert (record.tables[-1]["title"], row["file"]) == ("Files skipped", "broken.png")
    assert row["reason"] in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(("recipe", "told"), [("ae-mlp", True), ("pca", False)])
def test_a_training_of_few_steps_is_reported(pictures, small, tmp_path, recipe, told):
    said = []
    changes = {**small, "epochs": 2} if recipe != "pca" else {"n_components": 2}
    run_study(
        Study("t", [Run("r", recipe, changes)], pictures(20), figures=ONE_FIGURE),
        tmp_path,
        say=said.append,
    )
    assert any("r: only 2 steps were taken" in words for words in said) == told


def test_a_small_set_is_given_enough_steps_unless_the_user_chooses(pictures, tmp_path):
    runs = [Run("r", "ae-mlp", {"body": {"widths": [4]}})]
    data, chosen = pictures(20), []
    plan = "r: 14 images to train on: 500 epochs of batches of 16, to take 500 steps instead of 20"
    for changes in ({}, {"epochs": 2}, {"epochs": 2, "training": {"clip": 1.0}}):
        said = []
        record = run_study(
            Study("t", runs, data, figures=ONE_FIGURE),
            tmp_path / str(changes),
            changes=changes,
            say=said.append,
        )
        assert (plan in said) == (f"{plan}." in record.text) == (not changes)
        assert any("only 2 steps were taken" in words for words in said) == bool(changes)
        chosen.append(record.models[0]["epochs"])
    assert chosen == [500, 2, 2]


def test_what_there_is_to_say_of_a_set_is_said_and_on_the_page(tmp_path):
    """A part to validate with, and labels that were left out: no training stops for them."""
    images = np.random.default_rng(0).integers(0, 256, (40, 6, 6), dtype=np.uint8)
    parts = {"train": images[:30], "val": images[30:35], "test": images[35:]}
    arrays = {f"{part}_images": rows for part, rows in parts.items()}
    labels = {f"{part}_labels": np.ones((len(rows), 14)) for part, rows in parts.items()}
    np.savez(tmp_path / "chest.npz", **arrays, **labels)
    study = Study("t", [Run("pca", "pca", {"n_components": 2})], str(tmp_path / "chest.npz"))
    said = []
    record = run_study(study, tmp_path / "run", say=said.append)
    notes = [words for words in said if words.startswith("note: ")]
    assert sum("'train_labels'" in note for note in notes) == 1
    assert sum("to validate with (val)" in note for note in notes) == 1
    assert "'train_labels'" in record.facts["notes on the data"]
    assert "&#39;train_labels&#39;" in (tmp_path / "run/report.html").read_text()
