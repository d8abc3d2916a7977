"""`--set part.option=value`: the value is read as TOML or as Python, or else taken as a word."""

import pytest

from narrows.cli.options import Changes, assignment
from narrows.errors import BuildError


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("epochs=3", {"epochs": 3}),
        ("a.b=0.5", {"a": {"b": 0.5}}),
        ("a.b=-1e-3", {"a": {"b": -0.001}}),
        ("a.b=true", {"a": {"b": True}}),
        ("a.b=false", {"a": {"b": False}}),
        ("a.b=[1, 2]", {"a": {"b": [1, 2]}}),
        ("a.b=[0.1,0.5]", {"a": {"b": [0.1, 0.5]}}),
        ("a.b=[]", {"a": {"b": []}}),
        ("a=relu", {"a": "relu"}),
        ("a=deconv+unpool", {"a": "deconv+unpool"}),
        ('a="3"', {"a": "3"}),
        ("a={ kind = 'plain', size = 2 }", {"a": {"kind": "plain", "size": 2}}),
        ("a.b.c=1", {"a": {"b": {"c": 1}}}),
        (" a.b = 1 ", {"a": {"b": 1}}),
        ("a=x=y", {"a": "x=y"}),
        ("a=True", {"a": True}),
        ("a=None", {"a": None}),
        ("a=(256, 128)", {"a": (256, 128)}),
        ("a = relu ", {"a": "relu"}),
        ("a=f(x)", {"a": "f(x)"}),
        ("a=[b, c-d]", {"a": ["b", "c-d"]}),
        ("a=é", {"a": "é"}),
    ],
)
def test_values(text, changes):
    found = assignment(text)
    assert found == changes
    assert repr(found) == repr(changes)  # True is not 1


@pytest.mark.parametrize("text", ["", "a", "=3", " =3", "a.=3", ".a=3", "a..b=3", "a=", "a = "])
def test_silly_texts_are_refused_with_an_example(text):
    with pytest.raises(BuildError, match=r"expected part.option=value, such as bottleneck.size=64"):
        assignment(text)


def test_changes_are_those_asked_for_by_the_names_that_models_know():
    assert Changes().as_dict() == {}
    asked = Changes(epochs=3, batch_size=8, seed=0, device="cpu", validation=0.1)
    assert asked.as_dict() == {
        "epochs": 3,
        "batch_size": 8,
        "random_state": 0,
        "device": "cpu",
        "validation": 0.1,
    }


def test_several_settings_of_one_part_come_together_and_the_last_wins():
    asked = Changes(
        epochs=3,
        set=["body.widths=[8]", "body.dropout=0.1", "bottleneck.size=2", "body.dropout=0.2"],
    )
    assert asked.as_dict() == {
        "epochs": 3,
        "body": {"widths": [8], "dropout": 0.2},
        "bottleneck": {"size": 2},
    }
