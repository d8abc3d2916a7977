"""What a file says wrongly is told in words, all of it, each with its place; what it says rightly
is read.
"""

import copy
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta, Struct

from narrows.errors import Faults, NarrowsError
from narrows.study.parse import parse


class Part(Struct):
    """One of several, with a name."""

    name: str
    size: Annotated[int, Meta(ge=1, le=9)] = 1
    rate: Annotated[float, Meta(gt=0)] = 0.5
    sizes: list[int] = []
    options: dict[str, Any] = {}
    mode: Literal["fast", "good"] = "fast"


class Look(Struct):
    """A table in the table."""

    wide: bool = False
    limits: tuple[float, float] | None = None


class Whole(Struct):
    """A file."""

    heading: str
    parts: list[Part]
    data: str | dict[str, Any] = "digits"
    look: Look | None = None
    goal: float | None = None
    lines: Annotated[list[str], Meta(min_length=1)] | None = None
    named: dict[str, Part] = {}


VALID = {
    "heading": "a heading",
    "parts": [
        {
            "name": "one",
            "size": 3,
            "rate": 1.5,
            "sizes": [1, 2],
            "options": {"x": [1, "y"]},
            "mode": "good",
        },
        {"name": "two", "size": 9, "rate": 2, "sizes": [], "options": {}, "mode": "fast"},
    ],
    "data": {"kind": "a set"},
    "look": {"wide": True, "limits": [0, 1.5]},
    "goal": 3,
    "lines": ["x"],
    "named": {"third": {"name": "three"}},
}
ALL = [True, "ten", 7, 2.25, [["x"]], {"k": "v"}]  # a value of each type that TOML has
RIGHT = {  # places with a list or a table below them -> which of ALL fit there
    ("heading",): ["ten"],
    ("parts",): [],
    ("parts", 1, "name"): ["ten"],
    ("parts", 1, "size"): [7],
    ("parts", 1, "rate"): [7, 2.25],
    ("parts", 1, "sizes"): [],
    ("parts", 1, "options"): [{"k": "v"}],
    ("parts", 1, "mode"): [],
    ("data",): ["ten", {"k": "v"}],
    ("look",): [],
    ("look", "wide"): [True],
    ("look", "limits"): [],
    ("goal",): [7, 2.25],
    ("lines",): [],
    ("named",): [],
    ("named", "third", "name"): ["ten"],
}
WORDS = {
    ("parts", 1): "parts 2 ('two'): ",
    ("look",): "look: ",
    ("named", "third"): "named: third: ",
    (): "",
}


def words(place: tuple) -> str:
    """The words before a fault in that key; who has no name cannot be called by it."""
    return WORDS[place[:-1]].replace(" ('two')", "" if place[-1] == "name" else " ('two')")


def told(plain: Any, kind: type[Struct] = Whole, where: str = "") -> list[str]:
    faults = Faults("the file")
    read = parse(plain, kind, faults, where)
    assert (read is None) == bool(faults.found)
    return faults.found


def changed(*changes: tuple[tuple, Any]) -> dict:
    """VALID with other values at some places."""
    plain = copy.deepcopy(VALID)
    for (*above, key), value in changes:
        table: Any = plain
        for step in above:
            table = table[step]
        table[key] = value
    return plain


# -- what is right ---------------------------------------------------------------------------------


def test_what_is_right_is_read_as_msgspec_reads_it():
    faults = Faults("the file")
    assert parse(VALID, Whole, faults) == msgspec.convert(VALID, Whole, strict=True)
    assert faults.found == []


def test_defaults_are_in_for_what_is_left_out_and_are_not_shared():
    least = {"heading": "h", "parts": [{"name": "a"}, {"name": "b"}]}
    read = parse(least, Whole, Faults(""))
    assert read == Whole("h", [Part("a"), Part("b")])
    read.parts[0].sizes.append(1)
    assert read.parts[1].sizes == Part("c").sizes == []


def test_a_whole_number_is_a_number():
    read = parse(VALID, Whole, Faults(""))
    assert (read.goal, type(read.goal)) == (3.0, float)


