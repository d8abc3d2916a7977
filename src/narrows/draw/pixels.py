"""Pictures of pixels, shown as they are.

Every pixel is a square of one colour: nothing is interpolated or stretched. Grey runs from black at 0 to white at 1
whatever the images hold, so that a weak image looks weak; values outside are clipped for show. Numbers that are no
pixels (filters, codes) get a colour bar: one symmetric scale about 0 for all that stand together.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.draw.look import SIGNED, WIDTH, blank, styled
from narrows.errors import expect
from narrows.images import tile

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST = 1.1  # inches: the widest that one image of a grid is drawn
GAP = 0.06  # between images, in widths of one
LETTERS, LETTER, LINE = (
    14,
    0.085,
    0.14,
)  # letters in a line of a label; inches a letter; inches a line of a caption


@styled
def grid(
    arrays: Mapping[str, np.ndarray],
    title: str = "",
    captions: Mapping[str, Sequence[Any]] | None = None,
    columns: int = 10,
) -> "Figure":
    """Rows of images, such as original / noisy / reconstruction, each with its name at the left.

    arrays: name -> `(k, H, W)` or `(k, H, W, C)`, floats in [0, 1] or uint8, the same k in every row.
    captions: name -> k texts, small under the images of that row.
    columns: at most so many side by side; more are wrapped, evenly, into blocks of all the rows.
    """
    rows = {name: _unit(_images(name, images)) for name, images in arrays.items()}
    count = _count(rows)
    captions = _captions(captions or {}, rows, count)
    columns = ceil(count / ceil(count / columns))
    margin = LETTER * min(LETTERS, max(map(len, rows)))
    cell = min(LARGEST, (WIDTH - margin) / columns)
    places, height = _plan(rows, captions, columns, LINE / cell)
    width = min(WIDTH, max(margin + columns * cell, 3.0) + 0.1)
    figure = blank(height * cell + (0.5 if title else 0.1), title, width)
    axes = figure.add_subplot(aspect="equal", xlim=(0, columns - GAP), ylim=(height, 0))
    axes.set_axis_off()
    for place in places:
        _draw_row(axes, place, rows[place.name], captions.get(place.name, []), columns)
    return figure


@styled
def tiles(
    arrays: Mapping[str, np.ndarray],
    title: str = "",
    columns: int | None = None,
    signed: bool = False,
    limits: Sequence[float] | None = None,
    unit: str = "",
) -> "Figure":
    """Sheets of images, side by side: samples, filters, codes.

    arrays: name -> `(n, H, W)` or `(n, H, W, C)`; each is one sheet, with its name where there are several.
    columns: images in a row of a sheet; by default the sheet is about square.
    signed: a scale from blue to red, symmetric about 0 and shared by all sheets, with a colour bar (for filters).
    limits: (lowest, highest) value of the scale, with a colour bar; by default [0, 1] in grey, without.
    unit: what the colour bar measures.
    """
    sheets = {name: _images(name, images) for name, images in arrays.items()}
    expect(bool(sheets), "tiles", [*sheets], "at least one array of images")
    if signed and limits is None:
        reach = max(float(np.abs(images).max()) for images in sheets.values()) or 1.0
        limits = (-reach, reach)
    scale = {
        "cmap": SIGNED if signed else "gray",
        "vmin": (limits or (0, 1))[0],
        "vmax": (limits or (0, 1))[1],
    }
    pictures = {k: _sheet(v if limits else _unit(v), columns, bool(limits)) for k, v in sheets.items()}
    return _side_by_side(pictures, title, scale, unit if limits else None)


def _side_by_side(
    pictures: Mapping[str, np.ndarray], title: str, scale: dict[str, Any], unit: str | None
) -> "Figure":
    """One picture a panel; a colour bar for them all unless `unit` is None."""
    across = WIDTH / len(pictures) if len(pictures) > 1 else min(WIDTH, 4.5)
    tallest = max(picture.shape[0] / picture.shape[1] for picture in pictures.values())
    figure = blank(min(tallest * across, 8) + 0.5, title, across * len(pictures))
    row = figure.subplots(1, len(pictures), squeeze=False)[0]
    for axes, (name, picture) in zip(row, pictures.items()):
        image = axes.imshow(picture, interpolation="none", aspect="equal", **scale)
        axes.set_axis_off()
        if len(pictures) > 1:
            axes.set_title(name)
    if unit is not None:
        figure.colorbar(image, ax=[*row], shrink=0.8, label=unit)
    return figure


def _sheet(images: np.ndarray, columns: int | None, scaled: bool) -> np.ndarray:
    """The images tiled; what is between them is no value of the scale, and white between colours."""
    between = 1.0 if images.ndim == 4 else np.nan
    sheet = tile(images.astype(np.float32), columns, fill=between)
    if scaled or images.ndim == 4:
        return sheet
    return sheet
