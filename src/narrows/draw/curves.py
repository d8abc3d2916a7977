"""Curves: losses and measures over epochs or iterations.

A loss of single batches is noise around a trend: `smooth` shows both, the raw values faint and over
them the moving average m_t = mean(y_s : |s - t| <= w/2), cut at the ends to the values that there
are (nothing is padded).
"""

from collections.abc import Mapping, Sequence
from itertools import cycle
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.draw.style import (
    FAINT,
    LINES,
    Arrays,
    blank,
    legend_columns,
    name_axes,
    styled,
    verbatim,
)
from narrows.errors import wrong

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 3  # panels side by side
PANEL_HEIGHTS = {1: 3.3, 2: 3.3, 3: 2.6}  # inches, by the number of panels side by side
MARKS = {"linestyle": "none", "marker": "D", "markersize": 5, "markerfacecolor": "white"}
DASHES = ((0, (5, 3)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))
References = Mapping[str, Any]  # label -> value, or panel -> {label -> value}


@styled
def curves(
    arrays: Arrays,
    title: str = "",
    xlabel: str = "epoch",
    ylabel: str = "",
    log: bool = False,
    smooth: bool | int = False,
    reference: References | None = None,
    points: Sequence[str] = (),
    panels: Mapping[str, Sequence[str]] | None = None,
    names: Mapping[str, str] | None = None,
) -> "Figure":
    """Lines over a common axis, in one panel or in several side by side.

    arrays: name -> `(n,)`, one line each; "x" `(n,)`, where given, is the axis of all, else 1, 2,
        ... n.
    log: a logarithmic y axis.
    smooth: the window of the moving average, in values; True takes a fiftieth of the line.
    reference: {label: value}, horizontal lines; with panels {panel: {label: value}}, else in all of
        them. A label that begins with the name of a line takes its colour.
    points: names drawn as marks without a line, such as published values (NaN where there are
        none).
    panels: {"title (unit)": [names]}.
    names: {line: what the legend calls it}, by default the name of the line.
    """
    _check_tables(reference=reference, panels=panels, names=names)
    x, lines = _lines(arrays)
    panels = dict(panels or {ylabel: [*lines]})
    _check_names(panels, points, lines)
    styles = _styles(lines, names or {})
    figure, spots = _spots(len(panels), title)
    for axes, (panel, shown) in zip(spots, panels.items()):
        _draw_lines(axes, x, {name: lines[name] for name in shown}, styles, smooth, points)
        _draw_references(axes, _of_panel(reference or {}, panel), styles)
        name_axes(axes, xlabel=xlabel)
        _set_scales(axes, log, integer=x is None)
    _name_panels(spots, [*panels], ylabel)
    _legend(figure)
    return figure


def _styles(lines: Arrays, names: Mapping[str, str]) -> dict[str, Any]:
    """The style of each line."""
    return {name: _style(place, names.get(name, name)) for place, name in enumerate(lines)}


def _set_scales(axes: "Axes", log: bool, integer: bool) -> None:
    axes.set_yscale("log" if log else "linear")
    axes.locator_params(axis="x", integer=integer, nbins=6, min_n_ticks=1)


def _name_panels(spots: Sequence["Axes"], panels: Sequence[str], ylabel: str) -> None:
    """The label of a single panel, or a title for each of several."""
    if len(panels) == 1:
        name_axes(spots[0], ylabel=ylabel)
        return
    for axes, panel in zip(spots, panels):
        axes.set_title(verbatim(panel))


def _check_tables(**options: Any) -> None:
    for name, value in options.items():
        if value is not None and not isinstance(value, Mapping):
            raise wrong(name, value, "a table of names")


def _check_names(
    panels: Mapping[str, Sequence[str]], points: Sequence[str], lines: Mapping[str, Any]
) -> None:
    """Refuse names in panels and points that no line has."""
    named = set(points).union(*panels.values())
    if not named <= set(lines):
        raise wrong("panels and points", sorted(named), f"names of the arrays {sorted(lines)}")


