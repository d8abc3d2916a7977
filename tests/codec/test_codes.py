"""Codes as integers: as short as their entropy, and never others."""

import json

import numpy as np
import pytest

from narrows.codec.codes import CodeTables, as_integers, natural_steps
from narrows.errors import DataError, ImageError

GENERATOR = np.random.default_rng(0)
CODES = {
    "normal": GENERATOR.normal(0, [1, 3, 0.01], (4000, 3)).astype(np.float32),
    "integers": GENERATOR.integers(-3, 9, (50, 2)).astype(np.float32),
    "constant": np.full((20, 2), 1.5, np.float32),
    "one": np.array([[0.25, -7.5]], np.float32),
}


def tables(codes, share=0.5):
    step, offset = natural_steps(codes, share)
    integers = as_integers(codes, step, offset)
    return CodeTables.of(integers, step, offset), integers


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("lanes", [1, 8])
def test_codes_round_trip(name, lanes):
    made, integers = tables(CODES[name])
    again = CodeTables.from_json(json.loads(json.dumps(made.as_json())))
    stream = made.encode(integers).finish(lanes)
    assert (again.decode(stream, lanes, len(integers)) == integers).all()
    assert (again.codes(integers) == made.codes(integers)).all()


@pytest.mark.parametrize("name", CODES)
def test_codes_come_back_within_half_a_step(name):
    made, integers = tables(CODES[name])
    error = np.abs(made.codes(integers) - CODES[name])
    assert (error <= made.step / 2 * 1.001 + 1e-6).all()
    if name == "integers":
        assert not error.any()


def test_codes_take_their_entropy():
    made, integers = tables(CODES["normal"])
    bits = 0.0
    for unit in integers.T:
        p = np.unique(unit, return_counts=True)[1] / len(unit)
        bits -= len(unit) * (p * np.log2(p)).sum()
    assert bits <= made.encode(integers).bits() <= bits * 1.005


def test_frequencies_of_codes_are_positive_and_complete():
    made, _ = tables(CODES["normal"], share=0.01)
    for unit in range(3):
        each = made.frequencies(unit).each
        assert each.min() >= 1
        assert each.sum() == 1 << 16


def test_codes_with_too_many_values_or_none_that_is_finite_are_refused():
    with pytest.raises(ImageError, match="at most 4,096"):
        tables(np.array([[0.0], [9000.0]], np.float32))
    for bad in (np.nan, np.inf, 1e30):
        with pytest.raises(ImageError, match="not finite"):
            as_integers(np.array([[bad]], np.float32), np.ones(1), np.zeros(1))


@pytest.mark.parametrize(
    "change",
    [
        {"low": [0.5, 0]},
        {"low": [0]},
        {"counts": [[1], []]},
        {"counts": [[1], [0, 0]]},
        {"counts": [[1], [-1, 3]]},
        {"counts": 3},
        {"step": float("nan")},
        {"step": [1, 2, 3]},
        {"offset": "x"},
        {"low": None},
    ],
)
def test_tables_of_codes_that_nobody_wrote_are_refused(change):
    made, _ = tables(CODES["integers"])
    with pytest.raises(DataError, match="tables of codes"):
        CodeTables.from_json(made.as_json() | change)
