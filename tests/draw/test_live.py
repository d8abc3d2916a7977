"""Live figures: the same points, colours and words as the still ones, small, and nothing but data."""

import inspect
import io
import json
import re
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from narrows.draw import FIGURES, LIVE, as_png, figure, live, scripts
from narrows.draw.live import LIMIT
from narrows.draw.style import CLASSES, LINES
from narrows.errors import BuildError, NarrowsError

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(90, 3))
LABELS = np.arange(90) % 10
PLOT = Path(__file__).parents[2] / "plot" / "package.json"


def decoded(numbers: dict) -> np.ndarray:
    return np.frombuffer(b64decode(numbers["bdata"]), dtype="<" + numbers["dtype"])


def places(trace: dict) -> np.ndarray:
    return np.stack([decoded(trace[axis]) for axis in "xyz" if axis in trace], axis=1)


def sheet(found: dict) -> np.ndarray:
    with Image.open(
        io.BytesIO(b64decode(found["images"]["sheet"].removeprefix("data:image/png;base64,")))
    ) as image:
        return np.asarray(image.convert("RGB"))


def cut(found: dict, k: int) -> np.ndarray:
    """The k-th image on the sheet."""
    told = found["images"]
    top, left = k // told["columns"] * told["height"], k % told["columns"] * told["width"]
    return sheet(found)[top : top + told["height"], left : left + told["width"]]


def words(found) -> list[str]:
    """All texts that plotly shows."""
    if isinstance(found, dict):
        shown = [
            value
            for key, value in found.items()
            if key in ("text", "name") and isinstance(value, str)
        ]
        return shown + [
            word for key, value in found.items() if key != "meta" for word in words(value)
        ]
    return [word for value in found for word in words(value)] if isinstance(found, list) else []


@pytest.mark.parametrize("kind", LIVE)
def test_a_live_figure_takes_what_the_still_one_takes_and_is_plain_data(examples, kind):
    arrays, options = examples[kind]
    assert inspect.signature(LIVE[kind]).parameters == inspect.signature(FIGURES[kind]).parameters
    found = live(kind, arrays, title="A title", **options)
    assert (
        json.loads(json.dumps(found, allow_nan=False))
        == found
        == live(kind, arrays, title="A title", **options)
    )


@pytest.mark.parametrize("kind", [kind for kind in FIGURES if kind not in LIVE])
def test_other_kinds_have_no_live_form(examples, kind):
    arrays, options = examples[kind]
    assert live(kind, arrays, **options) is None


@pytest.mark.parametrize("dimensions", [2, 3])
def test_every_point_is_drawn_once_in_the_colour_of_its_class(dimensions):
    x = X[:, :dimensions]
    found = live("scatter", {"x": x, "labels": LABELS})
    assert {trace["type"] for trace in found["data"]} == {
        "scattergl" if dimensions == 2 else "scatter3d"
    }
    index = np.concatenate([decoded(trace["customdata"]) for trace in found["data"]])
    assert sorted(index) == list(range(len(x)))
    np.testing.assert_array_equal(
        np.concatenate([places(t) for t in found["data"]]), x[index].astype(np.float32)
    )
    for trace in found["data"]:
        (label,) = set(LABELS[decoded(trace["customdata"])])
        assert (trace["name"], trace["marker"]["color"]) == (str(label), CLASSES[label])
    assert found["layout"]["showlegend"]


def test_a_class_keeps_its_colour_where_others_are_missing():
    (trace,) = live("scatter", {"x": X, "labels": np.full(90, 3)})["data"]
    assert (trace["name"], trace["marker"]["color"]) == ("3", CLASSES[3])


def test_points_without_classes_have_one_colour_or_a_scale():
    (plain,) = live("scatter", {"x": X})["data"]
    assert plain["marker"]["color"] == LINES[0]
    values = np.linspace(-1, 1, 90)
    found = live("scatter", {"x": X, "labels": values}, unit="loss")
    (valued,) = found["data"]
    np.testing.assert_array_equal(decoded(valued["marker"]["color"]), values.astype(np.float32))
    assert valued["marker"]["colorscale"] == "Viridis"
    assert valued["marker"]["colorbar"]["title"]["text"] == "loss"
    assert not found["layout"]["showlegend"]