def moving_average(y: np.ndarray, window: int) -> np.ndarray:
    """m_t: the mean of the values at most window // 2 away from t; `(n,)` to `(n,)`."""
    half = min(window // 2, len(y) - 1)
    ones = np.ones(2 * half + 1)
    totals = np.convolve(y, ones, "full")
    counts = np.convolve(np.ones_like(y), ones, "full")
    return (totals / counts)[half : half + len(y)]


def _lines(arrays: Arrays) -> tuple[np.ndarray | None, dict[str, np.ndarray]]:
    """The common axis, or None, and the lines by name."""
    lines = {name: _line(name, y) for name, y in arrays.items()}
    x = lines.pop("x", None)
    if not lines:
        raise wrong("arrays", sorted(arrays), "at least one line besides 'x'")
    return x, lines


def _line(name: str, y: Any) -> np.ndarray:
    """The values of a line as floats `(n,)`."""
    y = np.asarray(y, dtype=np.float64)
    if y.ndim != 1 or len(y) == 0:
        raise wrong(f"array {name!r}", y.shape, "(n,), one value a point")
    return y


def _axis(x: np.ndarray | None, y: np.ndarray, name: str) -> np.ndarray:
    if x is None:
        return np.arange(1, len(y) + 1)
    if len(x) != len(y):
        raise wrong(f"array {name!r}", f"{len(y)} values", f"{len(x)}, as many as 'x' has")
    return x


def _spots(count: int, title: str) -> tuple["Figure", list[Any]]:
    """A figure with room for `count` panels."""
    across, down = min(ACROSS, count), ceil(count / ACROSS)
    figure = blank(PANEL_HEIGHTS[across] * down + 0.3, title)
    spots = list(figure.subplots(down, across, squeeze=False).ravel())
    for axes in spots[count:]:
        axes.remove()
    return figure, spots[:count]


def _style(k: int, name: str) -> dict[str, Any]:
    """The k-th line: a colour of its own, the same in all panels; dashed where the colours begin
    again.
    """
    return {
        "color": LINES[k % len(LINES)],
        "linestyle": "-" if k < len(LINES) else "--",
        "label": verbatim(name),
    }


def _draw_lines(
    axes: "Axes",
    x: np.ndarray | None,
    lines: Arrays,
    styles: Mapping[str, Any],
    smooth: bool | int,
    points: Sequence[str],
) -> None:
    for name, line in lines.items():
        _draw_line(axes, _axis(x, line, name), line, styles[name], smooth, name in points)


def _draw_line(
    axes: "Axes",
    x: np.ndarray,
    y: np.ndarray,
    style: dict[str, Any],
    smooth: bool | int,
    marks: bool,
) -> None:
    if marks or len(y) == 1:
        axes.plot(x, y, **{**style, **MARKS})
    elif smooth:
        axes.plot(x, y, linewidth=0.5, alpha=0.3, color=style["color"])
        axes.plot(x, moving_average(y, _window(smooth, len(y))), **style)
    else:
        marker = "o" if len(y) <= 20 else ""
        axes.plot(x, y, marker=marker, markersize=3, **style)


def _window(smooth: bool | int, count: int) -> int:
    """The window of the moving average; True is a fiftieth of the `count` values."""
    if smooth is True:
        return max(1, count // 50)
    return int(smooth)


def _of_panel(reference: References, panel: str) -> dict[str, float]:
    """The references of one panel: those under its name, and those under no panel's."""
    common = {label: value for label, value in reference.items() if not isinstance(value, Mapping)}
    if panel in common:
        return common
    return {**common, **reference.get(panel, {})}


def _draw_references(axes: "Axes", values: Mapping[str, float], styles: Mapping[str, Any]) -> None:
    for (label, value), dashes in zip(values.items(), cycle(DASHES)):
        color = _reference_colour(label, styles)
        text = verbatim(f"{label}: {value:.4g}")
        axes.axhline(value, color=color, linestyle=dashes, linewidth=1.2, label=text, zorder=1)


def _reference_colour(label: str, styles: Mapping[str, Any]) -> str:
    """The colour of the line with the longest name that the label begins with."""
    lines = [name for name in styles if label.startswith(name)]
    if not lines:
        return FAINT
    return styles[max(lines, key=len)]["color"]


def _legend(figure: "Figure") -> None:
    """One legend under all the panels, of the lines that are not alone in their panel."""
    entries: dict[str, Any] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        if len(labels) > 1:
            entries.update(zip(labels, handles))
    if entries:
        columns = legend_columns(entries)
        figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=columns)
