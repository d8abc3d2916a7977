"""Tables as pictures: a matrix by colour, groups of numbers by bars."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.draw.style import LINES, SIGNED, SMALL, UNSIGNED, WIDTH, blank, legend_columns, styled
from narrows.errors import wrong

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEGIBLE = 30  # bars: with more, the numbers over them would touch
BRIGHTNESS = np.array([0.299, 0.587, 0.114])  # of red, green and blue
NAMED = 40  # rows or columns: with more, names would run into one another


@styled
def heatmap(
    arrays: Mapping[str, np.ndarray],
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    rows: Sequence[Any] | None = None,
    columns: Sequence[Any] | None = None,
    signed: bool = False,
    limits: Sequence[float] | None = None,
    numbers: bool = False,
    unit: str = "",
) -> "Figure":
    """A matrix by colour.

    arrays: one array `(h, w)` under any name; NaN leaves a cell empty. rows, columns: names of its
    h rows and w columns. signed: a scale from blue to red, symmetric about 0. limits: (lowest,
    highest) of the scale, by default those of the values; for correlations (-1, 1). numbers: print
    the value in each cell. unit: what the colours measure.
    """
    values = _matrix(arrays)
    h, w = values.shape
    low, high = limits or _limits(values, signed)
    figure = blank(_height(h, w, numbers), title)
    axes = figure.add_subplot(xlabel=xlabel, ylabel=ylabel)
    colours = SIGNED if signed else UNSIGNED
    square = "equal" if h == w and not numbers else "auto"
    cells = axes.imshow(
        values, cmap=colours, vmin=low, vmax=high, interpolation="none", aspect=square
    )
    axes.grid(visible=False)
    _name(axes.xaxis, columns, w, "columns", 60 // w)
    _name(axes.yaxis, rows, h, "rows", 20)
    if numbers:
        _print(axes, values, cells)
    figure.colorbar(cells, ax=axes, label=unit)
    return figure


def _height(rows: int, columns: int, numbers: bool) -> float:
    """The height of the figure in inches: enough for the numbers, or for the shape of the matrix."""
    if numbers:
        return 0.4 * rows + 1.2
    return min(max(WIDTH * 0.8 * rows / columns, 2.2), 5.6) + 0.5


@styled
def bars(
    arrays: Mapping[str, np.ndarray],
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    names: Sequence[Any] | None = None,
    numbers: bool = True,
) -> "Figure":
    """Groups of bars side by side, one colour an array.

    arrays: name -> `(k,)`, one value a group (NaN where there is none). names: of the k groups.
    numbers: print the values over the bars, upright where they are many, and not at all over more
    than 30.
    """
    series, k = _series(arrays)
    figure = blank(3.6, title)
    axes = figure.add_subplot(xlabel=xlabel, ylabel=ylabel)
    upright = 90 if k * len(series) > 14 else 0
    legible = numbers and k * len(series) <= LEGIBLE
    width = 0.84 / len(series)
    for j, (name, y) in enumerate(series.items()):
        place = np.arange(k) + (j - (len(series) - 1) / 2) * width
        group = axes.bar(place, y, width * 0.94, label=name, color=LINES[j % len(LINES)])
        if legible:
            axes.bar_label(group, _texts(y), padding=2, fontsize=SMALL, rotation=upright)
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.18 if upright else 0.1)
    _name(axes.xaxis, names, k, "names", 70 // k)
    _legend(figure, series)
    return figure


def _legend(figure: "Figure", series: Mapping[str, Any]) -> None:
    if len(series) > 1:
        figure.legend(loc="outside lower center", ncols=legend_columns(series))


def _series(arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], int]:
    """The arrays by name, and the length that all of them have."""
    series = {name: np.asarray(y, dtype=np.float64) for name, y in arrays.items()}
    shapes = {name: y.shape for name, y in series.items()}
    k = len(next(iter(series.values()), ()))
    if k == 0 or set(shapes.values()) != {(k,)}:
        raise wrong("arrays", shapes, "name -> (k,), the same k for all")
    return series, k


def _texts(y: np.ndarray) -> list[str]:
    return ["" if np.isnan(value) else f"{value:.4g}" for value in y]


def _matrix(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    if len(arrays) != 1:
        raise wrong("arrays", sorted(arrays), "one array (h, w)")
    values = np.asarray(next(iter(arrays.values())), dtype=np.float64)
    if not (values.ndim == 2 and values.size > 0):
        raise wrong("array", values.shape, "(h, w)")
    return values


def _limits(values: np.ndarray, signed: bool) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    if signed:
        reach = float(np.abs(finite).max()) or 1.0
        return -reach, reach
    return float(finite.min()), float(finite.max())


def _name(axis: Any, names: Sequence[Any] | None, count: int, what: str, letters: int) -> None:
    """Names at the ticks, in lines of this many letters; slanted if a word is longer than that."""
    if names is None:
        axis.get_major_locator().set_params(integer=True)
        return
    if len(names) != count:
        raise wrong(what, list(names), f"{count} names")
    texts = [str(name) for name in names]
    step = -(-count // NAMED)
    slanted = what != "rows" and _longest_word(texts) > letters
    if not slanted:
        texts = [fill(text, max(letters, 4), break_long_words=False) for text in texts]
    axis.set_ticks(range(0, count, step), texts[::step])
    if slanted:
        for label in axis.get_ticklabels():
            label.set(rotation=35, ha="right", rotation_mode="anchor")


def _longest_word(texts: Sequence[str]) -> int:
    return max((len(word) for text in texts for word in text.split()), default=0)


def _print(axes: "Axes", values: np.ndarray, cells: Any) -> None:
    """The number in each cell, to 4 digits of the largest, black on light colours and white on dark
    ones.
    """
    largest = np.nanmax(np.abs(values), initial=1e-9)
    digits = int(np.clip(4 - np.ceil(np.log10(largest)), 0, 5))
    style = {"ha": "center", "va": "center", "fontsize": SMALL}
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            brightness = cells.cmap(cells.norm(value))[:3] @ BRIGHTNESS
            axes.text(
                column, row, f"{value:.{digits}f}", color="k" if brightness > 0.5 else "w", **style
            )
