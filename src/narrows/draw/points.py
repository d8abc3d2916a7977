"""Points in the plane (or in space): codes of two or three units, and embeddings of larger ones.

Points are small and let one another through, so that dense places look dense. A class's name stands
at the median of its points, unit by unit: unlike the mean it is not drawn away by a few that lie
far out.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.draw.style import CLASSES, LINES, UNSIGNED, Arrays, blank, name_axes, styled, verbatim
from narrows.errors import wrong

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LETTER = np.array([0.017, 0.036])  # a letter's width and height, as a share of the axes
HEIGHT = 5.2  # inches


@styled
def scatter(
    arrays: Arrays,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    zlabel: str = "",
    classes: Sequence[str] | None = None,
    unit: str = "class",
    equal: bool = False,
) -> "Figure":
    """Points, coloured by class or by value.

    arrays: "x" `(n, 2)` or `(n, 3)`; "labels" `(n,)`, optional. Integers from 0 to 9, and
        texts of at most ten kinds, are classes, with a bar of separate colours and, in the plane, a
        name at each; others are values. "images", one a point, are for the live form (`draw.live`):
        here they are ignored.
    classes: the names of classes 0, 1, ...
    unit: what the labels are, next to the bar.
    equal: one scale for both axes.
    """
    x, labels = points_of(arrays)
    place, names = classes_of(labels, classes)
    figure, axes = _axes(x, title, equal)
    name_axes(axes, xlabel=xlabel, ylabel=ylabel)
    in_space = x.shape[1] == 3
    if in_space:
        name_axes(axes, zlabel=zlabel)
    style = {"s": size_of(len(x)), "alpha": 0.6, "linewidths": 0, "rasterized": True}
    points = axes.scatter(*x.T, c=place, **style, **_colours(labels, names))
    if labels is not None:
        _bar(figure, axes, points, names, unit)
    if names and not in_space:  # in space, names would be in front of and behind one another
        _name_classes(axes, _centres(x, place, names))
    return figure


def _centres(x: np.ndarray, place: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The median of the points of each class that has any, by the class's name."""
    present = [int(k) for k in np.unique(place)]
    return {names[k]: np.median(x[place == k], axis=0) for k in present}


def _colours(labels: np.ndarray | None, names: Sequence[str]) -> dict[str, Any]:
    """One colour, those of the classes, or a scale of values."""
    if labels is None:
        return {"color": LINES[0]}
    if names:
        return _discrete(len(names))
    return {"cmap": UNSIGNED}


def _axes(x: np.ndarray, title: str, equal: bool) -> tuple["Figure", Any]:
    """A figure for these points, as high as they are where the two scales are one."""
    if x.shape[1] == 3:
        figure = blank(HEIGHT, title)
        return figure, figure.add_subplot(projection="3d")
    if equal:
        figure = blank(_height_of(x), title)
        return figure, figure.add_subplot(aspect="equal")
    figure = blank(HEIGHT, title)
    return figure, figure.add_subplot(aspect="auto")


def _height_of(x: np.ndarray) -> float:
    """The height of a figure, in inches, in which these points have one scale for both axes."""
    width, height = np.ptp(x, axis=0) + 1e-12
    return float(np.clip(height / width * 5 + 1.2, 2.5, 6.5))


def points_of(arrays: Arrays) -> tuple[np.ndarray, np.ndarray | None]:
    """The points, and their labels or None."""
    if "x" not in arrays:
        expected = "'x' (n, 2) or (n, 3), and 'labels' (n,) if there are any"
        raise wrong("arrays", sorted(arrays), expected)
    x = np.asarray(arrays["x"], dtype=np.float64)
    if not (x.ndim == 2 and x.shape[1] in (2, 3) and len(x) > 0):
        raise wrong("array 'x'", x.shape, "(n, 2) or (n, 3)")
    if "labels" not in arrays:
        return x, None
    return x, _labels(arrays["labels"], len(x))


def _labels(values: Any, count: int) -> np.ndarray:
    """The labels of this many points."""
    labels = np.asarray(values)
    if labels.shape != (count,):
        raise wrong("array 'labels'", labels.shape, f"({count},), one label a point")
    return labels


