"""What --help prints, of every verb."""

import pytest

from narrows.cli.app import VERBS


def help_of(narrows, *words: str) -> str:
    found = narrows(*words, "--help")
    assert found.code == 0
    return " ".join(found.out.replace("│", " ").split())


@pytest.mark.parametrize("verb", [verb.__name__ for verb in VERBS])
def test_help_shows_no_default_that_says_nothing(narrows, verb):
    text = help_of(narrows, verb)
    for default in ("False", '""', "None", ""):
        assert f"[default: {default}]" not in text
    assert "Example: narrows" in text


@pytest.mark.parametrize("verb", ["encode", "score", "reconstruct", "denoise"])
def test_help_says_that_images_may_be_a_pack(narrows, verb):
    assert "a pack" in help_of(narrows, verb)


def test_help_says_what_force_does_to_results_that_are_kept(narrows):
    assert "Measure again what the folder holds already" in help_of(narrows, "bench", "anomaly")


def test_help_says_defaults_that_are_numbers_and_names(narrows):
    text = help_of(narrows, "train")
    assert "[default: crop]" in text
    assert "[default: 10.0]" in text
