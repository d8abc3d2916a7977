"""What an archive says next to its images: what goes in comes out, and nothing else is believed."""

import json

import pytest

from narrows.codec.extras import Extras, Origin, PictureKind, read_extras
from narrows.codec.palette import Palette
from narrows.errors import DataError

GREY, DEEP = PictureKind("L"), PictureKind("I;16", (0.0, 4095.0), b"profile")


def files():
    extras = Extras()
    extras.add("a/1.png", GREY)
    extras.add("stack.tif", DEEP, 1)
    extras.add("stack.tif", DEEP, 2)
    extras.add("caf\udce9.png", GREY)
    return extras


KNOWN = {
    "nothing": Extras(7),
    "list": Extras(2, is_list=True),
    "palette": Extras(3, palette=Palette("int16", (-5, 0, 9), 2.5)),
    "files": files(),
    "levels": Extras(4, kinds={DEEP: 0}),
}


@pytest.mark.parametrize("name", KNOWN)
def test_extras_round_trip(name):
    extras = KNOWN[name]
    again = read_extras(extras.to_bytes(), extras.count)
    assert list(again.origins()) == list(extras.origins())
    assert (again.is_list, again.palette) == (extras.is_list, extras.palette)
    assert read_extras(again.to_bytes(), again.count) == again


def test_extras_of_an_array_take_no_bytes():
    assert KNOWN["nothing"].to_bytes() == b""


def test_extras_count_the_pages_of_a_stack():
    assert list(files().origins())[:3] == [
        Origin("a/1.png", 0, GREY),
        Origin("stack.tif", 1, DEEP),
        Origin("stack.tif", 2, DEEP),
    ]


def test_extras_are_joined_in_order():
    joint, other = files(), Extras()
    other.add("b.png", DEEP)
    other.add("c.png", PictureKind("RGB"))
    expected = list(joint.origins()) + list(other.origins())
    joint.extend(other)
    assert list(read_extras(joint.to_bytes(), 6).origins()) == expected


@pytest.mark.parametrize("name", ["nothing", "list", "palette"])
def test_extras_of_other_forms_are_not_joined(name):
    with pytest.raises(DataError, match="these archives"):
        files().extend(KNOWN[name])


@pytest.mark.parametrize(
    "given",
    [
        "[]", "{", "[" * 100_000, '{"later": 1}', '{"list": 1}', '{"names": 3}', '{"names": [3]}',
        '{"names": ["../a", "b", "c"]}', '{"names": ["/a", "b", "c"]}', '{"names": ["a", "a", "c"]}',
        '{"names": ["a//b", "b", "c"]}', '{"names": ["", "b", "c"]}', '{"names": ["a\\u0000", "b", "c"]}',
        '{"names": ["a", "b"]}', '{"names": ["a", "b"], "pages": [1, 0]}', '{"pages": [3]}',
        '{"names": ["a", "b"], "pages": [2, 2]}', '{"names": ["a", "b"], "pages": [true, 2]}',
        '{"kind": [0, 0, 1]}', '{"kind": [0, 0]}', '{"kind": [0, 0, -1]}', '{"kinds": [{}, {}]}',
        '{"kinds": [{"mode": 3}]}', '{"kinds": [{"levels": [1, 1]}]}', '{"kinds": [{"levels": [0, NaN]}]}',
        '{"kinds": [{"levels": [0]}]}', '{"kinds": [{"profile": "?"}]}', '{"kinds": [{"other": 1}]}',
        '{"palette": {"type": "float32", "values": [0], "error": 0.0}}',
        '{"palette": {"type": "uint8", "values": [9, 3], "error": 0.0}}',
        '{"palette": {"type": "uint8", "values": [3, 256], "error": 0.0}}',
        '{"palette": {"type": "uint8", "values": [0], "error": -1.0}}', '{"palette": [1, 2]}',
    ],
)  # fmt: skip
def test_extras_that_are_hostile_are_refused(given):
    with pytest.raises(DataError, match="this archive is damaged, or of a later version"):
        read_extras(given.encode(), 3)


def test_extras_do_not_grow_with_names_that_look_alike():
    """JSON of many images is small once it is packed."""
    extras = Extras()
    for number in range(1000):
        extras.add(f"{number:05d}.png", GREY)
    assert "kind" not in json.loads(extras.to_bytes())
