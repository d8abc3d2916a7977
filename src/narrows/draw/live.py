"""Live figures: those that a page lets its reader turn, enlarge and point at.

A live figure is described by what JSON can hold, and drawn in the browser by plotly.js
(https://plotly.com/javascript/reference) and our own `live.js`:

    data, layout    plotly's: the points, by class, and the axes; numbers as base64 of float32, not as text
    images          one PNG with the image of every point, row by row, and how many stand in a row
    note            what the reader has to know: that not all the points are there

Each trace carries in `meta` the whole name of its class, and where in `images` its first image
stands. Whatever is live is drawn still too, for paper and where a browser cannot do it, from the
same arrays and with the same colours.

What travels in a page has to be small: at most LIMIT points, thinned evenly, and images of at most
THUMB pixels a side in few shades (5,000 digits of MNIST: 0.7 MB, where all 256 greys take 1.1).
They are for a look; the arrays stay whole.
"""

import io
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from html import escape
from importlib.resources import files
from math import ceil
from typing import Any

import numpy as np

from narrows.choose import choose
from narrows.draw.canvas import as_images, as_unit
from narrows.draw.points import classes_of, points_of, size_of
from narrows.draw.style import CLASSES, LINES, LOOK
from narrows.errors import wrong
from narrows.layout import contact_sheet

LIMIT = 5000  # points
THUMB = 32  # pixels: larger images are made smaller by a whole number
GREYS, COLOURS = 16, 64  # shades of a sheet of images
LETTERS = 24  # of a name in a legend
SIZE = {2: 1.5, 3: 0.9}  # of points in the plane and in space, in pixels, for a still one of one square point
EYE = {"x": 1.0, "y": -1.73, "z": 1.0}  # about where matplotlib looks from


def live(kind: str, arrays: Mapping[str, np.ndarray], **options: Any) -> dict[str, Any] | None:
    """The live form of a figure of `kind`, from what the still one is drawn from; None where the kind has none."""
    if kind not in LIVE:
        return None
    return choose("figure", LIVE, {"kind": kind, **options}, arrays=arrays)


def scripts() -> tuple[str, str]:
    """What a page with live figures carries, once: the plot bundle, and `live.js`, which draws with it."""
    folder = files("narrows.draw")
    bundle, own = (folder.joinpath(name).read_text(encoding="utf-8") for name in ("plot.min.js", "live.js"))
    return bundle, own


