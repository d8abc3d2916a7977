"""Names of maps: those of their pictures, each one different."""

import os

import pytest

from narrows.data.map_names import LONGEST_NAME, MAP_ENDING, map_stems


@pytest.mark.parametrize(
    ("files", "maps"),
    [
        (["a/x.jpg", "b/x.png"], ["a/x", "b/x"]),
        (["x.jpg", "x.png", "y.png"], ["x.jpg", "x.png", "y"]),
        (["x.jpg", "x.png", "x.jpg.png"], ["x.jpg", "x.png", "x.jpg.png"]),
        (["scale.png", "a/scale.png"], ["scale.png", "a/scale"]),
        (["noending", "v1.2.tif"], ["noending", "v1.2"]),
    ],
)
def test_names_of_maps_are_those_of_their_pictures_unless_two_would_be_one(files, maps):
    assert list(map_stems(files).values()) == maps


def test_names_of_maps_fit_the_file_system():
    files = ["a/" + letter * 251 + ending for letter in "wé" for ending in (".png", ".jpg")]
    stems = map_stems(files).values()
    assert len(set(stems)) == 4
    for stem in stems:
        assert len(os.fsencode(os.path.basename(stem) + MAP_ENDING)) <= LONGEST_NAME
