"""Options that no images can make right are refused before any image is read."""

import pytest

from narrows.errors import BuildError, Faults
from narrows.model.estimator.option_values import validate_values
from narrows.model.recipes import RECIPES, recipe
from narrows.study.run import run_study
from narrows.study.schema import Run, Study

WRONG = [
    ("ae-mlp", {"body": {"widths": "abc"}}, "widths: got 'abc', expected a list of integers"),
    ("ae-mlp", {"bottleneck": {"size": 0}}, "size: got 0"),
    ("ae-mlp", {"epochs": 0}, "epochs: got 0, expected an integer ≥ 1"),
    ("ae-mlp", {"batch_size": 1.5}, "batch_size: got 1.5"),
    ("ae-mlp", {"random_state": -1}, "random_state: got -1, expected an integer ≥ 0"),
    ("pca", {"random_state": 1.5}, "random_state: got 1.5, expected an integer ≥ 0"),
    ("pca", {"n_components": -1}, "n_components: got -1"),
    ("pca", {"scale": "unti"}, "no scale called 'unti'; did you mean 'unit'"),
    ("ae-mlp", {"validation": 3}, r"validation: got 3, expected a share"),
    ("ae-mlp", {"device": "gpu"}, "no device called 'gpu'"),
    ("ae-mlp", {"optimiser": {"lr": -1}}, "lr: got -1"),
    ("ae-mlp", {"optimiser": {"lr": "abc"}}, "wrong type: got lr='abc'"),
    ("ae-mlp", {"schedule": {"kind": "cosine", "warmup": 2}}, "warmup: got 2"),
    ("ae-mlp", {"training": {"patience": 0}}, "patience: got 0"),
    ("ae-mlp", {"penalties": ["contractiv"]}, "did you mean 'contractive'"),
    ("ae-mlp", {"penalties": "contractive"}, r"expected a list, such as \['contractive'\]"),
]


@pytest.mark.parametrize(("name", "changes", "words"), WRONG, ids=[str(row[1]) for row in WRONG])
def test_wrong_options_are_refused_before_images_are_read(name, changes, words, tmp_path):
    study = Study("a study", [Run(name, name)], str(tmp_path / "no images"))
    with pytest.raises(BuildError, match=words):
        run_study(study, tmp_path / "run", changes=changes)


def test_wrong_options_of_several_runs_are_named_once_with_their_runs(tmp_path):
    study = Study("a study", [Run("pca", "pca"), Run("ae", "ae-mlp")], str(tmp_path))
    with pytest.raises(BuildError) as refusal:
        run_study(study, tmp_path / "run", changes={"epochs": 0, "random_state": -1})
    assert "- random_state: got -1" in str(refusal.value)
    assert "- ae: epochs: got 0" in str(refusal.value)


@pytest.mark.parametrize("name", RECIPES)
def test_the_options_of_every_recipe_are_accepted(name):
    faults = Faults(name)
    validate_values(recipe(name).get_params(deep=False), faults)
    assert not faults.found


def test_options_that_some_images_make_wrong_are_left_to_the_fit():
    model = recipe("ae-conv", body={"kind": "conv", "channels": [8] * 9})
    faults = Faults("deep")
    validate_values(model.get_params(deep=False), faults)
    assert not faults.found
