"""Live figures: those that a page lets its reader turn, enlarge and point at.

A live figure is described by what JSON can hold, and drawn in the browser by plotly.js
(https://plotly.com/javascript/reference) and our own `live.js`:

    data, layout    plotly's: the points, by class, and the axes; numbers as base64 of float32, not as text
    images          one PNG with the image of every point, row by row, and how many stand in a row
    note            what the reader has to know: that not all the points are there

Each trace carries in `meta` the whole name of its class, and where in `images` its first image
stands. Whatever is live is drawn still too, for paper and where a browser cannot do it, from the
same arrays and with the same colours.

What travels in a page has to be small: at most LIMIT points, thinned evenly, and their images as
thumbnails. They are for a look; the arrays stay whole.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from narrows.choose import choose
from narrows.draw.canvas import as_images
from narrows.draw.points import classes_of, points_of, size_of
from narrows.draw.style import CLASSES, LINES, LOOK, Arrays
from narrows.draw.thumbnails import thumbnail_sheet
from narrows.errors import wrong

LIMIT = 5000  # points
LETTERS = 24  # of a name in a legend
# of points in the plane and in space, in pixels, for a still one of one square point
SIZE = {2: 1.5, 3: 0.9}
EYE = {"x": 1.0, "y": -1.73, "z": 1.0}  # about where matplotlib looks from


def live(kind: str, arrays: Arrays, **options: Any) -> dict[str, Any] | None:
    """The live form of a figure of `kind`, from what the still one is drawn from; None where the
    kind has none.
    """
    if kind not in LIVE:
        return None
    return choose("figure", LIVE, {"kind": kind, **options}, arrays=arrays)


def scripts() -> tuple[str, str]:
    """What a page with live figures carries, once: the plot bundle, and `live.js`, which draws with
    it.
    """
    folder = files("narrows.draw")
    bundle = folder.joinpath("plot.min.js").read_text(encoding="utf-8")
    own = folder.joinpath("live.js").read_text(encoding="utf-8")
    return bundle, own


def scatter(
    arrays: Arrays,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    zlabel: str = "",
    classes: Sequence[str] | None = None,
    unit: str = "class",
    equal: bool = False,
) -> dict[str, Any]:
    """Points that show their images, where there are any, and classes that can be hidden. Options:
    of the still one.

    arrays: as for the still one; "images" `(n, H, W)` or `(n, H, W, C)`, uint8 or floats in [0, 1],
    optional.
    """
    x, labels = points_of(arrays)
    place, names = classes_of(labels, classes)
    index, groups = _groups(place, len(x), names)
    data = _traces(x, groups, names or [""], _colours(place, index, names, unit))
    axes = [_axis(label) for label in (xlabel, ylabel, zlabel)[: x.shape[1]]]
    layout = {"showlegend": bool(names), "legend": _legend(unit), **_axes(axes, equal)}
    images = _images(arrays, index, len(x))
    note = _note(x, len(index), bool(images), bool(names))
    return {"data": data, "layout": layout, "note": note, **images}


def _legend(unit: str) -> dict[str, Any]:
    return {"title": {"text": text(unit), "side": "top"}, "itemsizing": "constant"}


def _traces(
    x: np.ndarray,
    groups: Sequence[np.ndarray],
    names: Sequence[str],
    colours: Sequence[dict[str, Any]],
) -> list[dict[str, Any]]:
    """The points of each class, one after another; those of classes without points are left out."""
    count = sum(map(len, groups))
    size = SIZE[x.shape[1]] * size_of(count) ** 0.5
    traces, start = [], 0
    for group, name, colour in zip(groups, names, colours):
        if len(group):
            traces.append(_trace(x, group, {"size": size, **colour}, name, start))
        start += len(group)
    return traces


def _groups(
    place: np.ndarray | None, count: int, names: Sequence[str]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The points that are in the figure, evenly thinned, class after class; and those of each class."""
    index = np.linspace(0, count - 1, min(count, LIMIT)).astype(int)
    if place is None or not names:
        return index, [index]
    index = index[np.argsort(place[index], kind="stable")]
    counts = np.bincount(place[index], minlength=len(names))
    ends = np.cumsum(counts)
    return index, np.split(index, ends[:-1])