def test_axes_say_what_they_measure_and_keep_their_scale():
    named = {"xlabel": "z₁ (nats)", "ylabel": "z₂", "zlabel": "z₃"}
    plane = live("scatter", {"x": X[:, :2]}, equal=True, **named)["layout"]
    assert (plane["xaxis"]["title"]["text"], plane["yaxis"]["title"]["text"]) == ("z₁ (nats)", "z₂")
    assert plane["yaxis"]["scaleanchor"] == "x"
    space = live("scatter", {"x": X}, equal=True, **named)["layout"]["scene"]
    assert [space[axis]["title"]["text"] for axis in ("xaxis", "yaxis", "zaxis")] == list(
        named.values()
    )
    assert space["aspectmode"] == "data"


def test_many_points_are_thinned_evenly_and_the_note_says_so():
    count = 2 * LIMIT + 7
    found = live(
        "scatter", {"x": np.arange(2 * count).reshape(count, 2), "labels": np.arange(count) % 3}
    )
    index = np.sort(np.concatenate([decoded(trace["customdata"]) for trace in found["data"]]))
    assert (len(index), index[0], index[-1]) == (LIMIT, 0, count - 1)
    assert set(np.diff(index)) == {2, 3}
    assert f"{LIMIT:,} of the {count:,} points" in found["note"]
    assert "points are shown" not in live("scatter", {"x": X})["note"]


IMAGES = {
    "grey": RANDOM.integers(0, 256, (90, 8, 8), dtype=np.uint8),
    "one channel": RANDOM.random((90, 6, 9, 1)),
    "few colours": RANDOM.choice([0, 255], (90, 8, 8, 3)).astype(np.uint8),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_every_point_finds_its_image_on_the_sheet(kind):
    images = IMAGES[kind]
    found = live("scatter", {"x": X, "labels": LABELS, "images": images})
    unit = images / 255 if images.dtype == np.uint8 else images
    for trace in found["data"]:
        for k, index in enumerate(decoded(trace["customdata"])):
            shown = cut(found, trace["meta"]["start"] + k) / 255
            expected = np.broadcast_to(unit[index].reshape(*unit.shape[1:3], -1), shown.shape)
            np.testing.assert_allclose(shown, expected, atol=0.5 / 15 + 0.01)


def test_grey_images_come_in_16_shades_and_large_ones_smaller():
    found = live(
        "scatter", {"x": X[:4], "images": RANDOM.integers(0, 256, (4, 32, 20), dtype=np.uint8)}
    )
    assert len(np.unique(sheet(found))) == 16
    large = np.kron(RANDOM.integers(0, 2, (4, 30, 25)), np.ones((3, 3))).astype(np.float32)
    found = live("scatter", {"x": X[:4], "images": large})
    assert (found["images"]["height"], found["images"]["width"]) == (30, 25)
    np.testing.assert_array_equal(cut(found, 2)[..., 0], 255 * large[2, ::3, ::3])


def test_what_lets_light_through_is_on_white():
    found = live("scatter", {"x": X[:1], "images": np.zeros((1, 4, 4, 4), np.uint8)})
    assert sheet(found).min() == 255


def test_what_a_user_named_holds_no_tag():
    bad = "<b>bold</b> <a href='https://example.org'>&amp;</a>"
    labels = np.array([bad, "b"] * 45)
    found = live(
        "scatter",
        {"x": X, "labels": labels},
        title=bad,
        xlabel=bad,
        ylabel=bad,
        zlabel=bad,
        unit=bad,
    )
    assert len(words(found)) >= 6
    assert not [
        word for word in words(found) if "<" in word or re.search("&(?!amp;|lt;|gt;|$)", word)
    ]
    assert bad in [trace["meta"]["name"] for trace in found["data"]]  # set as text by live.js


def test_a_still_figure_ignores_images():
    arrays = {"x": X[:, :2], "labels": LABELS}
    assert as_png(figure("scatter", {**arrays, "images": IMAGES["grey"]})) == as_png(
        figure("scatter", arrays)
    )


def test_what_does_not_fit_is_refused():
    with pytest.raises(BuildError, match="one image a point"):
        live("scatter", {"x": X, "images": IMAGES["grey"][:9]})
    with pytest.raises(BuildError, match="expected 'x'"):
        live("scatter", {})
    with pytest.raises(NarrowsError, match="no option 'titel'; did you mean 'title'"):
        live("scatter", {"x": X}, titel="x")


def test_scripts_can_are_in_a_page():
    for script in scripts():
        assert not re.search("</script|<!--|\r|\0|sourceMappingURL", script, re.IGNORECASE)


def test_the_bundle_is_of_the_plotly_that_is_asked_for_and_keeps_its_licences():
    bundle = scripts()[0]
    notices = bundle[: bundle.index("*/")]
    for name, version in json.loads(PLOT.read_text())["dependencies"].items():
        assert f"{name} {version}: Copyright" in notices
    assert "Permission is hereby granted, free of charge" in notices