def classes_of(labels: np.ndarray | None, names: Sequence[str] | None) -> tuple[Any, list[str]]:
    """Each point's class as a number, and the classes' names; values and no names if labels are not
    classes.

    An integer keeps its colour also where other classes are missing, so that figures can be
    compared.
    """
    if labels is None:
        return None, []
    kinds = np.unique(labels)
    if _are_integer_classes(kinds):
        return labels.astype(int), _names_of_integers(int(kinds[-1]), names)
    if labels.dtype.kind in "US" and len(kinds) <= len(CLASSES):
        return np.searchsorted(kinds, labels), [str(kind) for kind in kinds]
    if labels.dtype.kind not in "iubf":
        raise wrong("array 'labels'", f"{len(kinds)} texts", f"at most {len(CLASSES)}, or numbers")
    return labels.astype(np.float64), []


def _are_integer_classes(kinds: np.ndarray) -> bool:
    """Whether these different labels, in ascending order, are integers that have a colour each."""
    return kinds.dtype.kind in "iub" and kinds[0] >= 0 and kinds[-1] < len(CLASSES)


def _names_of_integers(largest: int, names: Sequence[str] | None) -> list[str]:
    """The names of the classes from 0: those given, or the numbers."""
    if names is None:
        return [str(k) for k in range(largest + 1)]
    texts = [str(name) for name in names]
    if len(texts) <= largest:
        raise wrong("classes", texts, f"a name for each class from 0 to {largest}")
    return texts[: len(CLASSES)]


def _discrete(count: int) -> dict[str, Any]:
    """A scale of `count` separate colours, for the integers from 0."""
    from matplotlib.colors import BoundaryNorm, ListedColormap

    return {
        "cmap": ListedColormap(CLASSES[:count]),
        "norm": BoundaryNorm(np.arange(count + 1) - 0.5, count),
    }


def _bar(figure: "Figure", axes: Any, drawn: Any, names: list[str], unit: str) -> None:
    """The scale next to the points, in full colour although the points are not."""
    from matplotlib.cm import ScalarMappable

    pad = 0.1 if hasattr(axes, "zaxis") else 0.02  # a third axis has its name there
    colours = ScalarMappable(drawn.norm, drawn.cmap)
    bar = figure.colorbar(colours, ax=axes, label=verbatim(unit), shrink=0.9, pad=pad)
    if names:
        bar.set_ticks(range(len(names)), labels=[*map(verbatim, names)])
        bar.ax.tick_params(length=0)


def _name_classes(axes: Any, centres: Arrays) -> None:
    """Each class's name at its centre on a white halo, moved up or down where it would cover another."""
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=3, foreground="white")]
    style = {"ha": "center", "va": "center", "weight": "bold", "fontsize": 10}
    for name, (x, y) in zip(centres, _places_of_names(axes, centres)):
        axes.text(x, y, verbatim(name), path_effects=halo, **style)


def _places_of_names(axes: Any, centres: Arrays) -> np.ndarray:
    """A place for each name, at the centre of its class or above or below it."""
    size = np.array([np.ptp(axes.get_xlim()), np.ptp(axes.get_ylim())])
    letter, line = size * LETTER
    widths = np.array([letter * (len(name) + 0.5) for name in centres])
    return _apart(np.array([*centres.values()]), widths, line)


def _apart(places: np.ndarray, widths: np.ndarray, height: float) -> np.ndarray:
    """Places `(k, 2)` of texts, moved along y until no two of these widths and this height overlap."""
    places = places.copy()
    pairs = _pairs_in_columns(places, widths)
    for _ in range(100):
        for low, high in pairs:
            lack = height - (places[high, 1] - places[low, 1])
            if lack > 0:
                places[low, 1] -= lack / 2
                places[high, 1] += lack / 2
    return places


def _pairs_in_columns(places: np.ndarray, widths: np.ndarray) -> list[tuple[int, int]]:
    """The pairs of texts, the lower one first, that overlap along x."""
    distance = np.abs(places[:, None, 0] - places[None, :, 0])
    overlapping = distance < (widths[:, None] + widths) / 2
    order = np.argsort(places[:, 1], kind="stable")
    return [(low, high) for low, high in combinations(order, 2) if overlapping[low, high]]


def size_of(count: int) -> float:
    """The area of a point, in square points: smaller where there are many."""
    return float(np.clip(30_000 / count, 3, 20))
