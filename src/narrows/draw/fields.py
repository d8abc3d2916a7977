"""Fields: an arrow at each place in the plane, such as the score ∇ log p that a denoiser has
learnt.

Two sets of arrows at the same places have one scale, so that the eye may compare them. The room
sets it: the longest arrow is a little shorter than the way from a place to the nearest other one,
so that none covers its neighbour. Lengths can differ much (a score grows with the distance from the
data), and then the longest few would leave nothing to see of the others: with m the median of the
lengths, arrows longer than about 1.5 m are drawn as long as that. The key above the field shows how
long an arrow of a round length is, and says whether any were shortened.

The second set lies broad and light under the first: where both agree, both can be seen.
"""

from collections.abc import Sequence
from math import floor, log10
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.draw.style import FAINT, LINES, SMALL, Arrays, blank, name_axes, styled, verbatim
from narrows.errors import wrong

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHARE = 0.9  # of the way to the next place, for the longest arrow
SHAPES = {
    "x": "(n, 2)",
    "v": "(n, 2), one a place",
    "exact": "(n, 2), one a place",
    "points": "(m, 2)",
    "walks": "(s + 1, k, 2)",
}
SETS: dict[str, dict[str, Any]] = {  # breadths in inches
    "v": {"color": LINES[0], "width": 0.013, "zorder": 3},
    "exact": {
        "color": LINES[4], "width": 0.036, "zorder": 2,
        "headwidth": 2.4, "headlength": 2.4, "headaxislength": 2.4,
    },
}  # fmt: skip


@styled
def arrows(
    arrays: Arrays,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    names: Sequence[str] = ("learned", "exact"),
    unit: str = "",
) -> "Figure":
    """Arrows at places in the plane, and a second set to compare them with.

    arrays: "x" `(n, 2)`, places, and "v" `(n, 2)`, their arrows. Optional: "exact" `(n, 2)`, other
        arrows at the same places; "points" `(m, 2)`, data, drawn faintly; and
        "walks" `(s + 1, k, 2)`, k paths of s steps.
    names: of the two sets, in the legend.
    unit: of an arrow's length, in the key above the field.
    """
    given = _arrays(arrays)
    sets = {key: given[key] for key in SETS if key in given}
    _require_names(names, len(sets))
    figure, axes = _axes(given, title)
    name_axes(axes, xlabel=xlabel, ylabel=ylabel)
    if "points" in given:
        _draw_points(axes, given["points"])
    largest, reach = reach_of(np.concatenate([*sets.values()]))
    factor = SHARE * spacing(given["x"]) / reach
    for (key, v), name in zip(sets.items(), names):
        _draw_arrows(axes, given["x"], shortened(v, reach) * factor, **SETS[key])
        _name_arrows(axes, name, SETS[key]["color"])
    if "walks" in given:
        _draw_walks(axes, given["walks"])
    _draw_key(axes, reach, factor, unit, largest > reach)
    _draw_legend(figure, axes)
    return figure


def _require_names(names: Sequence[str], count: int) -> None:
    if len(names) < count:
        raise wrong("names", list(names), f"{count}, one a set of arrows")


def _draw_legend(figure: "Figure", axes: "Axes") -> None:
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=5)


def reach_of(v: np.ndarray) -> tuple[float, float]:
    """The largest length of arrows `(n, 2)`, and the one that is drawn longest: it, or a round one
    near 1.5 m.
    """
    lengths = np.hypot(*_finite(v).T)
    if not lengths.size:
        return 0.0, 1.0
    largest, usual = float(lengths.max()), 1.5 * float(np.median(lengths))
    if usual == 0 or largest <= 1.2 * usual:
        return largest, largest or 1.0
    return largest, float(f"{usual:.1g}")


def _finite(v: np.ndarray) -> np.ndarray:
    """The rows that are finite."""
    return v[np.isfinite(v).all(1)]


def shortened(v: np.ndarray, reach: float) -> np.ndarray:
    """The arrows `(n, 2)`, those longer than `reach` as long as it; those that are not finite are
    left out.
    """
    v = np.where(np.isfinite(v).all(1, keepdims=True), v, np.nan)
    lengths = np.maximum(np.hypot(*v.T), 1e-300)
    factor = np.minimum(1, reach / lengths)
    return v * factor[:, None]


def spacing(x: np.ndarray) -> float:
    """The way from a place to the nearest other one: the median over the places `(n, 2)`."""
    from sklearn.neighbors import NearestNeighbors  # here, because it is slow to import

    places = np.unique(x, axis=0)
    if len(places) < 2:
        return 1.0
    distances, _ = NearestNeighbors(n_neighbors=2).fit(places).kneighbors(places)
    return float(np.median(distances[:, 1]))  # the nearest to a place is the place itself


