"""The verbs that measure Narrows itself."""

import json

import pytest

from narrows.bench import profile as where
from narrows.bench import speed as module

ROW = {"lab": "C", "way": "narrows", "ready": True, "torch": 300.0, "training": [2.0], "evaluation": [0.0],
       "memory": [400.0]}  # fmt: skip


@pytest.fixture
def asked(monkeypatch):
    """What the verb asks to be timed; nothing is."""
    found = []
    monkeypatch.setattr(module, "speed", lambda *arguments: found.append(arguments) or [ROW])
    return found


def test_by_default_all_ways_of_all_labs_are_timed(narrows, asked):
    found = narrows("bench", "speed")
    assert found.code == 0
    assert "2.00 (2.00-2.00)" in found.out
    labs, ways, rounds, images, device, _ = asked[0]
    assert (labs, ways) == (tuple(module.CASES), tuple(module.SAID))
    assert (rounds, images, device) == (5, None, "cpu")


def test_labs_ways_and_rounds_are_chosen(narrows, asked, tmp_path):
    found = narrows(
        "bench",
        "speed",
        "C",
        "--ways",
        "floor",
        "narrows",
        "--rounds",
        "2",
        "-o",
        tmp_path / "s.md",
    )
    assert found.code == 0
    assert asked[0][:3] == (("C",), ["floor", "narrows"], 2)
    assert (tmp_path / "s.md").read_text().startswith("| lab | way |")
    again = narrows("bench", "speed", "C", "-o", tmp_path / "s.md")
    assert again.code == 1
    assert "--force" in again.err


def test_json_has_every_round(narrows, asked):
    assert json.loads(narrows("bench", "speed", "C", "--json").out)[0]["training"] == [2.0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("E2",), "no timed lab called 'E2'; known: A, C"),
        (("C", "--ways", "narows"), "did you mean 'narrows'"),
        (("C", "--rounds", "0"), "rounds: got 0"),
        (("C", "--images", "1"), "images: got 1"),
        (("C", "--device", "cdua"), "did you mean 'cuda'"),
    ],
)
def test_what_cannot_be_timed_is_refused(narrows, asked, words, said):
    found = narrows("bench", "speed", *words)
    assert found.code in (1, 2)
    assert said in found.err
    assert not asked


@pytest.fixture
def profiled(monkeypatch):
    """What `bench profile` asks for; nothing is timed."""
    asked = []
    rows = {
        "step": [{"lab": "C", "step, ms": 3.5, "products, ms": 1.25}],
        "evaluation": [{"lab": "C", "images": 9}],
    }
    monkeypatch.setattr(where, "profiled", lambda *arguments: asked.append(arguments) or rows)
    return asked


def test_a_profile_is_reported_as_two_tables(narrows, profiled, tmp_path):
    found = narrows("bench", "profile", "C", "--images", "99", "-o", tmp_path / "p.md")
    assert profiled[0][:2] == (("C",), 99)
    assert "3.50" in found.out
    assert "images" in found.out
    assert (tmp_path / "p.md").read_text().count("| lab |") == 2
    assert json.loads(narrows("bench", "profile", "--json").out)["step"][0]["products, ms"] == 1.25


def test_a_profile_of_an_unknown_lab_is_refused(narrows, profiled):
    found = narrows("bench", "profile", "c")
    assert "did you mean 'C'" in found.err
    assert not profiled
