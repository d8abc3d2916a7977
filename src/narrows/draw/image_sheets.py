"""Sheets of images side by side: samples, filters, codes.

A sheet of pixels is drawn as in `image_grid`. Numbers that are not pixels (filters, codes) get a
colour bar, one scale for all sheets of a figure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
    PAGE,
    as_images,
    as_unit,
    canvas,
    show,
    zoom,
)
from narrows.draw.style import SIGNED, Arrays, styled, verbatim
from narrows.errors import wrong
from narrows.layout import contact_sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACROSS, ALONE = 3, 640  # sheets in a row; dots: the widest that a sheet alone is drawn
BAR = 130  # dots for a colour bar and its numbers
NO_VALUE = "#c4c4c4"


@styled
def tiles(
    arrays: Arrays,
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
    if not sheets:
        raise wrong("arrays", [*sheets], "at least one array of images")
    scale = _scale(sheets, signed, limits)
    across = _columns(columns, len(sheets))
    bare = scale is None
    pictures = {name: _sheet(images, n, bare) for (name, images), n in zip(sheets.items(), across)}
    return _side_by_side(pictures, title, scale, unit)


def _columns(columns: int | Sequence[int] | None, count: int) -> Sequence[int | None]:
    """How many images are in a row of each of the `count` sheets."""
    if not isinstance(columns, Sequence):
        return [columns] * count
    if len(columns) != count:
        raise wrong("columns", columns, f"one number, or {count}")
    return columns


def _scale(sheets: Arrays, signed: bool, limits: Sequence[float] | None) -> dict[str, Any] | None:
    """The colours of numbers and their limits; None for pixels. "No value" is a grey apart."""
    import matplotlib

    if not signed and limits is None:
        return None
    for name, images in sheets.items():
        if images.ndim != 3:
            expected = "(n, H, W): a scale colours one plane of numbers"
            raise wrong(f"array {name!r}", images.shape, expected)
    low, high = limits or _limits(sheets.values())
    colours = matplotlib.colormaps[SIGNED if signed else "gray"].with_extremes(bad=NO_VALUE)
    return {"cmap": colours, "vmin": low, "vmax": high}


def _limits(sheets: Iterable[np.ndarray]) -> tuple[float, float]:
    """Symmetric about 0, as far as the largest number of all the sheets."""
    largest = [float(np.abs(images).max()) for images in sheets]
    reach = max(largest) or 1.0
    return -reach, reach


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

    @property
    def paper(self) -> tuple[int, int]:
        """The width and height of all."""
        return PAD + self.width * self.columns + self.bar, PAD + self.height * self.rows

    @property
    def bar_place(self) -> tuple[float, float, float, float]:
        """Left, top, width and height of the colour bar."""
        left, top = PAD + self.width * self.columns, PAD + self.names_height
        room = self.paper[1] - PAD - top
        return left, top, 1.5 * PAD, min(room, ALONE)


def _plan_sheets(pictures: Arrays, bar: int) -> _SheetPlan:
    columns = min(ACROSS, len(pictures))
    room = _room(columns, bar)
    zooms = {name: zoom(picture.shape[1], room) for name, picture in pictures.items()}
    height = _largest(0, pictures, zooms) + PAD
    width = _largest(1, pictures, zooms) + PAD
    names, names_height = dict.fromkeys(pictures, ""), 0
    if columns > 1:
        names = {name: fill(name, width // LETTER) for name in pictures}
        names_height = _names_height(names.values())
    return _SheetPlan(columns, bar, width, height + names_height, names_height, zooms, names)


def _room(columns: int, bar: int) -> int:
    """The width for a sheet, next to others or alone."""
    if columns == 1:
        return ALONE
    return (PAGE - bar - PAD) // columns - PAD


def _largest(axis: int, pictures: Arrays, zooms: Mapping[str, float]) -> int:
    """The height (axis 0) or width (axis 1) of the largest picture when enlarged."""
    return max(ceil(zooms[name] * picture.shape[axis]) for name, picture in pictures.items())


def _names_height(names: Iterable[str]) -> int:
    """The room above each sheet, for the name with the most lines."""
    lines = max(1 + name.count("\n") for name in names)
    return LINE * lines + GAP


def _side_by_side(
    pictures: Arrays, title: str, scale: dict[str, Any] | None, label: str
) -> "Figure":
    """Pictures in rows of at most three, names above, and one colour bar for all of them."""
    plan = _plan_sheets(pictures, BAR if scale else 0)
    figure, axes = canvas(*plan.paper, title)
    for place, (name, picture) in enumerate(pictures.items()):
        left, top = plan.corner(place)
        show(axes, picture, left, top, plan.zooms[name], **(scale or GREY))
        middle = left + (plan.width - PAD) / 2
        axes.text(middle, top - GAP, verbatim(plan.names[name]), ha="center", va="bottom")
    if scale:
        inset = axes.inset_axes(plan.bar_place, transform=axes.transData)
        figure.colorbar(axes.images[0], cax=inset, label=verbatim(label))
    return figure
