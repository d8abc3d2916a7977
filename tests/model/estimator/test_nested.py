"""Options of parts as parameters of their own: `bottleneck__size` in searches and pipelines."""

from inspect import Parameter

import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

import narrows as nw
from narrows.errors import BuildError, NarrowsError
from narrows.model.build import SPEC_NAMES
from narrows.model.estimator.nested import NESTED
from narrows.parts.kinds import KINDS

CONSTANT = "ignore:the model predicts a constant"


def small(**options) -> nw.Autoencoder:
    return nw.Autoencoder(
        **{"body": {"kind": "mlp", "widths": [16]}, "epochs": 1, "batch_size": 32, **options}
    )


class Halves(torch.nn.Module):
    """A body of a user's own, with an option."""

    def __init__(self, image: tuple[int, int, int], width: int = 8):
        super().__init__()
        self.linear = torch.nn.Linear(image[0] * image[1] * image[2], width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x.flatten(1))


# -- parameters ------------------------------------------------------------------------------------


def test_parameters_are_the_options_and_those_of_the_parts():
    model = nw.Autoencoder(bottleneck="variational", optimiser={"kind": "adam", "lr": 0.1})
    options, parameters = model.get_params(deep=False), model.get_params()
    assert {name for name in parameters if "__" not in name} == set(options)
    assert parameters["bottleneck__kind"] == "variational"
    assert parameters["bottleneck__size"] == 20  # the default of a part given by its name
    assert parameters["optimiser__lr"] == 0.1
    assert parameters["training__keep"] == "best"
    assert not any(name.startswith(("up__", "prior__", "penalties__")) for name in parameters)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"penalty"}))
def test_every_part_can_be_set_by_the_names_that_it_lists(kind):
    for name in KINDS[kind].table:
        options = KINDS[kind].options(name)
        needed = {option: [1] for option, default in options.items() if default is Parameter.empty}
        model = nw.Autoencoder(**{kind: {"kind": name, **needed}})
        listed = {key: value for key, value in model.get_params().items() if f"{kind}__" in key}
        assert listed[f"{kind}__kind"] == name
        again = nw.Autoencoder(**{kind: {"kind": name, **needed}}).set_params(**listed)
        assert listed.items() <= again.get_params().items()


def test_every_kind_of_part_is_nested_but_the_list_of_penalties():
    assert set(NESTED) == {*SPEC_NAMES, "optimiser", "schedule", "training"} - {"penalties"}


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ("plain", {"bottleneck__size": 3}, {"kind": "plain", "size": 3}),
        ({"kind": "plain"}, {"bottleneck__size": 3}, {"kind": "plain", "size": 3}),
        ({"kind": "plain", "size": 8}, {"bottleneck__kind": "topk"}, {"kind": "topk"}),
        (
            {"kind": "variational", "size": 8},
            {"bottleneck__beta": 4.0},
            {"kind": "variational", "size": 8, "beta": 4.0},
        ),
        (
            "plain",
            {"bottleneck": "variational", "bottleneck__size": 3},
            {"kind": "variational", "size": 3},
        ),
        (
            {"kind": "plain", "size": 8},
            {"bottleneck__kind": "variational", "bottleneck__size": 3},
            {"kind": "variational", "size": 3},
        ),
    ],
)
def test_an_option_merges_into_a_part_of_its_kind_and_another_kind_replaces_it(
    before, change, after
):
    given = dict(before) if isinstance(before, dict) else before
    model = nw.Autoencoder(bottleneck=given)
    assert model.set_params(**change) is model
    assert model.bottleneck == after
    assert given == before  # the user's own dict stays as it is


def test_options_of_training_and_by_former_names_are_set():
    model = nw.Autoencoder(training={"patience": 3}).set_params(
        training__keep="last", optimiser__rate=0.1, schedule__kind="cosine", epochs=3
    )
    assert model.training == {"patience": 3, "keep": "last"}
    assert model.optimiser == {"kind": "adam", "lr": 0.1}
    assert (model.schedule, model.epochs) == ({"kind": "cosine"}, 3)
    assert nw.Autoencoder().set_params(training__patience=2).training == {"patience": 2}


