"""Trade-offs: what quality costs, a line for each way of getting it, over a logarithmic axis of the cost.

Each line has its name next to it: at that of its points, left above or right below, where the text is
farthest from all lines and from the other names.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.draw.style import FAINT, LINES, SMALL, Arrays, blank, name_axes, styled, verbatim
from narrows.errors import wrong

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT = 3.0  # inches of a panel
ROOM = np.array([5.7, 2.6])  # inches of its axes, about
MARKERS = "osD^vPX"
LETTER, LINE, AWAY = (
    0.066,
    0.13,
    0.1,
)  # inches: a letter's width, a line's height, from point to text
MARGIN = 0.06  # of the room, around all points
DENSE = 30  # points of a line that a text keeps away from


@styled
def tradeoff(
    arrays: Arrays,
    title: str = "",
    xlabel: str = "",
    panels: Sequence[str] = ("",),
    note: str = "",
) -> "Figure":
    """Lines over a logarithmic x axis, in one panel under another.

    arrays: name -> `(k, 2 + panels)`, of k points: x, x of a second line (dashed; NaN for none), and y in
        each panel.
    panels: what y is in each, such as "PSNR, dB".
    note: small, under the figure.
    """
    lines = {name: _points(name, rows, len(panels)) for name, rows in arrays.items()}
    if not lines:
        raise wrong("arrays", sorted(arrays), "one line at least")
    figure = blank(HEIGHT * len(panels) + 0.3, title)
    spots = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for number, (axes, panel) in enumerate(zip(spots, panels)):
        _draw_panel(axes, {name: rows[:, [0, 1, 2 + number]] for name, rows in lines.items()})
        name_axes(axes, ylabel=panel)
    name_axes(spots[-1], xlabel=xlabel)
    figure.align_ylabels()
    if note:
        figure.supxlabel(verbatim(note), fontsize=SMALL, color=FAINT, wrap=True)
    return figure


def _points(name: str, rows: Any, panels: int) -> np.ndarray:
    """The points of a line, from the least x to the largest."""
    rows = np.asarray(rows, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != 2 + panels or not (rows[:, 0] > 0).all():
        raise wrong(f"array {name!r}", rows.shape, f"(k, {2 + panels}), x above 0")
    return rows[rows[:, 0].argsort()]


def _draw_panel(axes: "Axes", lines: Mapping[str, np.ndarray]) -> None:
    """Lines of `(k, 3)`: x, x of the dashed line, y."""
    for place, rows in enumerate(lines.values()):
        style: dict[str, Any] = {
            "color": LINES[place % len(LINES)],
            "marker": MARKERS[place % len(MARKERS)],
        }
        axes.plot(rows[:, 0], rows[:, 2], markersize=4, **style)
        axes.plot(rows[:, 1], rows[:, 2], markersize=3, linestyle="--", linewidth=0.9, **style)
    _set_axis(axes)
    _name_lines(axes, {name: rows[np.isfinite(rows[:, 2])] for name, rows in lines.items()})


def _set_axis(axes: "Axes") -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(MARGIN)


def _name_lines(axes: "Axes", lines: Mapping[str, np.ndarray]) -> None:
    """The name of each line, where it is free."""
    inches = _Inches(list(lines.values()))
    taken = [inches.line(rows[:, [x, 2]]) for rows in lines.values() for x in (0, 1)]
    for place, (name, rows) in enumerate(lines.items()):
        best, found = -1.0, None
        for point in rows[:, [0, 2]]:
            for side in (-1, 1):
                text = _text_at(inches.of(point[None])[0], side, name)
                free = _distance(text, np.concatenate(taken))
                if free > best and inches.holds(text):
                    best, found = free, (point, side, text)
        if found is None:
            continue
        point, side, text = found
        taken.append(text)
        axes.annotate(
            verbatim(name), point, (side * 72 * AWAY * 0.8, -side * 72 * AWAY),
            textcoords="offset points", ha="left" if side > 0 else "right", va="center",
            color=LINES[place % len(LINES)], fontsize=8.5,
        )  # fmt: skip


class _Inches:
    """From points (x, y) to inches from the lower left corner of the axes."""

    def __init__(self, lines: Sequence[np.ndarray]):
        points = np.concatenate([rows[:, [x, 2]] for rows in lines for x in (0, 1)])
        points = self._straight(points[np.isfinite(points).all(1)])
        self.low, high = points.min(0, initial=1e9), points.max(0, initial=-1e9)
        self.span = np.maximum(high - self.low, 1e-9)

    def of(self, points: np.ndarray) -> np.ndarray:
        share = (self._straight(points) - self.low) / self.span
        return (MARGIN + share * (1 - 2 * MARGIN)) * ROOM

    def line(self, points: np.ndarray) -> np.ndarray:
        """Points close to one another along a line."""
        places = self.of(points[np.isfinite(points).all(1)])
        parts = [a + (b - a) * t for a, b in pairwise(places) for t in np.linspace(0, 1, DENSE)]
        return np.array([*places, *parts]).reshape(-1, 2)

    def holds(self, places: np.ndarray) -> bool:
        return bool(((places >= 0) & (places <= ROOM)).all())

    @staticmethod
    def _straight(points: np.ndarray) -> np.ndarray:
        return np.stack([np.log(points[:, 0]), points[:, 1]], 1)


def _text_at(place: np.ndarray, side: int, name: str) -> np.ndarray:
    """Places along a text right below a point, or left above it."""
    along = side * (AWAY + np.linspace(0, LETTER * len(name), 8))
    return place + np.stack([along, np.full(8, -side * (AWAY + LINE / 2))], 1)


def _distance(text: np.ndarray, taken: np.ndarray) -> float:
    return float(np.linalg.norm(text[:, None] - taken[None], axis=2).min())