@pytest.mark.parametrize(
    ("place", "fits"), [(place, fit) for place, fits in RIGHT.items() for fit in fits]
)
def test_every_right_type_passes(place, fits):
    assert told(changed((place, fits))) == []


def test_keys_that_are_called_otherwise_in_the_file():
    class Renamed(Struct, rename={"of": "from"}):
        of: int

    assert parse({"from": 3}, Renamed, Faults("")) == Renamed(3)
    assert told({"from": "x"}, Renamed) == ["from: got 'x', expected an integer"]
    assert told({"of": 3}, Renamed)[-1] == "it needs the key 'from', an integer"


# -- what is wrong, one thing ----------------------------------------------------------------------


def cases_of_wrong_types() -> list:
    same = [(type(value), value) for value in ALL]
    return [
        (p, v)
        for p, fits in RIGHT.items()
        for t, v in same
        if (t, v) not in [(type(f), f) for f in fits]
    ]


@pytest.mark.parametrize(("place", "value"), cases_of_wrong_types())
def test_every_wrong_type_is_reported_with_its_place(place, value):
    found = told(changed((place, value)))
    assert found
    for fault in found:
        assert fault.startswith(words(place) + place[-1])
        assert "expected" in fault or "no key 'k'" in fault or "needs the key" in fault


@pytest.mark.parametrize("place", [place for place in RIGHT if place != ("named", "third", "name")])
@pytest.mark.parametrize(
    "slip", [lambda key: key + "z", lambda key: key[1:], str.title], ids=["more", "less", "case"]
)
def test_every_misspelt_key_is_reported_once_with_what_was_meant(place, slip):
    plain = copy.deepcopy(VALID)
    table: Any = plain
    for step in place[:-1]:
        table = table[step]
    wrong = slip(place[-1])
    table[wrong] = table.pop(place[-1])
    (fault,) = told(plain)
    assert fault.startswith(
        f"{words(place)}there is no key '{wrong}'; did you mean '{place[-1]}'? known: "
    )


@pytest.mark.parametrize(
    "place", [("heading",), ("parts",), ("parts", 1, "name"), ("named", "third", "name")]
)
def test_what_is_missing_is_reported_with_what_it_should_be(place):
    plain = copy.deepcopy(VALID)
    table: Any = plain
    for step in place[:-1]:
        table = table[step]
    del table[place[-1]]
    (fault,) = told(plain)
    kind = "a list of tables" if place == ("parts",) else "a text"
    assert fault == f"{words(place)}it needs the key '{place[-1]}', {kind}"


SIZE = "expected an integer, at least 1, at most 9"
LINES = "expected a list of texts, of length 1 or more"


@pytest.mark.parametrize(
    ("place", "value", "fault"),
    [
        (("parts", 1, "size"), "8", f"size: got '8', {SIZE}; write 8"),
        (("parts", 1, "size"), 1.0, f"size: got 1.0, {SIZE}; write 1"),
        (("parts", 1, "size"), True, f"size: got true, {SIZE}"),
        (("parts", 1, "size"), 10, f"size: got 10, {SIZE}"),
        (("parts", 1, "rate"), 0, "rate: got 0, expected a number, above 0"),
        (("parts", 1, "rate"), float("nan"), "rate: got nan, expected a number, above 0"),
        (("parts", 1, "sizes"), [1, "x"], "sizes 2: got 'x', expected an integer"),
        (("parts", 1, "mode"), "fats", "mode: got 'fats', expected 'fast' or 'good'"),
        (("parts", 1, "options"), [], "options: got a list of 0, expected a table"),
        (("data",), 5, "data: got 5, expected a text or a table"),
        (("look", "wide"), "True", "wide: got 'True', expected true or false; write true"),
        (("look", "limits"), [0, "x"], "limits 2: got 'x', expected a number"),
        (
            ("look", "limits"),
            [1],
            "limits: got a list of 1, expected a list of 2: a number, a number",
        ),
        (("goal",), "high", "goal: got 'high', expected a number"),
        (("goal",), "null", "goal: got 'null', expected a number"),
        (("lines",), "x", f"lines: got 'x', {LINES}; write ['x']"),
        (("lines",), [], f"lines: got a list of 0, {LINES}"),
        (("named", "third", "size"), 0, f"size: got 0, {SIZE}"),
        (("heading",), 3, "heading: got 3, expected a text"),
        (("heading",), {}, "heading: got a table, expected a text"),
    ],
)
def test_the_words(place, value, fault):
    assert told(changed((place, value))) == [words(place) + fault]