def scatter(
    arrays: Mapping[str, np.ndarray],
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
    index = np.linspace(0, len(x) - 1, min(len(x), LIMIT)).astype(int)
    index = index[np.argsort(place[index], kind="stable")] if names else index
    shares = np.split(index, np.cumsum(np.bincount(place[index], minlength=len(names)))[:-1]) if names else [index]
    starts = np.cumsum([0, *map(len, shares)])
    colours = [{"color": colour} for colour in CLASSES] if names else [_colour(place, index, unit)]
    data = [
        _trace(x, share, {"size": SIZE[x.shape[1]] * size_of(len(index)) ** 0.5, **colour}, name, int(start))
        for share, start, colour, name in zip(shares, starts, colours, names or [""])
        if len(share)
    ]
    axes = [_axis(label) for label in (xlabel, ylabel, zlabel)[: x.shape[1]]]
    legend = {"title": {"text": text(unit), "side": "top"}, "itemsizing": "constant"}
    layout = {"showlegend": bool(names), "legend": legend, **_axes(axes, equal)}
    images = _images(arrays, index, len(x))
    return {"data": data, "layout": layout, "note": _note(x, len(index), bool(images), bool(names)), **images}


LIVE: dict[str, Callable[..., dict[str, Any]]] = {"scatter": scatter}


def text(words: str, letters: int | None = None) -> str:
    """Words for plotly, which reads some tags: as they are, cut to so many letters."""
    words = str(words)
    return escape(words if letters is None or len(words) <= letters else f"{words[: letters - 1]}…", quote=False)


def numbers(values: Any, kind: str = "f4") -> dict[str, str]:
    """Numbers as plotly reads them from base64: as float32, or another of numpy's kinds."""
    return {"dtype": kind, "bdata": b64encode(np.asarray(values).astype(f"<{kind}").tobytes()).decode()}


def _trace(x: np.ndarray, share: np.ndarray, marker: dict[str, Any], name: str, start: int) -> dict[str, Any]:
    kind, marker = "scatter3d" if x.shape[1] == 3 else "scattergl", {"opacity": 0.7, **marker}
    places = {axis: numbers(values) for axis, values in zip("xyz", x[share].T)}
    said = {"name": text(name, LETTERS), "meta": {"name": name, "start": start}, "customdata": numbers(share, "i4")}
    return {"type": kind, "mode": "markers", "hoverinfo": "none", "marker": marker, **places, **said}


def _colour(values: np.ndarray | None, index: np.ndarray, unit: str) -> dict[str, Any]:
    """One colour where there are no values, else their scale and its bar."""
    if values is None:
        return {"color": LINES[0]}
    bar = {"title": {"text": text(unit), "side": "right"}, "outlinewidth": 0, "thickness": 16}
    return {"color": numbers(values[index]), "colorscale": "Viridis", "showscale": True, "colorbar": bar}


def _axis(label: str) -> dict[str, Any]:
    return {"title": {"text": text(label), "font": {"size": 13}}, "gridcolor": LOOK["grid.color"], "zeroline": False}


def _axes(axes: list[dict[str, Any]], equal: bool) -> dict[str, Any]:
    """The axes in the plane, or those of a scene in space."""
    if len(axes) == 2:
        x, y = ({**axis, "automargin": True, "linecolor": "#262626", "ticks": "outside"} for axis in axes)
        return {"xaxis": x, "yaxis": {**y, **({"scaleanchor": "x"} if equal else {})}}
    seen = {"camera": {"eye": EYE, "center": {"x": 0, "y": 0, "z": -0.15}}, "aspectmode": "data" if equal else "cube"}
    axes = [{**axis, "gridcolor": "#c4c9ce", "showspikes": False} for axis in axes]  # drawn thinner there
    return {"scene": {**dict(zip(("xaxis", "yaxis", "zaxis"), axes)), **seen}}


def _note(x: np.ndarray, shown: int, images: bool, names: bool) -> str:
    """What can be done with the figure, and how many of its points are there."""
    words = [f"Point at a dot, or tap it, to see its {'image' if images else 'numbers'}"]
    words += ["drag to turn"] * (x.shape[1] == 3) + ["click a class to hide it"] * names
    thinned = f" {shown:,} of the {len(x):,} points are shown, evenly chosen." if shown < len(x) else ""
    return f"{'; '.join(words)}.{thinned}"


def _images(arrays: Mapping[str, np.ndarray], index: np.ndarray, count: int) -> dict[str, Any]:
    """The images of these points as one PNG in a data: address, row by row."""
    if "images" not in arrays:
        return {}
    images = as_images("images", arrays["images"])
    if len(images) != count:
        raise wrong("array 'images'", images.shape, f"({count}, H, W), one image a point")
    chosen = images[index]
    return {"images": _sheet(chosen.tobytes(), chosen.dtype.name, chosen.shape)}


@lru_cache(maxsize=4)
def _sheet(values: bytes, dtype: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """A sheet of images; those of one set stand in a figure for each model, and are drawn once: 1 s of lab F's 8."""
    small = _small(as_unit(np.frombuffer(values, dtype).reshape(shape)))
    columns, (height, width) = ceil(len(small) ** 0.5), small.shape[1:3]
    sheet = f"data:image/png;base64,{b64encode(_png(contact_sheet(small, columns, gap=0, fill=0))).decode()}"
    return {"sheet": sheet, "columns": columns, "width": width, "height": height}


def _small(images: np.ndarray) -> np.ndarray:
    """Images in [0, 1] of at most THUMB pixels a side, averaged; what lets light through stands on white."""
    times = -(-max(images.shape[1:3]) // THUMB)
    height, width = (max(n // times, 1) for n in images.shape[1:3])
    images = images[:, : height * times, : width * times]
    if images.shape[3:] == (4,):
        images = images[..., :3] * images[..., 3:] + 1 - images[..., 3:]
    n, high, wide = images.shape[:3]
    return images.reshape(n, height, high // height, width, wide // width, *images.shape[3:]).mean(axis=(2, 4))


def _png(sheet: np.ndarray) -> bytes:
    """A sheet in [0, 1] as PNG: GREYS in 4 bits a pixel, or the COLOURS that fit it best."""
    from PIL import Image

    file = io.BytesIO()
    if sheet.ndim == 2:
        steps = np.round(sheet * (GREYS - 1)).astype(np.uint8)
        image = Image.frombytes("P", (steps.shape[1], steps.shape[0]), steps.tobytes())
        image.putpalette([k * 255 // (GREYS - 1) for k in range(GREYS) for _ in "rgb"])
        image.save(file, "PNG", bits=4)
    else:
        image = Image.fromarray(np.round(sheet * 255).astype(np.uint8))
        image.quantize(COLOURS, Image.Quantize.FASTOCTREE).save(
            file, "PNG"
        )  # nearer than the median cut, and quicker
    return file.getvalue()