def _arrays(arrays: Arrays) -> dict[str, np.ndarray]:
    """The arrays as floats, of the right shapes."""
    _check_given(set(arrays))
    given = {name: np.asarray(arrays[name], dtype=np.float64) for name in arrays}
    for name, y in given.items():
        fits = _has_shape(name, y)
        if name in SETS:
            fits = fits and len(y) == len(given["x"])
        if not fits:
            raise wrong(f"array {name!r}", y.shape, SHAPES[name])
    if not np.isfinite(given["x"]).all():
        raise wrong("array 'x'", "places that are not finite", "finite numbers")
    return given


def _check_given(names: set[str]) -> None:
    if {"x", "v"} <= names <= {*SHAPES}:
        return
    optional = ", ".join(f"'{name}' {SHAPES[name]}" for name in ("exact", "points", "walks"))
    expected = f"'x' (n, 2) and 'v' (n, 2), and {optional} if there are any"
    raise wrong("arrays", sorted(names), expected)


def _has_shape(name: str, y: np.ndarray) -> bool:
    """Whether this holds places, arrows or paths in the plane, at least one."""
    dimensions = 3 if name == "walks" else 2
    return y.ndim == dimensions and y.shape[-1] == 2 and y.size > 0


def _axes(given: Arrays, title: str) -> tuple["Figure", "Axes"]:
    """A figure with axes for all places, as high as they are."""
    places = [y.reshape(-1, 2) for name, y in given.items() if name not in SETS]
    every = _finite(np.concatenate(places))
    rim = spacing(given["x"])
    low, high = every.min(0) - rim, every.max(0) + rim
    figure = blank(_height(*(high - low)), title)
    limits = {"xlim": (low[0], high[0]), "ylim": (low[1], high[1])}
    return figure, figure.add_subplot(aspect="equal", **limits)


def _height(width: float, height: float) -> float:
    """The height of the figure in inches, for axes of this width and height."""
    return float(np.clip(height / width * 5.4 + 1.4, 2.8, 6.8))


def _draw_points(axes: "Axes", points: np.ndarray) -> None:
    style = {"s": 5, "c": FAINT, "alpha": 0.4, "linewidths": 0}
    axes.scatter(*points.T, **style, label="data", rasterized=True)


def _draw_arrows(axes: "Axes", x: np.ndarray, v: np.ndarray, **style: Any) -> None:
    axes.quiver(*x.T, *v.T, units="inches", angles="xy", scale_units="xy", scale=1, **style)


def _name_arrows(axes: "Axes", name: str, color: str) -> None:
    """An entry of the legend."""
    axes.plot([], [], c=color, marker=r"$\longrightarrow$", ms=20, ls="none", label=verbatim(name))


def _draw_walks(axes: "Axes", walks: np.ndarray) -> None:
    """Paths `(s + 1, k, 2)` with a dot at each step and a diamond at the end."""
    dots = {"color": "k", "linewidth": 1, "marker": "o", "markersize": 2.5}
    axes.plot(*np.moveaxis(walks, 2, 0), **dots, zorder=4)
    axes.plot([], [], **dots, label="walks")
    end = {"marker": "D", "markersize": 6, "markeredgecolor": "w", "linestyle": "none"}
    axes.plot(*walks[-1].T, color="k", **end, zorder=5, label="where they end")


def _draw_key(axes: "Axes", reach: float, factor: float, unit: str, cut: bool) -> None:
    """Above the field on the left an arrow of a round length, with that length."""
    length = reach if cut else _round_below(reach)
    left, right = axes.get_xlim()
    drawn = length * factor
    _draw_key_arrow(axes, drawn)
    text = f"{length:.4g} {unit}".rstrip()
    if cut:
        text += "; longer arrows are drawn as long as this"
    axes.set_title(verbatim(text), loc="left", fontsize=SMALL, x=drawn / (right - left) + 0.01)


def _draw_key_arrow(axes: "Axes", length: float) -> None:
    """An arrow from the top left corner to the right, 9 points above the field."""
    from matplotlib.transforms import ScaledTranslation

    corner = np.array([[axes.get_xlim()[0], axes.get_ylim()[1]]])
    above = axes.transData + ScaledTranslation(0, 9 / 72, axes.figure.dpi_scale_trans)
    arrow = np.array([[length, 0]])
    _draw_arrows(axes, corner, arrow, **SETS["v"], transform=above, clip_on=False)


def _round_below(reach: float) -> float:
    """The largest of 1, 2 or 5 times a power of ten that is at most `reach`."""
    power = 10.0 ** floor(log10(reach))
    for factor in (5, 2):
        if factor * power <= reach:
            return factor * power
    return power
