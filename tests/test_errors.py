"""Laws of the errors: what was asked, what is known, what to do; and all faults at once."""

import inspect
import re
import tomllib
from pathlib import Path

import pytest

from narrows import errors
from narrows.errors import (
    BuildError,
    Faults,
    NarrowsError,
    UnknownName,
    did_you_mean,
    extra,
    unknown,
    wrong,
)

FAMILY = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, NarrowsError)
]


@pytest.mark.parametrize("kind", FAMILY)
def test_every_error_is_a_narrows_error_and_a_value_error(kind):
    assert issubclass(kind, NarrowsError)
    assert issubclass(kind, ValueError)
    assert kind.__doc__


@pytest.mark.parametrize(
    ("name", "known", "close"),
    [
        ("gausian", ["gaussian", "none"], "gaussian"),
        ("MLP", ["mlp", "conv"], "mlp"),
        ("a", ["A", "E6"], "A"),
    ],
)
def test_a_close_name_is_proposed_whatever_its_case(name, known, close):
    assert did_you_mean(name, known).startswith(f"did you mean '{close}'? known: ")


def test_no_far_name_is_proposed_but_all_are_listed_in_order():
    assert did_you_mean("xyz", ["mlp", "conv"]) == "known: conv, mlp"
    assert did_you_mean("xyz", []) == "known: none"


def test_unknown_says_the_kind_the_name_and_what_is_known():
    error = unknown("body", "mpl", {"mlp": 1, "conv": 2})
    assert type(error) is UnknownName
    assert str(error) == "there is no body called 'mpl'; did you mean 'mlp'? known: conv, mlp"


def test_wrong_says_what_was_got_what_is_expected_and_the_cure():
    assert isinstance(wrong("share", 2, "a number"), BuildError)
    assert (
        str(wrong("share", 2, "a number in [0, 1]")) == "share: got 2, expected a number in [0, 1]"
    )
    assert (
        str(wrong("share", 2, "a number", "divide by 100"))
        == "share: got 2, expected a number; divide by 100"
    )


def test_no_fault_raises_nothing():
    Faults("the model").stop()


def test_one_caught_error_keeps_its_type_and_words():
    faults = Faults("the model")
    with faults.catch():
        raise UnknownName("no such body")
    with pytest.raises(UnknownName, match=r"^no such body$"):
        faults.stop(BuildError)


def test_one_added_fault_is_reported_in_one_line():
    faults = Faults("the model")
    faults.add("too small")
    with pytest.raises(BuildError, match=r"^the model: too small$"):
        faults.stop(BuildError)


def test_all_faults_are_reported_together_in_order_and_inner_lists_are_indented():
    faults = Faults("the model")
    faults.add("first\n  - inner")
    with faults.catch():
        raise UnknownName("second")
    with pytest.raises(BuildError) as caught:
        faults.stop(BuildError)
    assert str(caught.value) == "the model, for 2 reasons:\n  - first\n    - inner\n  - second"


def test_only_errors_of_the_family_are_caught():
    with pytest.raises(KeyError), Faults("the model").catch():
        raise KeyError("a bug of ours")


def test_an_extra_that_is_there_is_imported():
    assert extra("json", "any") is __import__("json")


def test_a_missing_extra_is_named_in_one_line():
    with pytest.raises(errors.MissingExtra) as caught:
        extra("no_such_package.part", "tsne")
    assert str(caught.value) == (
        "this needs no_such_package, which is not installed: pip install 'narrows[tsne]'"
    )


def test_every_extra_that_an_error_names_exists():
    root = Path(errors.__file__).parents[2]
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for path in (root / "src").rglob("*.py"):
        for name in re.findall(r"""\bextra\([^()]*"([\w-]+)"\)""", path.read_text()):
            assert name in extras, f"{path.name} names the extra {name}"
