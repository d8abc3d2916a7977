"""Coloured images: black stays black, colours repeat, and classes share theirs."""

import numpy as np
import pytest

from narrows.data.named_sets.coloured import draw_colours, paint
from narrows.errors import DataError, UnknownName

LABELS = np.arange(30) % 10


def test_colours_lie_in_their_range_and_repeat():
    for colour in ("class", "image"):
        found = draw_colours(LABELS, colour, 0.3, (0, 0))
        assert found.shape == (30, 3)
        assert found.min() >= 0.3
        assert found.max() <= 1
        assert np.array_equal(found, draw_colours(LABELS, colour, 0.3, (0, 0)))
        assert not np.array_equal(found, draw_colours(LABELS, colour, 0.3, (1, 0)))


def test_a_class_has_one_colour_in_every_split():
    found = draw_colours(LABELS, "class", 0.3, (0, 0))
    assert len(np.unique(found, axis=0)) == 10
    assert np.array_equal(found[:10], found[10:20])
    assert np.array_equal(found, draw_colours(LABELS, "class", 0.3, (0, 1)))


def test_each_image_has_its_own_colour_and_splits_differ():
    found = draw_colours(LABELS, "image", 0.3, (0, 0))
    assert len(np.unique(found, axis=0)) == 30
    assert not np.array_equal(found, draw_colours(LABELS, "image", 0.3, (0, 1)))


def test_paint_multiplies_and_rounds(images):
    chosen = draw_colours(np.arange(5), "image", 0, (0, 0))
    found = paint(images, chosen)
    assert (found.shape, found.dtype) == ((5, 4, 3, 3), np.uint8)
    assert np.abs(found - images[..., None] * chosen[:, None, None]).max() <= 0.5 + 1e-4
    assert np.array_equal(
        paint(images, np.ones((5, 3), np.float32)), np.repeat(images[..., None], 3, axis=-1)
    )


def test_wrong_options_are_reported():
    with pytest.raises(
        UnknownName, match=r"no colour called 'clas'; did you mean 'class'\? known: class, image"
    ):
        draw_colours(LABELS, "clas", 0.3, (0, 0))
    with pytest.raises(DataError, match="low: got 2, expected a number from 0 to 1"):
        draw_colours(LABELS, "class", 2, (0, 0))
