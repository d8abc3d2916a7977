"""The timing itself: rounds in turn, ratios round by round, a table, and what is said where a way
cannot run.
"""

import os
from pathlib import Path

import pytest

from narrows.bench import speed as module
from narrows.bench.speed import markdown, speed, table
from narrows.errors import NarrowsError

FOUND = [
    {"lab": "C", "way": "floor", "ready": True, "torch": 300.0,
     "training": [1.0, 2.0, 1.0], "evaluation": [0.0, 0.0, 0.0], "memory": [310.0, 310.0, 310.0]},
    {"lab": "C", "way": "notebook", "ready": True, "torch": 300.0,
     "training": [6.0, 12.0, 5.0], "evaluation": [0.0, 0.0, 0.0], "memory": [400.0, 410.0, 410.0]},
    {"lab": "C", "way": "pythae", "why": "this needs pythae"},
    {"lab": "C", "way": "narrows", "ready": True, "torch": 300.0,
     "training": [2.0, 3.0, 2.0], "evaluation": [0.0, 0.0, 0.0], "memory": [420.0, 420.0, 421.0]},
]  # fmt: skip


@pytest.fixture
def mnist():
    if not Path(os.environ.get("NARROWS_DATA") or "nowhere", "mnist").is_dir():
        pytest.skip("$NARROWS_DATA does not hold mnist")


def test_ratios_are_taken_round_by_round_and_printed_with_their_target():
    *_, ours = table(FOUND)
    assert ours["training, s"] == "2.00 (2.00-3.00)"
    assert ours["times the notebook"] == "3.00 (2.50-4.00), target 3.2"
    assert ours["times the floor"] == "2.00 (1.50-2.00), target 1.7"
    assert ours["memory, MB"] == "421 (+121)"
    assert ours["evaluation, s"] == ""


def test_a_way_that_did_not_run_says_why():
    assert table(FOUND)[2] == {
        "lab": "C",
        "way": "pythae's trainer",
        "training, s": "this needs pythae",
    }


def test_a_way_that_skips_the_evaluation_is_not_compared_with_one_that_has_it():
    rows = [dict(row, lab="D") for row in FOUND if row["way"] != "pythae"]
    rows[1]["evaluation"] = [1.0, 1.0, 1.0]
    theirs = {**rows[2], "way": "pythae"}
    found = table([*rows[:2], theirs])[-1]
    assert found["times the notebook"] == ""
    assert found["times the floor"]


def test_markdown_has_a_line_for_each_row():
    lines = markdown(table(FOUND)).splitlines()
    assert len(lines) == 2 + len(FOUND)
    assert all(line.count(" | ") == len(lines[0].split(" | ")) - 1 for line in lines)


@pytest.mark.slow
def test_ways_run_in_turn_each_in_a_process_of_its_own(mnist):
    said = []
    found = speed(["E2-64"], ["floor", "plain", "narrows"], rounds=2, images=400, say=said.append)
    assert [words.rpartition(": ")[2] for words in said] == ["floor", "a plain loop", "Narrows"] * 2
    assert [row["way"] for row in found] == ["floor", "plain", "narrows"]
    for row in found:
        assert len(row["training"]) == len(row["memory"]) == 2
        assert all(seconds > 0 for seconds in row["training"])
        assert row["memory"][-1] > row["torch"] > 50


def test_compiled_runs_are_timed_where_something_is_wanted_of_them():
    assert [lab for lab, case in module.CASES.items() if case.fast] == ["A", "C", "F"]


@pytest.mark.slow
def test_a_process_that_dies_is_reported_of(monkeypatch):
    monkeypatch.setitem(module.CASES, "Z", module.CASES["A"])  # which the process does not know
    with pytest.raises(NarrowsError, match="ended with code 1"):
        speed(["Z"], ["plain"], rounds=1)
