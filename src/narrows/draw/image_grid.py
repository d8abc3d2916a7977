"""Pictures of pixels, shown as they are.

Every pixel is a square of one colour: nothing is interpolated or stretched. Grey runs from black at
0 to white at 1 whatever the images hold, so that a weak image looks weak; values outside are
clipped. Numbers that are not pixels (filters, codes) get a colour bar, one scale for all sheets of
a figure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.draw.canvas import LETTER, LINE, PAD, PAGE, as_images, as_unit, canvas, show, zoom
from narrows.draw.style import SIGNED, SMALL, styled
from narrows.errors import wrong
from narrows.layout import contact_sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREY = {"cmap": "gray", "vmin": 0, "vmax": 1}
# dots: the widest that a grid is drawn, so that ten digits fit in a row three times enlarged
SHEET = 1120
LARGEST = 168  # dots: the widest that one image of a grid is drawn
GAP = 6  # dots between images
NARROWEST = 400  # dots that the title needs
LETTERS = 14  # in a line of a row's name
ACROSS, ALONE = 3, 640  # sheets in a row; dots: the widest that a sheet alone is drawn
BAR = 130  # dots for a colour bar and its numbers


@styled
def grid(
    arrays: Mapping[str, np.ndarray],
    title: str = "",
    captions: Mapping[str, Sequence[Any]] | None = None,
    columns: int = 10,
) -> "Figure":
    """Rows of images, such as original / noisy / reconstruction, each with its name at the left.

    arrays: name -> `(k, H, W)` or `(k, H, W, C)`, floats in [0, 1] or uint8, the same k in every
    row. captions: name -> k texts, small under the images of that row. columns: at most this
    many side by side; more are wrapped, evenly, into blocks of all the rows.
    """
    rows = {name: as_unit(as_images(name, images)) for name, images in arrays.items()}
    count = _count(rows)
    texts = _captions(captions or {}, rows, count)
    labels = _labels(rows)
    margin = _margin(labels.values())
    columns, cell = _cells(rows, count, columns, SHEET - margin - PAD)
    places, height = _plan(rows, texts, columns, cell)
    width = margin + columns * (cell + GAP) + PAD
    figure, axes = canvas(max(width, NARROWEST), height, title)
    for name, start, top in places:
        block = slice(start, start + columns)
        _draw_row(axes, rows[name][block], texts.get(name, [])[block], (margin, top), cell)
        _draw_label(axes, labels[name], margin, top, _enlarged(rows[name], cell))
    return figure


def _margin(labels: Iterable[str]) -> int:
    """The room for the labels at the left."""
    return 2 * PAD + LETTER * _widest_line(labels)


def _labels(names: Iterable[str]) -> dict[str, str]:
    """The names of the rows, in lines that fit the margin."""
    return {name: fill(name, LETTERS, break_long_words=False) for name in names}


def _draw_label(axes: "Axes", label: str, margin: float, top: float, height: float) -> None:
    """The name of a row, in the margin at its left."""
    axes.text(margin - PAD, top + height / 2, label, ha="right", va="center")


def _widest_line(texts: Iterable[str]) -> int:
    return max(len(line) for text in texts for line in text.split("\n"))


@styled
def tiles(
    arrays: Mapping[str, np.ndarray],
    title: str = "",
    columns: int | Sequence[int] | None = None,
    signed: bool = False,
    limits: Sequence[float] | None = None,
    unit: str = "",
) -> "Figure":
    """Sheets of images, side by side: samples, filters, codes.

    arrays: name -> `(n, H, W)` or `(n, H, W, C)`; each is one sheet, with its name where there are
    several. columns: images in a row of a sheet, one number or one for each; by default a sheet is
    about square. signed: a scale from blue to red, symmetric about 0 and shared by all the sheets,
    with a colour bar. limits: (lowest, highest) value of the scale, with a colour bar; by default
    black 0 and white 1, without. unit: what the colour bar measures.
    """
    sheets = {name: as_images(name, images) for name, images in arrays.items()}
    if not bool(sheets):
        raise wrong("arrays", [*sheets], "at least one array of images")
    scale = _scale(sheets, signed, limits)
    across = columns if isinstance(columns, Sequence) else [columns] * len(sheets)
    if len(across) != len(sheets):
        raise wrong("columns", columns, f"one number, or {len(sheets)}")
    bare = scale is None
    pictures = {name: _sheet(images, n, bare) for (name, images), n in zip(sheets.items(), across)}
    return _side_by_side(pictures, title, scale, unit)


def _cells(rows: Mapping[str, np.ndarray], count: int, columns: int, room: int) -> tuple[int, int]:
    """How many images are side by side, and the dots of each: an integer multiple of the first row's."""
    if not (columns >= 1):
        raise wrong("columns", columns, "1 or more")
    width = next(iter(rows.values())).shape[2]
    # large images: fewer, so that they stay visible
    most = min(columns, max(4, room // (width + GAP)))
    across = ceil(count / ceil(count / most))
    each = min(LARGEST, room // across - GAP)
    return across, int(width * zoom(width, each))


def _enlarged(images: np.ndarray, cell: int) -> float:
    """The height of a row of images, in dots."""
    return images.shape[1] * zoom(images.shape[2], cell)


def _plan(
    rows: Mapping[str, np.ndarray], captions: Mapping[str, list[str]], columns: int, cell: int
) -> tuple[list[tuple[str, int, float]], float]:
    """The place of each row (its name, its first image, its top), block after block, and the height
    of all.
    """
    places, top = [], float(PAD)
    for start in range(0, _count(rows), columns):
        for name, images in rows.items():
            places.append((name, start, top))
            lines = max((text.count("\n") + 1 for text in captions.get(name, [])), default=0)
            top += _enlarged(images, cell) + GAP + LINE * lines
        top += 2 * GAP
    return places, top - 2 * GAP + PAD


def _draw_row(
    axes: "Axes", images: np.ndarray, captions: list[str], corner: tuple[float, float], cell: int
) -> None:
    """A row of images from its top left corner, each in the middle of its cell, with its caption
    below.
    """
    left, top = corner
    times = zoom(images.shape[2], cell)
    inset = left + (cell - times * images.shape[2]) // 2
    if times >= 1:
        _show_as_one(axes, images, (inset, top), int(times), cell)
    else:
        for column, image in enumerate(images):
            show(axes, image, inset + column * (cell + GAP), top, times, **GREY)
    below = top + _enlarged(images, cell) + 3
    for column, text in enumerate(captions):
        middle = left + column * (cell + GAP) + cell / 2
        axes.text(middle, below, text, ha="center", va="top", fontsize=SMALL)


def _show_as_one(
    axes: "Axes", images: np.ndarray, corner: tuple[float, float], times: int, cell: int
) -> None:
    """Enlarged images as one picture: matplotlib takes 3 ms over each."""
    large = images.repeat(times, 1).repeat(times, 2)
    row = contact_sheet(large, len(large), gap=cell + GAP - large.shape[2])
    show(axes, row, *corner, 1, **GREY)


def _scale(
    sheets: Mapping[str, np.ndarray], signed: bool, limits: Sequence[float] | None
) -> dict[str, Any] | None:
    """The colours of numbers and their limits; None for pixels. "No value" is a grey apart."""
    import matplotlib

    if not signed and limits is None:
        return None
    for name, images in sheets.items():
        if images.ndim != 3:
            raise wrong(
                f"array {name!r}", images.shape, "(n, H, W): a scale colours one plane of numbers"
            )
    reach = max(float(np.abs(images).max()) for images in sheets.values()) or 1.0
    low, high = limits or (-reach, reach)
    colours = matplotlib.colormaps[SIGNED if signed else "gray"].with_extremes(bad="#c4c4c4")
    return {"cmap": colours, "vmin": low, "vmax": high}


def _sheet(images: np.ndarray, columns: int | None, bare: bool) -> np.ndarray:
    """The images tiled, with white between them if they are pixels, with no value (NaN) if they are
    numbers.
    """
    if bare:
        return contact_sheet(as_unit(images), columns)
    return contact_sheet(images.astype(np.float32), columns, fill=np.nan)


@dataclass(frozen=True)
class _SheetPlan:
    """Where sheets are placed, in dots: columns of equal width, rows of equal height, names above."""

    columns: int
    bar: int
    width: int  # of a column
    height: int  # of a row
    names_height: int
    zooms: dict[str, float]
    names: dict[str, str]

    @property
    def rows(self) -> int:
        return ceil(len(self.zooms) / self.columns)

    def corner(self, place: int) -> tuple[int, int]:
        """The top left corner of a sheet."""
        row, column = divmod(place, self.columns)
        return PAD + self.width * column, PAD + self.height * row + self.names_height

    def bar_place(self, height: float) -> tuple[float, float, float, float]:
        """Left, top, width and height of the colour bar, on paper of that height."""
        left, top = PAD + self.width * self.columns, PAD + self.names_height
        return left, top, 1.5 * PAD, min(height - 2 * PAD - self.names_height, ALONE)


def _plan_sheets(pictures: Mapping[str, np.ndarray], bar: int) -> _SheetPlan:
    columns = min(ACROSS, len(pictures))
    room, names, names_height = ALONE, dict.fromkeys(pictures, ""), 0
    if columns > 1:
        room = (PAGE - bar - PAD) // columns - PAD
    zooms = {name: zoom(picture.shape[1], room) for name, picture in pictures.items()}
    sizes = [[ceil(zooms[name] * side) for side in pictures[name].shape[:2]] for name in pictures]
    height, width = (max(sides) + PAD for sides in zip(*sizes))
    if columns > 1:
        names = {name: fill(name, width // LETTER) for name in pictures}
        names_height = LINE * max(1 + name.count("\n") for name in names.values()) + GAP
    return _SheetPlan(columns, bar, width, height + names_height, names_height, zooms, names)


def _side_by_side(
    pictures: Mapping[str, np.ndarray], title: str, scale: dict[str, Any] | None, label: str
) -> "Figure":
    """Pictures in rows of at most three, names above, and one colour bar for all of them."""
    plan = _plan_sheets(pictures, BAR if scale else 0)
    height = PAD + plan.height * plan.rows
    figure, axes = canvas(PAD + plan.width * plan.columns + plan.bar, height, title)
    for place, (name, picture) in enumerate(pictures.items()):
        left, top = plan.corner(place)
        show(axes, picture, left, top, plan.zooms[name], **(scale or GREY))
        middle = left + (plan.width - PAD) / 2
        axes.text(middle, top - GAP, plan.names[name], ha="center", va="bottom")
    if scale:
        inset = axes.inset_axes(plan.bar_place(height), transform=axes.transData)
        figure.colorbar(axes.images[0], cax=inset, label=label)
    return figure


def _count(rows: Mapping[str, np.ndarray]) -> int:
    """How many images each row holds."""
    counts = {name: len(images) for name, images in rows.items()}
    if len(set(counts.values())) != 1:
        raise wrong("arrays", counts, "rows of one and the same number of images")
    return next(iter(counts.values()))


def _captions(
    captions: Mapping[str, Sequence[Any]], rows: Mapping[str, Any], count: int
) -> dict[str, list[str]]:
    for name, texts in captions.items():
        known = name in rows and len(texts) == count
        if not known:
            raise wrong(
                f"captions of {name!r}",
                texts,
                f"{count} texts, for one of the rows {', '.join(rows)}",
            )
    return {name: [str(text) for text in texts] for name, texts in captions.items()}
