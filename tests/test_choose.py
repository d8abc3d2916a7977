"""Laws of choosing a part: by name, with options, or as a class; and of merging options."""

import doctest
import importlib

import pytest

from narrows import errors
from narrows.choose import choose, default_options, find_part, merge_spec, validate_spec
from narrows.errors import BuildError, ImageError, UnknownName

choose_module = importlib.import_module("narrows.choose")


class Box:
    def __init__(self, image, size=3, lid=False):
        if size == 0:
            raise ImageError("it is empty")
        self.image, self.size, self.lid = image, size + 0, lid


class Bag:
    def __init__(self, strap, **rest):
        self.strap = strap


TABLE = {"box": Box, "bag": Bag}


@pytest.mark.parametrize("spec", ["box", {"kind": "box"}, Box, {"kind": Box}])
def test_a_name_a_mapping_and_a_class_make_the_same(spec):
    made = choose("vessel", TABLE, spec, image=7, unused=8)
    assert (type(made), made.image, made.size) == (Box, 7, 3)


@pytest.mark.parametrize("spec", [{"kind": "box", "size": 5}, {"kind": {"kind": "box", "size": 5}}])
def test_options_reach_the_part_and_the_spec_stays_as_it_was(spec):
    before = dict(spec)
    assert choose("vessel", TABLE, spec, image=7).size == 5
    assert spec == before


def test_an_outer_option_wins_over_an_inner_one():
    assert find_part("vessel", TABLE, {"kind": {"kind": "box", "size": 5}, "size": 6})[1] == {
        "size": 6
    }


@pytest.mark.parametrize("spec", ["bocks", {"kind": "bocks"}, None, 3, ["box"]])
def test_an_unknown_name_is_refused_with_all_that_are_known(spec):
    with pytest.raises(UnknownName, match=r"there is no vessel called .*known: bag, box"):
        choose("vessel", TABLE, spec, image=7)


def test_a_mapping_needs_a_kind():
    with pytest.raises(
        BuildError, match=r"got \{'size': 5\}, expected a 'kind' in it; one of: bag, box"
    ):
        choose("vessel", TABLE, {"size": 5}, image=7)


def test_all_wrong_and_missing_options_are_reported_at_once():
    class Strict:
        def __init__(self, depth, width=1): ...

    with pytest.raises(BuildError) as caught:
        validate_spec("vessel", {"strict": Strict}, {"kind": "strict", "widht": 1, "x": 2})
    told = str(caught.value)
    assert "vessel 'strict', for 3 reasons" in told
    assert "it has no option 'widht'; did you mean 'width'?" in told
    assert "it has no option 'x'" in told
    assert "it needs the option 'depth'" in told


def test_what_the_build_gives_is_no_option():
    with pytest.raises(BuildError, match="it has no option 'image'; known: lid, size"):
        choose("vessel", TABLE, {"kind": "box", "image": 1}, image=7)


def test_a_part_s_own_refusal_keeps_its_type_and_names_the_part():
    with pytest.raises(ImageError, match=r"^vessel 'box': it is empty$"):
        choose("vessel", TABLE, {"kind": "box", "size": 0}, image=7)


def test_an_option_of_the_wrong_type_is_a_build_error():
    with pytest.raises(BuildError, match="vessel 'box': an option has the wrong type"):
        choose("vessel", TABLE, {"kind": "box", "size": "five"}, image=7)


def test_options_are_listed_with_their_defaults_and_without_the_rest():
    assert default_options(Box, {"image"}) == {"size": 3, "lid": False}
    assert list(default_options(Bag)) == ["strap"]


@pytest.mark.parametrize(
    ("old", "new", "merged"),
    [
        ("mlp", "conv", "conv"),
        ("mlp", {"widths": [8]}, {"kind": "mlp", "widths": [8]}),
        ("mlp", {"kind": "mlp", "widths": [8]}, {"kind": "mlp", "widths": [8]}),
        ("mlp", {"kind": "conv", "kernel": 5}, {"kind": "conv", "kernel": 5}),
        ({"kind": "a", "x": 1, "y": 2}, {"y": 3}, {"kind": "a", "x": 1, "y": 3}),
        ({"kind": "a", "x": 1}, {"kind": "a", "y": 3}, {"kind": "a", "x": 1, "y": 3}),
        ({"kind": "a", "x": 1}, {"kind": "b"}, {"kind": "b"}),
        ({"kind": "a", "x": 1}, "a", "a"),
        ("auto", {"widths": [8]}, {"widths": [8]}),
        (None, {"patience": 3}, {"patience": 3}),
        ({"kind": "a", "in": {"kind": "b", "x": 1}}, {"in": {"x": 2}},
         {"kind": "a", "in": {"kind": "b", "x": 2}}),
        (3, 4, 4),
        ({"kind": "a"}, None, None),
    ],
)  # fmt: skip
def test_merge(old, new, merged):
    before = repr(old), repr(new)
    assert merge_spec(old, new) == merged
    assert (repr(old), repr(new)) == before


@pytest.mark.parametrize("module", [errors, choose_module])
def test_the_examples_in_the_docstrings_are_true(module):
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed
