"""Where the time goes: kinds add up to the step, and an evaluation is the model's time and what is
beyond it.
"""

import numpy as np
import pytest

from narrows.bench import profile
from narrows.bench.cases import CASES
from narrows.bench.profile import evaluations, profiled, rounded, steps

KINDS = ("products", "random", "optimiser", "elementwise", "between")


@pytest.fixture(autouse=True)
def blurred(monkeypatch):
    """300 images of blurred noise in place of the sets."""
    drawn = (
        np.random.default_rng(0)
        .integers(0, 256, (300, 7, 7, 3), dtype=np.uint8)
        .repeat(4, 1)
        .repeat(4, 2)
    )
    sets = {"mnist": drawn[..., 0], "coloured-mnist": drawn}
    monkeypatch.setattr(profile, "load_data", lambda name, split="train": (sets[name], None))
    monkeypatch.setattr(profile, "peak", lambda device: 1e12)


@pytest.mark.parametrize("lab", ["A", pytest.param("F", marks=pytest.mark.slow)])
def test_the_kinds_of_a_step_add_up_to_it(lab):
    found = steps(lab, CASES[lab])
    assert sum(found[f"{kind}, ms"] for kind in KINDS) == pytest.approx(found["step, ms"])
    assert min(found[f"{kind}, ms"] for kind in KINDS[:-1]) > 0  # both draw noise


def test_a_network_without_chance_spends_nothing_on_it():
    assert steps("E2-64", CASES["E2-64"], 100)["random, ms"] == 0


def test_an_evaluation_takes_longer_than_the_model_in_it():
    found = evaluations("A", CASES["A"], 200)
    assert found["images"] == 200
    assert 0 < found["beyond the model, s"] < found["evaluation, s"]


def test_each_lab_has_a_row_in_both_tables():
    said = []
    found = profiled(["E2-64"], 100, said.append)
    assert [len(rows) for rows in found.values()] == [1, 1]
    assert said == ["lab E2-64: step", "lab E2-64: evaluation"]
    assert rounded([{"lab": "A", "images": 3, "step, ms": 0.1234}]) == [
        {"lab": "A", "images": 3, "step, ms": "0.12"}
    ]
