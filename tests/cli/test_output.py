"""What the command line says, and where."""

import json
import math

from narrows.cli.output import complain, give, give_facts, tell


def test_results_go_to_the_output_and_words_to_the_errors(capsys):
    tell("at work")
    complain("no")
    give([{"a": 1}])
    assert tuple(capsys.readouterr()) == ("a\n1\n", "at work\nnarrows: no\n")


def test_json_has_nans_that_json_has_not(capsys):
    give([{"a": math.inf, "b": 0.1}], as_json=True)
    assert json.loads(capsys.readouterr().out, parse_constant=None) == [{"a": None, "b": 0.1}]
    give_facts({"Measures": [{"psnr": math.inf, "mse": math.nan, "size": 3}]}, as_json=True)
    printed = capsys.readouterr().out
    assert "Infinity" not in printed
    assert json.loads(printed) == {"Measures": [{"psnr": None, "mse": None, "size": 3}]}


def test_facts_are_a_line_each(capsys):
    give_facts({"seed": 0, "data": "digits"})
    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["seed", "0"],
        ["data", "digits"],
    ]
