"""Integer options refuse fractions, whichever verb they belong to."""

from typing import get_args

import pytest

from narrows.cli.app import app


def verbs(table, *words):
    """Each verb, and each verb within a verb, with the words that call it."""
    for name in table:
        if name.startswith("-"):
            continue
        if any(not other.startswith("-") for other in table[name]):
            yield from verbs(table[name], *words, name)
        else:
            yield (*words, name), table[name]


def arguments_of(verb):
    return verb.assemble_argument_collection()


def takes_integers(argument) -> bool:
    return is_of_integers(argument.hint)


def is_of_integers(hint) -> bool:
    return hint is int or any(is_of_integers(inner) for inner in get_args(hint))


def required_words(verb):
    """A word for each argument that a verb needs."""
    for argument in arguments_of(verb):
        if argument.required:
            yield from [argument.name, "x"] if argument.name.startswith("-") else ["x"]


OPTIONS = [
    (words, verb, name)
    for words, verb in verbs(app)
    for argument in arguments_of(verb)
    if takes_integers(argument)
    for name in argument.names
]


def test_all_integer_options_are_known_to_this_test():
    names = {name for _, _, name in OPTIONS}
    assert {"--epochs", "--batch-size", "--seed", "--devices", "--size", "--count", "-n"} <= names
    assert {"--steps", "--rounds", "--images"} <= names
    assert len(OPTIONS) > 25


@pytest.mark.parametrize(("words", "verb", "name"), OPTIONS, ids=lambda value: str(value)[:40])
def test_a_fraction_is_refused_for_an_integer_option(refused, monkeypatch, words, verb, name):
    monkeypatch.setattr("narrows.cli.launch.launch", lambda devices: 0)  # starts no processes
    message = refused(2, *words, *required_words(verb), name, "1.5")
    assert message.startswith(f"narrows: {name}: got '1.5', expected an integer\n")


@pytest.mark.parametrize("text", ["64.0", "1e3", "two", "", "²"])
def test_what_is_not_an_integer_is_refused(refused, text):
    arguments = ["train", "pca", "--data", "digits", "-o", "x", f"--epochs={text}"]
    assert "--epochs: got" in refused(2, *arguments)


def test_integers_of_several_values_are_each_checked(refused):
    arguments = ["encode", "run", "images", "-o", "x.npz", "--size", "8", "8.5"]
    assert "--size: got '8.5', expected an integer" in refused(2, *arguments)
