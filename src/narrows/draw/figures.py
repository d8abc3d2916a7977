"""The kinds of figures: each draws from arrays and options alone, so that it can be drawn again
without a model.

    curves     losses and measures over epochs or iterations
    grid       rows of images: original / noisy / reconstruction
    tiles      sheets of images: samples, filters, codes
    scatter    points in the plane or in space, by class
    heatmap    a matrix by colour
    bars       groups of numbers
    histogram  shares of groups in bins of one axis
    tradeoff   what quality costs, over a logarithmic axis
    arrows     a field of arrows in the plane, and walks along it

A kind is a function `kind(arrays, **options) -> Figure`: `arrays` maps names to numpy arrays (what
an .npz holds), options are plain values (what JSON holds). A new kind is one function and one entry
in the table.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from narrows.choose import choose
from narrows.draw.curves import curves
from narrows.draw.fields import arrows
from narrows.draw.histogram import histogram
from narrows.draw.image_grid import grid
from narrows.draw.image_sheets import tiles
from narrows.draw.matrices import bars, heatmap
from narrows.draw.points import scatter
from narrows.draw.style import Arrays
from narrows.draw.tradeoff import tradeoff

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES: dict[str, Callable[..., "Figure"]] = {
    "curves": curves,
    "grid": grid,
    "tiles": tiles,
    "scatter": scatter,
    "heatmap": heatmap,
    "bars": bars,
    "histogram": histogram,
    "arrows": arrows,
    "tradeoff": tradeoff,
}


def figure(kind: str, arrays: Arrays, **options: Any) -> "Figure":
    """Draw a figure of `kind`, a name in `FIGURES`, from `arrays` with the kind's `options`.

    Raises `UnknownName` for a kind that there is not, `BuildError` for an option that the kind has
    not and for arrays that it cannot draw; both name what is known.
    """
    return choose("figure", FIGURES, {"kind": kind, **options}, arrays=arrays)
