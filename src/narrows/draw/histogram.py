"""Histograms of several groups of scores over one axis, with marks such as a threshold.

Groups differ in size, so what is drawn is the share of each group's images in each bin.
"""

from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING

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
    from matplotlib.figure import Figure

COLOURS = (FAINT, *LINES)  # the first group is what others are compared with
DASHES = ((0, (5, 3)), (0, (1, 1.5)))
OPACITY = 0.25


@styled
def histogram(
    arrays: Arrays,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "images in each bin, % of the group",
    log: bool = False,
    marks: Mapping[str, float] | None = None,
) -> "Figure":
    """Shares of groups in the bins of one axis.

    arrays: "edges" `(k + 1,)`, ascending; name -> `(k,)`, how many of a group are in each bin.
    log: a logarithmic axis of the edges. marks: {label: value}, vertical lines.
    """
    edges, groups = _groups(arrays)
    figure = blank(4, title)
    axes = figure.add_subplot()
    name_axes(axes, xlabel=xlabel, ylabel=ylabel)
    for (name, counts), colour in zip(groups.items(), cycle(COLOURS)):
        share = 100 * counts / max(counts.sum(), 1)
        axes.stairs(share, edges, color=colour, alpha=OPACITY, fill=True)
        axes.stairs(share, edges, color=colour, label=verbatim(name), linewidth=1.4)
    for (label, value), dashes in zip((marks or {}).items(), cycle(DASHES)):
        axes.axvline(value, color="black", linestyle=dashes, linewidth=1.2, label=verbatim(label))
    axes.set_xscale("log" if log else "linear")
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, None))
    axes.grid(visible=False, axis="x")
    labels = [*groups, *(marks or {})]
    figure.legend(loc="outside lower center", ncols=legend_columns(labels))
    return figure


def _groups(arrays: Arrays) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The edges, and the counts of each group."""
    groups = {name: np.asarray(counts, np.float64) for name, counts in arrays.items()}
    edges = groups.pop("edges", np.empty(0))
    shapes = {name: counts.shape for name, counts in groups.items()}
    if edges.ndim != 1 or len(edges) < 2 or set(shapes.values()) != {(len(edges) - 1,)}:
        expected = "edges (k + 1,), and one (k,) a group at least"
        raise wrong("arrays", {"edges": edges.shape, **shapes}, expected)
    if not (np.diff(edges) > 0).all():
        raise wrong("edges", "values in another order", "ascending ones")
    return edges, groups
