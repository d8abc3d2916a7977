"""Tables as pictures: a matrix by colour, groups of numbers by bars."""

from collections.abc import Mapping, Sequence
from math import ceil
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.draw.style import (
    LINES,
    SIGNED,
    SMALL,
    UNSIGNED,
    WIDTH,
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

LEGIBLE = 30  # bars: with more, the numbers over them would touch
BRIGHTNESS = np.array([0.299, 0.587, 0.114])  # of red, green and blue
NAMED = 40  # rows or columns: with more, names would run into one another
UPRIGHT = 14  # bars: with more, the numbers over them are upright


@styled
def heatmap(
    arrays: Arrays,
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
    axes = figure.add_subplot()
    name_axes(axes, xlabel=xlabel, ylabel=ylabel)
    cells = axes.imshow(
        values,
        cmap=SIGNED if signed else UNSIGNED,
        vmin=low,
        vmax=high,
        interpolation="none",
        aspect="equal" if h == w and not numbers else "auto",
    )
    axes.grid(visible=False)
    _name(axes.xaxis, columns, w, "columns", 60 // w)
    _name(axes.yaxis, rows, h, "rows", 20)
    if numbers:
        _print(axes, values, cells)
    figure.colorbar(cells, ax=axes, label=verbatim(unit))
    return figure


def _height(rows: int, columns: int, numbers: bool) -> float:
    """The height of the figure in inches: enough for the numbers, or for the shape of the matrix."""
    if numbers:
        return 0.4 * rows + 1.2
    height = WIDTH * 0.8 * rows / columns
    return min(max(height, 2.2), 5.6) + 0.5


@styled
def bars(
    arrays: Arrays,
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
    axes = figure.add_subplot()
    name_axes(axes, xlabel=xlabel, ylabel=ylabel)
    count = k * len(series)
    upright = count > UPRIGHT
    groups = _draw_bars(axes, series, k)
    if numbers and count <= LEGIBLE:
        _print_over(axes, groups, series, upright)
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.18 if upright else 0.1)
    _name(axes.xaxis, names, k, "names", 70 // k)
    _legend(figure, series)
    return figure


def _draw_bars(axes: "Axes", series: Arrays, k: int) -> list[Any]:
    """The bars of each array, side by side in each of the k groups."""
    groups = []
    width = 0.84 / len(series)
    for j, (name, y) in enumerate(series.items()):
        place = np.arange(k) + (j - (len(series) - 1) / 2) * width
        color = LINES[j % len(LINES)]
        groups.append(axes.bar(place, y, width * 0.94, label=verbatim(name), color=color))
    return groups


def _print_over(axes: "Axes", groups: Sequence[Any], series: Arrays, upright: bool) -> None:
    """The value over each bar."""
    rotation = 90 if upright else 0
    for group, y in zip(groups, series.values()):
        axes.bar_label(group, _texts(y), padding=2, fontsize=SMALL, rotation=rotation)


def _legend(figure: "Figure", series: Mapping[str, Any]) -> None:
    if len(series) > 1:
        figure.legend(loc="outside lower center", ncols=legend_columns(series))


def _series(arrays: Arrays) -> tuple[dict[str, np.ndarray], int]:
    """The arrays by name, and the length that all of them have."""
    series = {name: np.asarray(y, dtype=np.float64) for name, y in arrays.items()}
    shapes = {name: y.shape for name, y in series.items()}
    k = len(next(iter(series.values()), ()))
    if k == 0 or set(shapes.values()) != {(k,)}:
        raise wrong("arrays", shapes, "name -> (k,), the same k for all")
    return series, k


def _texts(y: np.ndarray) -> list[str]:
    return ["" if np.isnan(value) else f"{value:.4g}" for value in y]


def _matrix(arrays: Arrays) -> np.ndarray:
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
    if what != "rows" and _longest_word(texts) > letters:
        _set_texts(axis, texts)
        _slant(axis)
    else:
        _set_texts(axis, [_wrapped(text, letters) for text in texts])


def _set_texts(axis: Any, texts: Sequence[str]) -> None:
    """A text at each tick, or, of very many, at each second, third, ..."""
    count = len(texts)
    step = ceil(count / NAMED)
    axis.set_ticks(range(0, count, step), [*map(verbatim, texts[::step])])


def _slant(axis: Any) -> None:
    for label in axis.get_ticklabels():
        label.set(rotation=35, ha="right", rotation_mode="anchor")


def _wrapped(text: str, letters: int) -> str:
    return fill(text, max(letters, 4), break_long_words=False)


def _longest_word(texts: Sequence[str]) -> int:
    words = " ".join(texts).split()
    return max(map(len, words), default=0)


def _print(axes: "Axes", values: np.ndarray, cells: Any) -> None:
    """The number in each cell, black on light colours and white on dark ones."""
    style = {"ha": "center", "va": "center", "fontsize": SMALL}
    digits = _digits(values)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = _legible_on(cells.cmap(cells.norm(value)))
            axes.text(column, row, f"{value:.{digits}f}", color=colour, **style)


def _digits(values: np.ndarray) -> int:
    """The digits after the point that show 4 digits of the largest number."""
    largest = np.nanmax(np.abs(values), initial=1e-9)
    return int(np.clip(4 - np.ceil(np.log10(largest)), 0, 5))


def _legible_on(colour: Sequence[float]) -> str:
    """Black on a light colour, white on a dark one."""
    brightness = colour[:3] @ BRIGHTNESS
    return "k" if brightness > 0.5 else "w"