def _colours(
    place: np.ndarray | None, index: np.ndarray, names: Sequence[str], unit: str
) -> list[dict[str, Any]]:
    """The colour of each class, or that of all points."""
    if names:
        return [{"color": colour} for colour in CLASSES]
    return [_colour(place, index, unit)]


LIVE: dict[str, Callable[..., dict[str, Any]]] = {"scatter": scatter}


def text(words: str, letters: int | None = None) -> str:
    """Words for plotly, which reads some tags: as they are, cut to this many letters."""
    words = str(words)
    if letters is not None and len(words) > letters:
        words = f"{words[: letters - 1]}…"
    return escape(words, quote=False)


def numbers(values: Any, kind: str = "f4") -> dict[str, str]:
    """Numbers as plotly reads them from base64: as float32, or another of numpy's kinds."""
    little_endian = np.asarray(values).astype(f"<{kind}")
    return {"dtype": kind, "bdata": b64encode(little_endian.tobytes()).decode()}


def _trace(
    x: np.ndarray, group: np.ndarray, marker: dict[str, Any], name: str, start: int
) -> dict[str, Any]:
    """The points of a class. start: the place of its first image on the sheet."""
    coordinates = {axis: numbers(values) for axis, values in zip("xyz", x[group].T)}
    return {
        "type": "scatter3d" if x.shape[1] == 3 else "scattergl",
        "mode": "markers",
        "hoverinfo": "none",
        "marker": {"opacity": 0.7, **marker},
        **coordinates,
        "name": text(name, LETTERS),
        "meta": {"name": name, "start": start},
        "customdata": numbers(group, "i4"),
    }


def _colour(values: np.ndarray | None, index: np.ndarray, unit: str) -> dict[str, Any]:
    """One colour where there are no values, else their scale and its bar."""
    if values is None:
        return {"color": LINES[0]}
    bar = {"title": {"text": text(unit), "side": "right"}, "outlinewidth": 0, "thickness": 16}
    return {
        "color": numbers(values[index]),
        "colorscale": "Viridis",
        "showscale": True,
        "colorbar": bar,
    }


def _axis(label: str) -> dict[str, Any]:
    return {
        "title": {"text": text(label), "font": {"size": 13}},
        "gridcolor": LOOK["grid.color"],
        "zeroline": False,
    }


def _axes(axes: list[dict[str, Any]], equal: bool) -> dict[str, Any]:
    """The axes in the plane, or those of a scene in space."""
    if len(axes) == 3:
        return {"scene": _scene(axes, equal)}
    x, y = axes
    style = {"automargin": True, "linecolor": "#262626", "ticks": "outside"}
    scale = {"scaleanchor": "x"} if equal else {}
    return {"xaxis": {**x, **style}, "yaxis": {**y, **style, **scale}}


def _scene(axes: list[dict[str, Any]], equal: bool) -> dict[str, Any]:
    style = {"gridcolor": "#c4c9ce", "showspikes": False}  # drawn thinner there
    scene = {f"{name}axis": {**axis, **style} for name, axis in zip("xyz", axes)}
    camera = {"eye": EYE, "center": {"x": 0, "y": 0, "z": -0.15}}
    return {**scene, "camera": camera, "aspectmode": "data" if equal else "cube"}


def _note(x: np.ndarray, count: int, images: bool, names: bool) -> str:
    """What can be done with the figure, and how many of its points it has."""
    seen = "image" if images else "numbers"
    hints = [f"Point at a dot, or tap it, to see its {seen}"]
    if x.shape[1] == 3:
        hints.append("drag to turn")
    if names:
        hints.append("click a class to hide it")
    note = f"{'; '.join(hints)}."
    if count < len(x):
        note += f" {count:,} of the {len(x):,} points are shown, evenly chosen."
    return note


def _images(arrays: Arrays, index: np.ndarray, count: int) -> dict[str, Any]:
    """The images of these points as one PNG in a data: address, row by row."""
    if "images" not in arrays:
        return {}
    images = as_images("images", arrays["images"])
    if len(images) != count:
        raise wrong("array 'images'", images.shape, f"({count}, H, W), one image a point")
    chosen = images[index]
    return {"images": thumbnail_sheet(chosen.tobytes(), chosen.dtype.name, chosen.shape)}
