"""A field is drawn as it is: directions kept, one scale for both sets, and what was shortened is said."""

import numpy as np
import pytest
from matplotlib.quiver import Quiver

from narrows.draw import as_png, figure
from narrows.draw.style import LINES
from narrows.errors import BuildError


def grid(count: int = 6) -> np.ndarray:
    line = np.linspace(-1, 1, count)
    return np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)


@pytest.fixture
def field() -> dict:
    """A field of very different lengths, another near it, data, and two walks."""
    random, x = np.random.default_rng(0), grid()
    v = -x * np.exp(3 * random.random((len(x), 1)))
    walks = np.cumsum(random.normal(size=(5, 2, 2)) * 0.1, axis=0)
    return {
        "x": x,
        "v": v,
        "exact": v + random.normal(size=v.shape),
        "points": 0.3 * x,
        "walks": walks,
    }


def sets(drawn) -> list[np.ndarray]:
    """The arrows as they are drawn, in data units: learned, exact where there are any, and last the
    key.
    """
    found = [artist for artist in drawn.axes[0].collections if isinstance(artist, Quiver)]
    return [np.where(np.atleast_2d(q.Umask).T, np.nan, np.stack([q.U, q.V], 1)) for q in found]


def length(v) -> np.ndarray:
    return np.hypot(*np.transpose(v))


def legend(drawn) -> list[str]:
    return [text.get_text() for text in drawn.legends[0].get_texts()]


def key(drawn) -> str:
    return drawn.axes[0].get_title(loc="left")


