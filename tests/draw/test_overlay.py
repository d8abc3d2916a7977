"""The law of an overlay: no error leaves the grey picture, and errors have one order of colours."""

import numpy as np
import pytest

from narrows.draw.overlay import OPAQUE, colour_bar, overlay
from narrows.draw.style import as_png

GREY = np.linspace(0, 1, 64).reshape(8, 8)
LUMA = np.array([0.299, 0.587, 0.114])


def test_an_overlay_without_error_is_the_grey_picture_with_less_contrast():
    drawn = overlay(GREY, np.zeros((8, 8)), 0.3)
    assert (drawn.dtype, drawn.shape) == (np.uint8, (8, 8, 3))
    assert not np.ptp(drawn, axis=2).any()
    np.testing.assert_allclose(drawn[..., 0], 255 * (0.1 + 0.7 * GREY), atol=0.51)


@pytest.mark.parametrize("share", [OPAQUE, 0.8, 1, 5])
def test_equal_errors_have_equal_colours_in_an_overlay_whatever_the_picture(share):
    drawn = overlay(GREY, np.full((8, 8), 0.3 * share), 0.3)
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) == 1


def test_colours_of_an_overlay_are_lighter_the_larger_the_error():
    error = np.linspace(OPAQUE, 1, 50)[None]
    lightness = overlay(np.full(error.shape, 0.5), error, 1.0) @ LUMA
    assert np.all(np.diff(lightness) > 0)


def test_each_pixel_of_an_overlay_depends_on_itself_alone():
    error = np.zeros((8, 8))
    error[3, 4] = 1
    changed = overlay(GREY, error, 1.0) != overlay(GREY, 0 * error, 1.0)
    assert np.argwhere(changed.any(2)).tolist() == [[3, 4]]


def test_errors_that_are_not_finite_have_full_colour_in_an_overlay():
    error = np.array([[np.nan, np.inf, 1.0, 0]])
    drawn = overlay(np.zeros((1, 4)), error, 1.0)[0]
    assert np.ptp(drawn[:3], axis=0).max() == 0
    assert (drawn[3] != drawn[2]).all()


def test_the_colour_bar_is_a_picture():
    assert as_png(colour_bar(0.2, "title", "words")).startswith(b"\x89PNG")
