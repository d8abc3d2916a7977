"""Laws of every kind of figure, and what is particular to each."""

import json

import matplotlib
import numpy as np
import pytest

from narrows.draw import FIGURES, as_png, figure
from narrows.errors import BuildError, NarrowsError, UnknownName

KINDS = list(FIGURES)


def draw(examples, kind, **more):
    arrays, options = examples[kind]
    return figure(kind, arrays, **{"title": "A title", **options, **more})


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def legend(drawn) -> list[str]:
    return [text.get_text() for text in drawn.legends[0].get_texts()]


def overlapping(drawn, artists) -> list[str]:
    drawn.canvas.draw()
    boxes = [
        (artist.get_text(), artist.get_window_extent()) for artist in artists if artist.get_text()
    ]
    return [
        a for k, (a, box) in enumerate(boxes) for _, other in boxes[k + 1 :] if box.overlaps(other)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_has_its_title_and_is_the_same_twice(examples, kind):
    drawn = draw(examples, kind)
    png = as_png(drawn)
    assert drawn.get_suptitle() == "A title"
    assert png[:4] == b"\x89PNG"
    assert len(png) > 2000
    assert png == as_png(drawn) == as_png(draw(examples, kind))


@pytest.mark.parametrize("kind", KINDS)
def test_matplotlib_is_left_as_it_was(examples, kind):
    with matplotlib.rc_context({"font.size": 31, "image.cmap": "jet"}):
        mine = as_png(draw(examples, kind))
        assert (matplotlib.rcParams["font.size"], matplotlib.rcParams["image.cmap"]) == (31, "jet")
    assert mine == as_png(draw(examples, kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_can_be_drawn_again_from_files(examples, kind, tmp_path):
    arrays, options = examples[kind]
    options = {
        k: {n: [*v] if np.ndim(v) else v for n, v in o.items()} if isinstance(o, dict) else o
        for k, o in options.items()
    }
    np.savez(tmp_path / "arrays.npz", **arrays)
    again = figure(kind, np.load(tmp_path / "arrays.npz"), **json.loads(json.dumps(options)))
    assert as_png(again) == as_png(figure(kind, arrays, **options))


@pytest.mark.parametrize("kind", ["grid", "tiles", "heatmap"])
def test_pixels_are_drawn_as_pixels(examples, kind):
    axes = draw(examples, kind).axes[0]
    assert axes.images
    assert {image.get_interpolation() for image in axes.images} == {"none"}
    if kind != "heatmap":
        assert axes.get_aspect() == 1


@pytest.mark.parametrize("kind", ["grid", "tiles"])
def test_every_pixel_is_drawn_equally_large(kind, digits):
    drawn = figure(kind, {"images": digits[:3]})
    drawn.canvas.draw()
    for image in drawn.axes[0].images:
        box = image.get_window_extent()
        height, width = image.get_array().shape
        assert box.width / width == pytest.approx(round(box.width / width))
        assert box.height / height == pytest.approx(box.width / width)


@pytest.mark.parametrize("kind", ["scatter", "heatmap", "curves", "bars", "histogram"])
def test_axes_say_what_they_measure(examples, kind):
    axes = draw(examples, kind, xlabel="across", ylabel="up (dB)").axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("across", "up (dB)")


def test_unknown_kinds_and_options_name_what_is_known(examples):
    with pytest.raises(UnknownName, match="did you mean 'curves'"):
        figure("curve", {})
    with pytest.raises(NarrowsError, match="no option 'titel'; did you mean 'title'"):
        draw(examples, "grid", titel="x")


REFUSED = {
    "curves": [{}, {"x": [1, 2]}, {"a": [[1, 2]]}, {"x": [1, 2, 3], "a": [1, 2]}],
    "grid": [{"a": np.zeros((8, 8))}, {"a": np.zeros((2, 8, 8)), "b": np.zeros((3, 8, 8))}],
    "tiles": [{}, {"a": np.zeros((2, 8, 8, 2))}, {"a": np.zeros((0, 8, 8))}],
    "scatter": [{}, {"x": np.zeros((3, 4))}, {"x": np.zeros((3, 2)), "labels": [1, 2]}],
    "heatmap": [{}, {"a": np.zeros(3)}, {"a": np.zeros((2, 2)), "b": np.zeros((2, 2))}],
    "histogram": [
        {},
        {"edges": [0, 1]},
        {"edges": [0, 1, 2], "a": [1]},
        {"edges": [0, 2, 1], "a": [1, 2]},
    ],
    "bars": [{}, {"a": [1, 2], "b": [1]}],
}


@pytest.mark.parametrize(
    ("kind", "arrays"), [(k, a) for k, cases in REFUSED.items() for a in cases]
)
def test_arrays_that_cannot_be_drawn_are_refused(kind, arrays):
    with pytest.raises(BuildError, match="expected"):
        figure(kind, arrays)


# curves


def test_references_are_dashed_in_the_colour_of_their_line(examples):
    drawn = draw(examples, "curves", reference={"validation, published": 0.5, "other": 0.25})
    lines = {line.get_label(): line for line in drawn.axes[0].lines}
    assert lines["validation, published: 0.5"].get_color() == lines["validation"].get_color()
    assert lines["other: 0.25"].get_color() not in {
        lines["train"].get_color(),
        lines["validation"].get_color(),
    }
    assert lines["other: 0.25"].get_linestyle() == "--"


def test_panels_have_titles_and_one_legend():
    arrays = {
        "train": np.ones(5),
        "validation": np.ones(5),
        "PSNR": np.ones(5),
        "published": np.ones(5),
    }
    panels = {"loss (nats)": ["train", "validation"], "PSNR (dB)": ["PSNR", "published"]}
    drawn = figure(
        "curves",
        arrays,
        panels=panels,
        points=["published"],
        reference={"PSNR (dB)": {"goal": 2.0}},
    )
    assert [axes.get_title() for axes in drawn.axes] == list(panels)
    assert legend(drawn) == ["train", "validation", "PSNR", "published", "goal: 2"]
    assert drawn.axes[1].lines[1].get_linestyle() == "None"
    with pytest.raises(BuildError, match="panels"):
        figure("curves", arrays, panels={"a": ["nope"]})


def test_smoothing_shows_the_raw_values_too():
    noise = np.random.default_rng(0).normal(size=500)
    raw, smooth = figure("curves", {"loss": noise}, smooth=True).axes[0].lines
    np.testing.assert_array_equal(raw.get_ydata(), noise)
    assert smooth.get_ydata().std() < 0.5 * noise.std()


@pytest.mark.parametrize("window", [1, 2, 5, 50])
def test_moving_average_is_the_mean_of_the_neighbours(window):
    from narrows.draw.curves import moving_average

    y = np.random.default_rng(0).normal(size=20)
    half = window // 2
    expected = [y[max(0, t - half) : t + half + 1].mean() for t in range(20)]
    np.testing.assert_allclose(moving_average(y, window), expected)


# grid and tiles


def test_grey_has_one_range_and_is_clipped():
    weak, strong = np.full((2, 4, 4), 0.1), np.full((2, 4, 4), 7.0)
    drawn = figure(
        "grid", {"weak": weak, "strong": strong, "bytes": np.full((2, 4, 4), 51, np.uint8)}
    )
    images = drawn.axes[0].images
    assert {image.get_clim() for image in images} == {(0, 1)}
    shades = [np.unique(image.get_array()) for image in images]  # 1 is the white between two images
    assert [list(row) for row in shades] == [pytest.approx([0.1, 1]), [1], pytest.approx([0.2, 1])]


def test_rows_are_named_and_captions_do_not_overlap(examples):
    drawn = draw(examples, "grid")
    words = texts(drawn.axes[0])
    assert words.count("original") == words.count("noisy") == 2  # 12 images stand in two blocks
    assert [w for w in words if w.isdigit()] == [str(k) for k in range(12)]
    assert overlapping(drawn, drawn.axes[0].texts) == []
    with pytest.raises(BuildError, match="12 texts"):
        draw(examples, "grid", captions={"noisy": ["one"]})


def test_images_of_any_size_and_colour():
    random = np.random.default_rng(0)
    rows = {
        "small": random.random((5, 6, 4)),
        "colour": random.random((5, 28, 28, 3)),
        "large": random.random((5, 300, 200)),
    }
    axes = figure("grid", rows).axes[0]
    assert len(axes.images) == 7  # a row that is enlarged is one picture
    for image in axes.images:
        left, right, bottom, top = image.get_extent()
        height, width = image.get_array().shape[:2]
        assert (bottom - top) / height == pytest.approx((right - left) / width)


def test_signed_tiles_share_one_scale_about_0():
    drawn = figure(
        "tiles",
        {"a": np.full((4, 3, 3), -2.0), "b": np.full((1, 3, 3), 0.5)},
        signed=True,
        unit="weight",
    )
    a, b = drawn.axes[0].images
    assert a.get_clim() == b.get_clim() == (-2, 2)
    assert texts(drawn.axes[0]) == ["a", "b"]
    assert drawn.axes[0].child_axes[0].get_ylabel() == "weight"
    with pytest.raises(BuildError, match="one plane"):
        figure("tiles", {"a": np.zeros((2, 3, 3, 3))}, signed=True)


def test_tiles_of_pixels_have_no_bar(digits):
    drawn = figure("tiles", {"samples": digits}, columns=6)
    assert not drawn.axes[0].child_axes
    assert drawn.axes[0].images[0].get_array().shape == (2 * 8 + 1, 6 * 8 + 5)


# scatter


def test_a_class_keeps_its_colour_where_others_are_missing():
    x = np.random.default_rng(0).normal(size=(30, 2))
    few, all_ = (
        figure("scatter", {"x": x, "labels": y}).axes[0]
        for y in (np.full(30, 3), np.arange(30) % 10)
    )
    colour = few.collections[0].to_rgba([3])
    np.testing.assert_array_equal(colour, all_.collections[0].to_rgba([3]))
    assert texts(few) == ["3"]


def test_names_are_at_the_medians_and_do_not_overlap():
    x = np.concatenate([np.zeros((50, 2)), np.full((50, 2), 0.01), np.full((50, 2), 5.0)])
    drawn = figure(
        "scatter",
        {"x": x, "labels": np.repeat([0, 1, 2], 50)},
        classes=["shirt", "pullover", "bag"],
    )
    names = drawn.axes[0].texts
    assert [t.get_text() for t in names] == ["shirt", "pullover", "bag"]
    assert names[2].get_position() == (5, 5)
    assert overlapping(drawn, names) == []


@pytest.mark.parametrize(
    "labels", [None, np.linspace(0, 1, 40), np.arange(40), np.array(["a", "b"] * 20)]
)
@pytest.mark.parametrize("dimensions", [2, 3])
def test_points_of_every_kind(labels, dimensions):
    arrays = {"x": np.random.default_rng(0).normal(size=(40, dimensions))}
    drawn = figure(
        "scatter", arrays if labels is None else {**arrays, "labels": labels}, unit="label"
    )
    bars = [axes.get_ylabel() for axes in drawn.axes[1:]]
    assert bars == ([] if labels is None else ["label"])
    assert drawn.axes[0].collections[-1].get_rasterized()


# heatmap and bars


def test_heatmap_prints_its_numbers_and_leaves_gaps():
    drawn = figure(
        "heatmap", {"t": [[12.7, 100.25], [np.nan, 0]]}, numbers=True, rows=["a", "b"], unit="dB"
    )
    assert texts(drawn.axes[0]) == ["12.7", "100.2", "0.0"]
    assert [t.get_text() for t in drawn.axes[0].get_yticklabels()] == ["a", "b"]
    assert drawn.axes[1].get_ylabel() == "dB"


def test_heatmap_ranges():
    def limits(**options):
        return figure("heatmap", {"t": [[-1.0, 0.5]]}, **options).axes[0].images[0].get_clim()

    assert limits() == (-1, 0.5)
    assert limits(signed=True) == (-1, 1)
    assert limits(signed=True, limits=(-3, 3)) == (-3, 3)


def test_bars_print_their_numbers(examples):
    drawn = draw(examples, "bars")
    assert texts(drawn.axes[0]) == ["1", "2", "", "2", "1", "3"]
    assert legend(drawn) == ["published", "ours"]
    with pytest.raises(BuildError, match="3 names"):
        draw(examples, "bars", names=["a"])


def test_many_bars_do_not_cover_their_numbers():
    values = np.random.default_rng(0).uniform(5, 30, (3, 10))
    drawn = figure("bars", dict(zip("abc", values)), names=range(9705, 9715))
    assert overlapping(drawn, drawn.axes[0].texts) == []
    assert overlapping(drawn, drawn.axes[0].get_xticklabels()) == []


# histogram


def test_groups_of_a_histogram_are_shares_and_marks_are_lines(examples):
    drawn = draw(examples, "histogram")
    axes = drawn.axes[0]
    heights = [patch.get_data().values for patch in axes.patches]
    assert [values.sum() for values in heights] == pytest.approx([100] * 4)
    (line,) = axes.lines
    assert list(line.get_xdata()) == [1.5, 1.5]
    assert legend(drawn) == ["normal", "test", "threshold"]
    assert axes.get_xscale() == "linear"


def test_a_histogram_may_be_logarithmic():
    arrays = {"edges": np.geomspace(0.1, 10, 4), "a": [1, 2, 3]}
    assert figure("histogram", arrays, log=True).axes[0].get_xscale() == "log"


# user's words, and error maps


HOSTILE = "a$x_{$b"


AXES = {"title": HOSTILE, "xlabel": HOSTILE, "ylabel": HOSTILE}
POINTS = np.arange(8).reshape(4, 2)
HOSTILE_FIGURES: dict[str, tuple[dict, dict]] = {
    "curves": ({HOSTILE: [1, 2], "b": [2, 1]}, {**AXES, "reference": {HOSTILE: 1}}),
    "curves in panels": (
        {HOSTILE: [1, 2], "b": [2, 1]},
        {"panels": {HOSTILE: [HOSTILE], "b": ["b"]}, "names": {"b": HOSTILE}, "xlabel": HOSTILE},
    ),
    "grid": (
        {HOSTILE: np.zeros((2, 8, 8))},
        {
            "title": HOSTILE,
            "captions": {HOSTILE: [HOSTILE, "b"]},
            "errors": {"scale": 1, "label": HOSTILE},
        },
    ),
    "tiles": (
        {HOSTILE: np.zeros((2, 8, 8))},
        {"title": HOSTILE, "unit": HOSTILE, "signed": True},
    ),
    "scatter": (
        {"x": POINTS, "labels": np.array([HOSTILE, "b", HOSTILE, "b"])},
        {**AXES, "unit": HOSTILE},
    ),
    "scatter in space": (
        {"x": POINTS[:, [0, 1, 1]], "labels": [0, 1, 0, 1]},
        {**AXES, "zlabel": HOSTILE, "classes": [HOSTILE, "b"]},
    ),
    "heatmap": (
        {"a": np.eye(2)},
        {**AXES, "rows": [HOSTILE, "b"], "columns": [HOSTILE, "b"], "unit": HOSTILE},
    ),
    "bars": ({HOSTILE: [1, 2], "b": [2, 1]}, {**AXES, "names": [HOSTILE, "b"]}),
    "tradeoff": (
        {HOSTILE: [[1, 2, 3]], "b": [[2, 3, 4], [3, 4, 5]]},
        {"title": HOSTILE, "xlabel": HOSTILE, "panels": [HOSTILE], "note": HOSTILE},
    ),
    "histogram": ({"edges": np.arange(3), HOSTILE: [1, 2]}, {**AXES, "marks": {HOSTILE: 1}}),
    "arrows": (
        {"x": POINTS, "v": POINTS, "exact": POINTS},
        {**AXES, "names": [HOSTILE, "b"], "unit": HOSTILE},
    ),
}


def test_hostile_figures_are_of_every_kind():
    assert {name.split()[0] for name in HOSTILE_FIGURES} == set(KINDS)


@pytest.mark.parametrize("name", HOSTILE_FIGURES)
def test_dollars_in_names_are_drawn_as_they_are(name, monkeypatch):
    from matplotlib.mathtext import MathTextParser

    formulas = []
    parse = MathTextParser.parse
    monkeypatch.setattr(
        MathTextParser,
        "parse",
        lambda self, text, *rest: formulas.append(text) or parse(self, text, *rest),
    )
    arrays, options = HOSTILE_FIGURES[name]
    assert as_png(figure(name.split()[0], arrays, **options))
    assert set(formulas) <= {r"$\longrightarrow$"}  # a marker


def test_a_grid_of_errors_has_a_colour_bar_with_its_scale(digits):
    rows, bar = {"image": digits[:4]}, {"scale": 0.3, "label": "error"}
    without, drawn = figure("grid", rows), figure("grid", rows, errors=bar)
    (axes,) = drawn.axes[0].child_axes
    assert axes.get_xlim() == (0, 0.3)
    assert axes.get_xlabel() == "error"
    assert drawn.get_figheight() > without.get_figheight()


def test_captions_have_the_room_that_they_need(digits):
    texts = ["an-image-of-a-digit.png"] * 4
    drawn = figure("grid", {"image": digits[:4]}, captions={"image": texts}, largest=256)
    assert overlapping(drawn, drawn.axes[0].texts) == []
