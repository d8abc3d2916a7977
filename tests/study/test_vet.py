"""Names that do not exist, or cannot be used, are all told, before anything is trained."""

import pytest

from narrows.errors import Faults
from narrows.study.schema import Drawing, Number, Run, Study, validate_study


def one(**changes) -> Study:
    return Study(**{"title": "t", "runs": [Run("a", "ae-mlp")], **changes})


def told(study: Study) -> list[str]:
    """All that is wrong with a study."""
    faults = Faults("here")
    validate_study(study, faults)
    return faults.found


# -- runs ------------------------------------------------------------------------------------------


def test_recipes_are_refused_with_their_runs():
    runs = [
        Run("a", "ae-mlp", {"bottleneck": {"siz": 3}}),
        Run("b", "ae-mlp", {"bottleneck": {"kind": "plan"}, "schedule": "cosin"}),
        Run("c", "ae-mlp", {"training": {"kep": "last"}}),
        Run("d", "pca", {"size": 3}),
    ]
    for found, said in zip(
        told(one(runs=runs)),
        (
            "the run 'a': bottleneck 'plain': it has no option 'siz'; did you mean 'size'?",
            "the run 'b': there is no schedule called 'cosin'; did you mean 'cosine'?",
            "the run 'b': there is no bottleneck called 'plan'; did you mean 'plain'?",
            "the run 'c': training 'options': it has no option 'kep'; did you mean 'keep'?",
            "the run 'd': recipe 'pca': it has no option 'size'",
        ),
        strict=True,
    ):
        assert found.startswith(said)


def test_what_has_no_epochs_cannot_be_watched():
    (said,) = told(one(runs=[Run("p", "pca", watch="test")]))
    assert said == "the run 'p': a PCA has no epochs after which to watch the test images"


def test_names_are_given_once():
    twice = one(
        runs=[Run("a", "pca"), Run("a", "ae-mlp")],
        figures=[Drawing("codes", "f"), Drawing("samples", "f")],
    )
    assert [words.split(";")[0] for words in told(twice)] == [
        "2 runs are called 'a'",
        "2 figures are called 'f'",
    ]


@pytest.mark.parametrize("name", ["", ".", "..", "../up", "a/b", "/tmp/x", "a/"])
def test_a_run_that_cannot_name_a_folder_is_refused(name):
    assert told(one(runs=[Run(name, "pca")])) == [
        f"the run {name!r}: its name cannot be that of a folder; use another name"
    ]


def test_a_study_has_runs():
    assert told(one(runs=[])) == ["it has no runs; it needs at least one [[runs]]"]


# -- numbers and figures ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "needs exactly one of history, batch, test, error; it has none"),
        (
            {"history": "loss", "test": "mse"},
            "needs exactly one of history, batch, test, error; it has history and test",
        ),
        (
            {"batch": "loss", "error": {}},
            "needs exactly one of history, batch, test, error; it has batch and error",
        ),
        ({"test": "mse", "epoch": 2}, "has 'epoch', which only numbers with 'history' can have"),
        ({"batch": "loss", "mean": True}, "has 'mean', which only numbers with 'history' can have"),
        ({"test": "mse", "trap": 255.0}, "has 'trap', which only numbers with 'error' can have"),
        (
            {"history": "loss", "mean": True, "epoch": 2},
            "has both 'epoch' and 'mean'; give one of them",
        ),
        (
            {"test": "mse", "published": [1.0, 2.0]},
            "has a list as 'published', which only numbers with 'error' can have",
        ),
    ],
)
def test_a_number_has_one_source_and_what_goes_with_it(options, said):
    assert told(one(numbers=[Number("n", "a", **options)])) == [f"the number 'n' {said}"]


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        (
            "codes",
            {"methd": "tsne"},
            "has no option 'methd'; did you mean 'method'? known: dimensions, limit, method",
        ),
        ("tested", {}, "needs the option 'sigmas'"),
        ("curves", {"of": ["loss"], "panel": {}}, "has no option 'panel'; did you mean 'panels'?"),
        ("curves", {"of": ["loss"], "title": "x"}, "has no option 'title'"),
        ("samples", {"run": "a"}, "has no option 'run'; known: count, seed"),
        ("beside", {"runs": ["a"]}, "has no option 'runs'; known: captions, fed, images"),
    ],
)
def test_options_that_a_kind_has_not_or_lacks_are_refused_before_anything_is_trained(
    kind, options, said
):
    (found,) = told(one(figures=[Drawing(kind, "f", options=options)]))
    assert found.startswith(f"the figure 'f' {said}")


@pytest.mark.parametrize("kind", ["curves", "compared"])
def test_options_of_the_drawing_pass(kind):
    assert (
        told(
            one(
                figures=[
                    Drawing(kind, "f", options={"of": "loss", "log": True, "reference": {"x": 1}})
                ]
            )
        )
        == []
    )