def scale(given, drawn) -> np.ndarray:
    """Drawn for each given length, where nothing was shortened."""
    return np.sort(length(drawn) / length(given))[-len(given) // 4 :]


# -- arrows ----------------------------------------------------------------------------------------


def test_directions_are_kept(field):
    learned, exact, _ = sets(figure("arrows", field))
    for given, drawn in [(field["v"], learned), (field["exact"], exact)]:
        np.testing.assert_allclose(
            drawn / length(drawn)[:, None], given / length(given)[:, None], rtol=1e-9, atol=1e-12
        )


def test_both_sets_have_one_scale(field):
    learned, exact, _ = sets(figure("arrows", field))
    common = scale(field["v"], learned)[0]
    np.testing.assert_allclose(scale(field["v"], learned), common)
    np.testing.assert_allclose(scale(field["exact"], exact), common)


def test_no_arrow_reaches_the_next_place_and_the_longest_nearly_does(field):
    for drawn in sets(figure("arrows", field)):
        assert length(drawn).max() < 0.4  # the way between places
    assert length(sets(figure("arrows", field))[0]).max() > 0.3


def test_shortened_arrows_are_as_long_as_the_key_which_says_so(field):
    drawn = figure("arrows", field, unit="nats per unit")
    learned, _, shown = sets(drawn)
    words = "nats per unit; longer arrows are drawn as long as this"
    assert key(drawn).endswith(words)
    told = float(key(drawn).removesuffix(words))
    longer = length(field["v"]) > told
    assert 0 < longer.sum() < len(longer) / 2
    np.testing.assert_allclose(length(learned)[longer], length(shown)[0])
    np.testing.assert_allclose(
        length(learned)[~longer] / length(field["v"])[~longer], length(shown)[0] / told
    )


@pytest.mark.parametrize("size", [1e-7, 0.99999, 1, 3.7, 6e4])
def test_without_long_arrows_none_is_shortened_and_the_key_is_round(size):
    x = grid()
    v = size * np.stack([-x[:, 1], x[:, 0]], 1) / length(x)[:, None]
    drawn = figure("arrows", {"x": x, "v": v}, unit="a")
    learned, shown = sets(drawn)
    told = float(key(drawn).removesuffix(" a"))
    assert told <= size * (1 + 1e-9) <= 2.5 * told
    assert f"{told:e}"[0] in "125"
    np.testing.assert_allclose(length(learned) / size, length(shown)[0] / told)


def test_only_the_key_knows_the_unit_of_length(field):
    larger = {**field, "v": 100 * field["v"], "exact": 100 * field["exact"]}
    for one, other in zip(sets(figure("arrows", field)), sets(figure("arrows", larger))):
        np.testing.assert_allclose(one, other)


def test_places_may_be_far_apart(field):
    far = {name: y * 1000 if name in ("x", "points", "walks") else y for name, y in field.items()}
    for one, other in zip(sets(figure("arrows", field)), sets(figure("arrows", far))):
        np.testing.assert_allclose(1000 * one, other)


@pytest.mark.parametrize("nothing", [0.0, np.nan, np.inf])
def test_arrows_that_are_nothing_or_nans(field, nothing):
    v = field["v"].copy()
    v[3] = nothing
    learned, _, _ = sets(figure("arrows", {**field, "v": v}))
    np.testing.assert_array_equal(learned[3], [0, 0] if nothing == 0 else [np.nan, np.nan])
    assert np.isfinite(np.delete(learned, 3, axis=0)).all()
    drawn = figure("arrows", {"x": field["x"], "v": np.full_like(v, nothing)})
    assert key(drawn) == "1"
    assert as_png(drawn)


def test_a_single_place():
    (learned, shown) = sets(figure("arrows", {"x": [[2.0, 3.0]], "v": [[0.0, 5.0]]}))
    np.testing.assert_allclose(length(learned), length(shown))


# -- what else is drawn ----------------------------------------------------------------------------

ENTRIES = {
    "points": ["data"],
    "v": ["learned"],
    "exact": ["exact"],
    "walks": ["walks", "where they end"],
}


@pytest.mark.parametrize(
    "left_out", [(), ("exact",), ("points",), ("walks",), ("exact", "points", "walks")]
)
def test_the_legend_names_what_is_drawn(field, left_out):
    drawn = figure("arrows", {name: y for name, y in field.items() if name not in left_out})
    assert legend(drawn) == [
        word for name, words in ENTRIES.items() if name not in left_out for word in words
    ]


def test_names_of_the_sets(field):
    assert legend(figure("arrows", field, names=["a network", "a formula"]))[1:3] == [
        "a network",
        "a formula",
    ]
    with pytest.raises(BuildError, match="expected 2, one a set"):
        figure("arrows", field, names=["a network"])


def test_the_learned_set_is_thin_over_the_exact_one(field):
    learned, exact, _ = (
        a for a in figure("arrows", field).axes[0].collections if isinstance(a, Quiver)
    )
    assert learned.zorder > exact.zorder
    assert learned.width < exact.width / 2
    assert learned.get_facecolor()[0].tolist() != exact.get_facecolor()[0].tolist()
    labels = [
        line.get_color()
        for line in figure("arrows", field).axes[0].lines
        if line.get_label() in ENTRIES["v"]
    ]
    assert set(labels) <= set(LINES)


def test_a_walk_has_a_dot_at_each_step_and_a_mark_at_its_end(field):
    lines = figure("arrows", field).axes[0].lines
    paths = [line for line in lines if line.get_marker() == "o" and len(line.get_xydata())]
    (ends,) = (line for line in lines if line.get_marker() == "D")
    np.testing.assert_array_equal(
        [path.get_xydata() for path in paths], np.moveaxis(field["walks"], 1, 0)
    )
    np.testing.assert_array_equal(ends.get_xydata(), field["walks"][-1])


@pytest.mark.parametrize("stretch", [(1, 1), (8, 1), (1, 8), (0, 1)])
def test_all_places_are_in_view_and_both_axes_have_one_scale(field, stretch):
    arrays = {
        name: y * stretch if name in ("x", "points", "walks") else y for name, y in field.items()
    }
    axes = figure("arrows", arrays).axes[0]
    assert axes.get_aspect() == 1
    for name in ("x", "points", "walks"):
        places = arrays[name].reshape(-1, 2)
        assert (places > [axes.get_xlim()[0], axes.get_ylim()[0]]).all()
        assert (places < [axes.get_xlim()[1], axes.get_ylim()[1]]).all()


@pytest.mark.parametrize("stretch", [(1, 1), (8, 1), (1, 8)])
def test_texts_are_apart_and_on_the_paper(field, stretch):
    arrays = {
        name: y * stretch if name in ("x", "points", "walks") else y for name, y in field.items()
    }
    drawn = figure(
        "arrows", arrays, title="A title", unit="nats per unit", xlabel="across", ylabel="up"
    )
    drawn.draw_without_rendering()  # lays it out
    axes = drawn.axes[0]
    low, high = axes.get_xlim()
    ticks = [label for label in axes.get_xticklabels() if low <= label.get_position()[0] <= high]
    texts = [
        *drawn.texts,
        axes._left_title,
        axes.xaxis.label,
        axes.yaxis.label,
        *ticks,
        drawn.legends[0],
    ]
    boxes = [text.get_window_extent() for text in texts]
    paper = drawn.bbox
    for k, box in enumerate(boxes):
        assert paper.x0 <= box.x0 < box.x1 <= paper.x1
        assert paper.y0 <= box.y0 < box.y1 <= paper.y1
        assert not any(box.overlaps(other) for other in boxes[k + 1 :])


def test_axes_say_what_they_measure(field):
    axes = figure("arrows", field, xlabel="across", ylabel="up").axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("across", "up")


@pytest.mark.parametrize(
    "changes",
    [
        {"v": None},
        {"x": None},
        {"w": np.zeros((36, 2))},
        {"x": np.zeros((36, 3))},
        {"x": np.full((36, 2), np.nan)},
        {"x": np.zeros((0, 2)), "v": np.zeros((0, 2))},
        {"v": np.zeros((35, 2))},
        {"exact": np.zeros((36, 1))},
        {"exact": np.zeros((1, 2))},
        {"points": np.zeros(36)},
        {"walks": np.zeros((5, 2))},
        {"walks": np.zeros((5, 2, 3))},
    ],
)
def test_arrays_that_cannot_be_drawn_are_refused(field, changes):
    with pytest.raises(BuildError, match="expected"):
        figure("arrows", {name: y for name, y in {**field, **changes}.items() if y is not None})


def test_the_same_field_is_the_same_picture(field):
    assert as_png(figure("arrows", field, title="t")) == as_png(figure("arrows", field, title="t"))