def test_a_part_given_as_a_class_has_its_options(digits):
    model = small(body=Halves, bottleneck={"kind": "plain", "size": 3})
    assert model.get_params()["body__width"] == 8
    model.set_params(body__width=4).fit(digits)
    assert model.body == {"kind": Halves, "width": 4}
    assert model.network_.body.shape == (4,)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"botleneck__size": 3}, "no option called 'botleneck'; did you mean 'bottleneck'"),
        ({"botleneck": "plain"}, "no option called 'botleneck'; did you mean 'bottleneck'"),
        ({"bottleneck__sizes": 3}, "no option 'sizes'; did you mean 'size'"),
        ({"bottleneck__kind": "plan"}, "no bottleneck called 'plan'; did you mean 'plain'"),
        ({"training__patince": 3}, "no option 'patince'; did you mean 'patience'"),
        ({"optimiser__learning_rate": 3}, "no option 'learning_rate'; did you mean 'lr'"),
        ({"epochs__size": 3}, "epochs has no options of its own: got epochs__size; set epochs"),
        ({"penalties__0__weight": 3}, "penalties has no options of its own"),
        ({"up__kernels": 3}, "expected a 'kind' in it; one of: deconv"),
        ({"bottleneck__size": 3, "epoch": 2, "body__wide": 1}, "for 2 reasons"),
    ],
)
def test_names_that_do_not_exist_are_refused_and_nothing_is_set(change, words):
    model = nw.Autoencoder()
    before = model.get_params()
    with pytest.raises(NarrowsError, match=words):
        model.set_params(**change)
    assert model.get_params() == before


def test_a_part_that_is_made_already_is_refused_with_its_class():
    model = small(body=Halves((1, 8, 8)))
    assert model.get_params()["body"] is model.body
    with pytest.raises(BuildError, match="give its class: body=Halves"):
        model.set_params(body__width=4)


def test_parameters_of_a_part_that_does_not_exist_are_those_given():
    model = nw.Autoencoder(bottleneck={"kind": "plan", "size": 3})
    assert model.get_params()["bottleneck__size"] == 3
    assert clone(model).bottleneck == {"kind": "plan", "size": 3}


def test_principal_components_have_no_parts():
    assert nw.PCA(3).get_params() == nw.PCA(3).get_params(deep=False)
    with pytest.raises(NarrowsError, match="no option called 'bottleneck'"):
        nw.PCA().set_params(bottleneck__size=3)


# -- in searches -----------------------------------------------------------------------------------


@pytest.mark.filterwarnings(CONSTANT)
@pytest.mark.parametrize(
    "bottleneck", ["plain", {"kind": "plain", "size": 4}], ids=["by name", "a dict"]
)
def test_a_grid_search_varies_the_options_of_a_part(digits, bottleneck):
    model = small(bottleneck=bottleneck, epochs=8, optimiser={"kind": "adam", "lr": 3e-3})
    search = GridSearchCV(model, {"bottleneck__size": [1, 16]}, cv=2).fit(digits)
    assert search.best_params_ == {"bottleneck__size": 16}
    assert search.best_estimator_.code_size_ == 16
    assert model.bottleneck == bottleneck


@pytest.mark.filterwarnings(CONSTANT)
def test_a_grid_search_reaches_a_part_of_a_step_of_a_pipeline(labelled):
    X, y = labelled
    encoder = small(bottleneck={"kind": "variational", "size": 4})
    steps = Pipeline([("code", encoder), ("classes", LogisticRegression(max_iter=200))])
    grid = {"code__bottleneck__size": [1, 8], "code__optimiser__lr": [3e-3]}
    search = GridSearchCV(steps, grid, cv=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 2
    best = search.best_estimator_.named_steps["code"]
    assert best.bottleneck == {
        "kind": "variational",
        "size": search.best_params_["code__bottleneck__size"],
    }
    assert best.optimiser == {"kind": "adam", "lr": 3e-3}


def test_a_grid_with_a_wrong_name_ends_before_any_fit(digits):
    with pytest.raises(NarrowsError, match="did you mean 'size'"):
        GridSearchCV(small(), {"bottleneck__sizes": [1, 2]}, cv=2).fit(digits)
