"""The labs are study files, found by their letters, and hold every number that was published."""

import numpy as np
import pytest

import narrows as nw
from narrows.errors import UnknownName
from narrows.measure.names import measure_title
from narrows.study import labs as module
from narrows.study.labs import lab_file, lab_files, lab_names, labs
from narrows.study.schema import read_study

NAMES = ["a", "b", "c", "d", "e1", "e2", "e3", "e4", "e5", "e6", "f"]
AE_10 = [6.31, 21.93, 20.27, 13.90, 12.31, 25.93, 15.29, 13.92, 14.23, 18.63]
AE_20 = [7.20, 30.93, 15.77, 12.61, 12.80, 27.04, 13.61, 15.20, 14.04, 20.33]
PCA = [4.91, 16.86, 16.05, 10.71, 14.85, 20.39, 11.74, 14.36, 13.22, 16.61]
SPARSE = [3.56, 13.06, 11.98, 6.85, 6.41, 13.77, 7.27, 12.29, 9.01, 12.76]
PUBLISHED = {  # as the reports print them
    "a": [16.98, 0.688, 20.21, 0.859, 21.87, 0.885, 0.0295, 0.0303],
    "b": [0.0378, 0.0290, 0.0229, 0.0133],
    "c": [165.3, 122.1, 115.0, 112.0, 110.2],
    "d": [49.26, 13.35, 0.381, 37.98, 14.17, 0.499, 39.76],
    "e1": [0.0173, 0.0153, 0.01802, 0.01769, AE_10, AE_20, PCA],
    "e2": [0.0115, 0.0074, 0.0064, 22.08, 15.48, 12.70, 6392, 5284, 4222],
    "e3": [0.0086, 0.0775, 0.0793, SPARSE, 47.8],
    "e4": [12.71, 12.69, 12.70, 11.90, 11.69, 20.23, 21.92, 11.89],
    "e5": [0.0344],
    "e6": [286.5, 60.0, 85.6],
    "f": [10.27, 0.003709, 7.08, 0.008330],
}
every_lab = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="session")
def studies() -> dict:
    return {name: read_study(path) for name, path in lab_files().items()}


def models(study) -> dict:
    return {run.name: nw.recipe(run.recipe, **run.changes) for run in study.runs}


def test_all_labs_are_there_in_their_order(studies):
    assert lab_names() == NAMES
    assert set(studies) == {*NAMES, "demo"}


def test_every_lab_is_in_the_table_with_its_models(studies):
    rows = {row["lab"]: row for row in labs()}
    assert list(rows) == [name.upper() for name in NAMES]
    for letter, row in rows.items():
        study = studies[letter.lower()]
        data = study.data if isinstance(study.data, str) else study.data["kind"]
        assert (row["title"], row["data"]) == (study.title, data)
        assert row["title"].startswith(f"Lab {letter}: ")
        assert row["models"].split(", ") == [run.recipe for run in study.runs]


def test_an_unknown_lab_is_refused_with_those_that_there_are():
    with pytest.raises(UnknownName, match=r"no lab called 'Z'.*known: A, .*all") as caught:
        lab_file("z")
    assert "DEMO" not in str(caught.value)


def test_the_table_holds_every_file_of_the_folder(monkeypatch, tmp_path):
    runs = '[{ name = "p", recipe = "pca" }]'
    (tmp_path / "x.toml").write_text(f'title = "X"\ndata = {{ kind = "photos" }}\nruns = {runs}')
    monkeypatch.setattr(module, "lab_files", lambda: {"x": tmp_path / "x.toml"})
    assert labs() == [{"lab": "X", "title": "X", "data": "photos", "models": "pca"}]


# -- numbers ---------------------------------------------------------------------------------------


@every_lab
def test_every_published_number_is_in_the_study(studies, name):
    told = [number.published for number in studies[name].numbers]
    for published in PUBLISHED[name]:
        assert published in told


def test_the_lists_have_the_means_that_were_published_too():
    for errors, mean in ((AE_10, 16.27), (AE_20, 16.95), (PCA, 13.97)):
        assert np.mean(errors) == pytest.approx(mean, abs=0.006)


@every_lab
def test_numbers_and_snapshots_are_of_epochs_that_are_run(studies, name):
    epochs = {name: getattr(model, "epochs", 0) for name, model in models(studies[name]).items()}
    for number in studies[name].numbers:
        assert (number.epoch or 0) <= epochs[number.run]
    for run in studies[name].runs:
        assert max(run.snapshots, default=0) <= epochs[run.name]


@every_lab
def test_validation_is_asked_for_if_there_is_some_and_measures_have_names(studies, name):
    held = {run.name for run in studies[name].runs if run.watch}
    held |= {
        name for name, model in models(studies[name]).items() if getattr(model, "validation", None)
    }
    for number in studies[name].numbers:
        if (number.history or "").startswith("val_"):
            assert number.run in held
        if number.test:
            assert "_" not in measure_title(number.test)


@every_lab
def test_no_test_image_chooses_an_epoch(studies, name):
    """A run that watches the test images keeps its last epoch, whatever they say."""
    for run in studies[name].runs:
        if run.watch:
            assert nw.recipe(run.recipe, **run.changes).training["keep"] == "last"


@every_lab
def test_errors_that_the_reports_took_on_the_wrong_scale_are_next_to_that_scale(studies, name):
    """E5 alone was computed rightly, and principal components without a mean do not mind."""
    for number in studies[name].numbers:
        if number.error and number.published is not None and "PCA" not in number.run:
            assert number.trap == 255
