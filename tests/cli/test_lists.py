"""Verbs that list what there is."""

import pytest

from narrows.model.build import parts_table
from narrows.model.recipes import RECIPES
from narrows.study.labs import lab_files

COLUMNS = {
    "labs": ["lab", "title", "data", "models"],
    "recipes": ["recipe", "what", "from"],
    "parts": ["kind", "part", "options", "what"],
}


@pytest.mark.parametrize("verb", COLUMNS)
def test_a_table_and_json_hold_the_same(narrows, verb):
    text, rows = narrows(verb).out, narrows(verb, "--json").json()
    assert text.splitlines()[0].split() == COLUMNS[verb]
    assert len(text.splitlines()) == 1 + len(rows)
    for row, line in zip(rows, text.splitlines()[1:]):
        assert list(row) == COLUMNS[verb]
        assert all(str(value) in line for value in row.values())


def test_all_that_there_is_is_listed(narrows):
    assert [row["recipe"] for row in narrows("recipes", "--json").json()] == list(RECIPES)
    assert [row["part"] for row in narrows("parts", "--json").json()] == [
        row["part"] for row in parts_table()
    ]
    assert [row["lab"].lower() for row in narrows("labs", "--json").json()] == [
        n for n in lab_files() if n != "demo"
    ]
