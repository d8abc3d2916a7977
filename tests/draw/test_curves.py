"""Curves: the ticks of whole epochs, and the names in the legend."""

import numpy as np

from narrows.draw import figure


def test_curves_of_one_epoch_have_one_tick_an_integer():
    drawn = figure("curves", {"loss": np.ones(1)})
    drawn.canvas.draw()
    low, high = drawn.axes[0].get_xlim()
    assert [tick for tick in drawn.axes[0].get_xticks() if low <= tick <= high] == [1]


def test_a_legend_calls_lines_by_the_names_that_are_given():
    lines = {"nll": np.ones(3), "kl": np.zeros(3)}
    drawn = figure("curves", lines, names={"nll": "NLL"})
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == ["NLL", "kl"]
