"""The labs are study files, found by their letters."""

import pytest

from narrows.errors import UnknownName
from narrows.study.form import read_study
from narrows.study.labs import lab_file, lab_files, labs


def test_every_lab_stands_in_the_table_with_its_models():
    rows = {row["lab"]: row for row in labs()}
    assert set(rows) == {name.upper() for name in lab_files()} - {"DEMO"}
    for letter, row in rows.items():
        study = read_study(lab_file(letter.lower()))
        assert (row["title"], row["data"]) == (study.title, study.data)
        assert row["models"].split(", ") == [run.recipe for run in study.runs]


def test_an_unknown_lab_is_refused_with_those_that_there_are():
    with pytest.raises(UnknownName, match=r"no lab called 'Z'.*known: A, ") as caught:
        lab_file("z")
    assert "DEMO" not in str(caught.value)
