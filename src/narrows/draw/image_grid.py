"""Rows of images: pictures of pixels, shown as they are.

Every pixel is a square of one colour: nothing is interpolated or stretched. Grey runs from black at
0 to white at 1 whatever the images hold, so that a weak image looks weak; values outside are
clipped.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.draw.canvas import (
    GAP,
    GREY,
    LETTER,
    LINE,
    PAD,
    as_images,
    as_unit,
    canvas,
    show,
    zoom,
)
from narrows.draw.overlay import draw_bar
from narrows.draw.style import SMALL, Arrays, styled, verbatim
from narrows.errors import wrong
from narrows.layout import contact_sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# dots: the widest that a grid is drawn, so that ten digits fit in a row three times enlarged
SHEET = 1120
LARGEST = 168  # dots: the widest that one image of a grid is drawn
NARROWEST = 400  # dots that the title needs
BAR = 90  # dots: the height of a colour bar and its numbers
SMALL_LETTER = 9  # dots: the width of a letter of a caption
LETTERS = 14  # in a line of a row's name


@styled
def grid(
    arrays: Arrays,
    title: str = "",
    captions: Mapping[str, Sequence[Any]] | None = None,
    columns: int = 10,
    largest: int = LARGEST,
    errors: Mapping[str, Any] | None = None,
) -> "Figure":
    """Rows of images, such as original / noisy / reconstruction, each with its name at the left.

    arrays: name -> `(k, H, W)` or `(k, H, W, C)`, floats in [0, 1] or uint8, the same k in every
    row. captions: name -> k texts, small under the images of that row. columns: at most this
    many side by side; more are wrapped, evenly, into blocks of all the rows.
    largest: dots, the widest that one image is drawn. errors: {"scale": ..., "label": ...}, a bar
    below of what the colours of `overlay` mean, for rows that were made by it.
    """
    rows = _rows(arrays)
    count = _count(rows)
    texts = _captions(captions or {}, rows, count)
    labels = _labels(rows)
    margin = _margin(labels.values())
    columns, cell = _cells(rows, texts, columns, SHEET - margin - PAD, largest)
    places, height = _plan(rows, texts, columns, cell)
    width = margin + columns * (cell + GAP) + PAD
    figure, axes = _sheet(max(width, NARROWEST), height, title, margin, errors)
    for name, start, top in places:
        block = slice(start, start + columns)
        images, captions_below = rows[name][block], texts.get(name, [])[block]
        _draw_line(axes, labels[name], images, captions_below, (margin, top), cell)
    return figure


def _draw_line(
    axes: "Axes",
    label: str,
    images: np.ndarray,
    captions: Sequence[str],
    corner: tuple[float, float],
    cell: int,
) -> None:
    """A row of a block from its top left corner: its name, its images, and their captions."""
    left, top = corner
    middle, below = _middle_and_end(images, top, cell)
    _draw_label(axes, label, left, middle)
    _draw_row(axes, images, corner, cell)
    _draw_captions(axes, captions, (left, below), cell)


def _sheet(
    width: float, height: float, title: str, margin: float, errors: Mapping[str, Any] | None
) -> tuple["Figure", "Axes"]:
    """The empty sheet, with a colour bar below where it is asked for."""
    if errors is None:
        return canvas(width, height, title)
    figure, axes = canvas(width, height + BAR, title)
    place = (margin, height, width - margin - 2 * PAD, LINE)
    draw_bar(axes.inset_axes(place, transform=axes.transData), errors["scale"], errors["label"])
    return figure, axes


def _rows(arrays: Arrays) -> dict[str, np.ndarray]:
    """The images of each row, with pixels in [0, 1]."""
    return {name: as_unit(as_images(name, images)) for name, images in arrays.items()}


def _middle_and_end(images: np.ndarray, top: float, cell: int) -> tuple[float, float]:
    """The middle of a row of images and its lower end, in dots from the top."""
    height = _enlarged(images, cell)
    return top + height / 2, top + height


def _margin(labels: Iterable[str]) -> int:
    """The room for the labels at the left."""
    return 2 * PAD + LETTER * _widest_line(labels)


def _labels(names: Iterable[str]) -> dict[str, str]:
    """The names of the rows, in lines that fit the margin."""
    return {name: fill(name, LETTERS, break_long_words=False) for name in names}


def _draw_label(axes: "Axes", label: str, margin: float, middle: float) -> None:
    """The name of a row, in the margin at its left."""
    axes.text(margin - PAD, middle, verbatim(label), ha="right", va="center")


def _widest_line(texts: Iterable[str]) -> int:
    lines = "\n".join(texts).split("\n")
    return max(map(len, lines))


def _cells(
    rows: Arrays, captions: Mapping[str, list[str]], columns: int, room: int, largest: int
) -> tuple[int, int]:
    """How many images are side by side, and the dots of each: an integer multiple of the first row's,
    or more if a caption needs it.
    """
    if not (columns >= 1):
        raise wrong("columns", columns, "1 or more")
    width = next(iter(rows.values())).shape[2]
    # large images: fewer, so that they stay visible
    most = min(columns, max(4, room // (width + GAP)))
    across = _evenly(_count(rows), most)
    each = min(largest, room // across - GAP)
    texts = [text for of_row in captions.values() for text in of_row]
    return across, max(int(width * zoom(width, each)), min(each, _caption_width(texts)))


def _caption_width(captions: Sequence[str]) -> int:
    """The dots that the widest line needs."""
    return SMALL_LETTER * _widest_line(captions) if captions else 0


def _evenly(count: int, most: int) -> int:
    """How many of `count` images are in a line, if no line has more than `most` and all are alike."""
    lines = ceil(count / most)
    return ceil(count / lines)


def _enlarged(images: np.ndarray, cell: int) -> float:
    """The height of a row of images, in dots."""
    return images.shape[1] * zoom(images.shape[2], cell)


def _plan(
    rows: Arrays, captions: Mapping[str, list[str]], columns: int, cell: int
) -> tuple[list[tuple[str, int, float]], float]:
    """The place of each row (its name, its first image, its top), block after block, and the height
    of all.
    """
    places, top = [], float(PAD)
    for start in range(0, _count(rows), columns):
        for name, images in rows.items():
            places.append((name, start, top))
            top += _enlarged(images, cell) + GAP + _height_of(captions.get(name, []))
        top += 2 * GAP
    return places, top - 2 * GAP + PAD


def _height_of(captions: Sequence[str]) -> int:
    """The room that these captions need: that of the one with the most lines."""
    lines = [text.count("\n") + 1 for text in captions]
    return LINE * max(lines, default=0)


def _draw_row(axes: "Axes", images: np.ndarray, corner: tuple[float, float], cell: int) -> None:
    """A row of images from its top left corner, each in the middle of its cell."""
    left, top = corner
    width = images.shape[2]
    times = zoom(width, cell)
    inset = left + (cell - times * width) // 2
    if times >= 1:
        _show_as_one(axes, images, (inset, top), int(times), cell)
        return
    for column, image in enumerate(images):
        show(axes, image, inset + column * (cell + GAP), top, times, **GREY)


def _draw_captions(
    axes: "Axes", captions: Sequence[str], corner: tuple[float, float], cell: int
) -> None:
    """A caption below each image of a row, whose bottom left corner this is."""
    left, bottom = corner
    for column, text in enumerate(captions):
        middle = left + column * (cell + GAP) + cell / 2
        axes.text(middle, bottom + 3, verbatim(text), ha="center", va="top", fontsize=SMALL)


def _show_as_one(
    axes: "Axes", images: np.ndarray, corner: tuple[float, float], times: int, cell: int
) -> None:
    """Enlarged images as one picture: matplotlib takes 3 ms over each."""
    large = images.repeat(times, 1).repeat(times, 2)
    row = contact_sheet(large, len(large), gap=cell + GAP - large.shape[2])
    show(axes, row, *corner, 1, **GREY)


def _count(rows: Arrays) -> int:
    """How many images each row holds."""
    counts = {name: len(images) for name, images in rows.items()}
    if len(set(counts.values())) != 1:
        raise wrong("arrays", counts, "rows of one and the same number of images")
    return next(iter(counts.values()))


def _captions(
    captions: Mapping[str, Sequence[Any]], rows: Mapping[str, Any], count: int
) -> dict[str, list[str]]:
    for name, texts in captions.items():
        if name not in rows or len(texts) != count:
            expected = f"{count} texts, for one of the rows {', '.join(rows)}"
            raise wrong(f"captions of {name!r}", texts, expected)
    return {name: [str(text) for text in texts] for name, texts in captions.items()}
