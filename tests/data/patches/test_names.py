"""Names of patches, and the pictures that they say."""

import numpy as np

from narrows.data.patches.names import groups_of, patch_name, place_in, without_endings


def test_a_name_says_the_place():
    name = patch_name("cat/photo", 128, 12345, ".png")
    assert name == "cat/photo_y0128_x12345.png"
    assert place_in(name) == (128, 12345)


def test_names_lose_their_endings_unless_two_would_be_one():
    short = without_endings(["cat/a.jpg", "b.tif"])
    assert [short("cat/a.jpg"), short("b.tif#3")] == ["cat/a", "b#3"]
    long = without_endings(["a.jpg", "a.png"])
    assert [long("a.jpg"), long("a.png")] == ["a.jpg", "a.png"]


def test_groups_are_the_files_that_patches_were_cut_from():
    names = [
        "a_y0000_x0000.png",
        "b#1_y0000_x0000.png",
        "a_y0010_x0000_y0001_x0002.png",  # of a patch of a
        "b#2_y0000_x0000.tif",
        "cat/a_y0000_x0000.png",
        "plain.png",
    ]
    groups = groups_of(names)
    assert groups is not None
    same = groups[:, None] == groups
    expected = np.eye(6, dtype=bool)
    expected[[0, 2], [2, 0]] = expected[[1, 3], [3, 1]] = True
    assert (same == expected).all()


def test_images_that_are_not_patches_have_no_groups():
    assert groups_of(["a.png", "b_y1.png"]) is None
    assert groups_of(None) is None
