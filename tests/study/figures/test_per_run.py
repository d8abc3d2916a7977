"""A picture of one run, made a picture of several."""

from types import SimpleNamespace

from narrows.study.figures.per_run import per_run
from narrows.study.record import Figure


@per_run
def twice(run, word: str = "shown"):
    """Two figures of a run."""
    yield Figure(run.name, "curves", "", {})
    yield Figure(f"{run.name}-2", "curves", word, {})


RUNS = [SimpleNamespace(name="a"), SimpleNamespace(name="b")]


def test_each_run_has_its_figures_in_order():
    assert [figure.name for figure in twice(RUNS)] == ["a", "a-2", "b", "b-2"]
    assert list(twice([])) == []


def test_titles_begin_with_the_run_where_there_are_several():
    assert [figure.title for figure in twice(RUNS)] == ["a", "a: shown", "b", "b: shown"]
    assert [figure.title for figure in twice(RUNS[:1], word="seen")] == ["", "seen"]


def test_name_and_words_of_the_picture_stay():
    assert (twice.__name__, twice.__doc__) == ("twice", "Two figures of a run.")