def test_lists_and_single_tables_that_were_taken_for_one_another():
    cure = "expected a list of tables; a list of tables has double brackets, as in [[runs]]"
    assert told(changed((("parts",), {"name": "x"}))) == [f"parts: got a table, {cure}"]
    cure = "expected a table; one table has single brackets, as in [run]"
    assert told(changed((("look",), [{"wide": True}]))) == [f"look: got a list of 1, {cure}"]
    assert told(changed((("parts", 1), "two"))) == ["parts 2: got 'two', expected a table"]


@pytest.mark.parametrize("value", [5, "x", [], [VALID], None])
def test_the_whole_is_a_table(value):
    (fault,) = told(value)
    assert "expected a table" in fault


def test_an_entry_is_called_by_the_first_name_that_it_has():
    class Item(Struct):
        label: str = ""
        title: str = ""
        size: int = 0

    class Items(Struct):
        items: list[Item]

    wrong = [
        {"size": ""},
        {"size": "", "label": "l"},
        {"size": "", "label": "l", "title": "t"},
        {"size": "", "title": 3},
    ]
    places = [
        fault.partition(": size: ")[0]
        for fault in told({"items": wrong}, Items)
        if ": size: " in fault
    ]
    assert places == ["items 1", "items 2 ('l')", "items 3 ('t')", "items 4"]


def test_a_key_that_slid_under_a_table_is_reported_where_it_belongs():
    (fault,) = told(changed((("parts", 1, "goal"), 3)))
    assert fault.startswith("parts 2 ('two'): there is no key 'goal'; ")
    assert fault.endswith("it is a key of the file itself: write it above the first [table]")


def test_places_begin_with_the_words_given():
    assert told({"name": "a", "size": 0, "x": 1}, Part, "runs 2 ('a')") == [
        "runs 2 ('a'): there is no key 'x'; known: mode, name, options, rate, size, sizes",
        "runs 2 ('a'): size: got 0, expected an integer, at least 1, at most 9",
    ]


def test_what_a_struct_itself_refuses_is_reported_next_to_the_rest():
    class Range(Struct):
        low: int
        high: int

        def __post_init__(self):
            if self.low > self.high:
                raise NarrowsError(f"low {self.low} is above high {self.high}")

    class Ranges(Struct):
        ranges: list[Range]

    wrong = [{"low": 2, "high": 1}, {"low": 1, "high": 2}, {"low": "1", "high": 0}]
    assert told({"ranges": wrong}, Ranges) == [
        "ranges 1: low 2 is above high 1",
        "ranges 3: low: got '1', expected an integer; write 1",
    ]


# -- what is wrong, many things --------------------------------------------------------------------

PLANTED = [
    (("parts", 0, "size"), "8"),
    (("parts", 0, "sizes", 1), 1.5),
    (("parts", 0, "captoin"), "x"),
    (("parts", 1, "rate"), -1),
    (("parts", 1, "mode"), "bad"),
    (("data",), 3),
    (("look", "wide"), 1),
    (("goal",), True),
    (("titel",), "x"),
    (("named", "third", "size"), 11),
    (("lines",), []),
]


@pytest.mark.parametrize("count", range(1, len(PLANTED) + 1))
def test_as_many_faults_are_reported_as_were_planted(count):
    for first in range(len(PLANTED)):
        planted = [PLANTED[(first + k) % len(PLANTED)] for k in range(count)]
        found = told(changed(*planted))
        alone = [fault for one in planted for fault in told(changed(one))]
        assert sorted(found) == sorted(alone)
        assert len(found) == count


def test_faults_that_were_found_before_are_kept_and_do_no_harm():
    faults = Faults("the file")
    faults.add("something else")
    assert parse({"name": "a"}, Part, faults) == Part("a")
    assert parse({"name": 3}, Part, faults) is None
    assert faults.found == ["something else", "name: got 3, expected a text"]
