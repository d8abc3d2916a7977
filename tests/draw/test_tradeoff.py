"""Trade-offs: every point and every name is there, and names are free of lines."""

import numpy as np
import pytest

from narrows.draw import figure
from narrows.errors import BuildError


def lines_of(count, columns=4):
    random = np.random.default_rng(0)
    x = np.sort(random.uniform(10, 400, (count, 6)), 1)
    y = [20 + 5 * np.log(x) + random.normal(0, 3, (count, 1)) for _ in range(columns - 2)]
    return {
        f"line {k}": np.stack([x[k], 1.5 * x[k], *(axis[k] for axis in y)], 1) for k in range(count)
    }


def test_a_tradeoff_has_a_solid_and_a_dashed_line_for_each_name_in_each_panel():
    arrays = lines_of(5)
    drawn = figure("tradeoff", arrays, panels=["PSNR, dB", "SSIM"])
    for number, axes in enumerate(drawn.axes):
        assert axes.get_xscale() == "log"
        for rows, solid, dashed in zip(arrays.values(), axes.lines[::2], axes.lines[1::2]):
            assert (solid.get_linestyle(), dashed.get_linestyle()) == ("-", "--")
            assert solid.get_color() == dashed.get_color()
            np.testing.assert_array_equal(solid.get_xydata(), rows[:, [0, 2 + number]])
            np.testing.assert_array_equal(dashed.get_xydata(), rows[:, [1, 2 + number]])
        assert [text.get_text() for text in axes.texts] == [*arrays]
        assert [text.get_color() for text in axes.texts] == [
            line.get_color() for line in axes.lines[::2]
        ]


@pytest.mark.parametrize("count", [1, 4, 7])
def test_names_in_a_tradeoff_do_not_overlap_and_are_inside(count):
    drawn = figure("tradeoff", lines_of(count), panels=["PSNR, dB", "SSIM"])
    drawn.draw_without_rendering()
    for axes in drawn.axes:
        boxes = [text.get_window_extent() for text in axes.texts]
        assert len(boxes) == count
        assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])
        inside = axes.get_window_extent()
        assert all(inside.x0 <= box.x0 and box.x1 <= inside.x1 + 1 for box in boxes)


def test_a_tradeoff_of_one_point_and_of_points_that_are_not_finite_is_drawn():
    arrays = {
        "one": [[12.0, np.nan, 20.0]],
        "lossless": [[30.0, np.nan, np.nan], [20.0, 25.0, 31.0]],
    }
    (axes,) = figure("tradeoff", arrays).axes
    assert [text.get_text() for text in axes.texts] == ["one", "lossless"]
    assert figure("tradeoff", {"none": [[30.0, np.nan, np.nan]]})


@pytest.mark.parametrize("rows", [[[1, 2]], [1, 2, 3], [[0, 1, 2]], [[-1, 1, 2]]])
def test_a_tradeoff_refuses_points_of_another_form(rows):
    with pytest.raises(BuildError, match="x above 0"):
        figure("tradeoff", {"a": rows})
    with pytest.raises(BuildError, match="one line at least"):
        figure("tradeoff", {})
