"""A sheet of paper measured in dots: where pictures of pixels are laid out.

An image enlarged by an integer keeps its pixels equal; enlarged by 1.09 it doubles every
eleventh row and shows structure that is not there. So pictures are placed on an axis whose unit is
one dot of the PNG, and enlarged by integers. Only an image too large for its place is made
smaller, and then averaged.
"""

from math import ceil
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.draw.style import DPI, WIDTH, blank
from narrows.errors import wrong
from narrows.layout import WHITE_LEVELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAGE = int(WIDTH * DPI)  # all in dots from here on
PAD, LETTER, LINE = 12, 10, 24  # the empty rim; the width of a letter, the height of a line


def canvas(width: float, height: float, title: str = "") -> tuple["Figure", "Axes"]:
    """A figure and its one axis, in dots from the top left; above it, at y < 0, is room for the title."""
    lines = fill(title, int((width - 2 * PAD) / (1.2 * LETTER)))
    above = ceil(1.3 * LINE * (lines.count("\n") + 1)) + PAD if title else 0
    figure = blank((above + height) / DPI, "", width / DPI)
    figure.set_layout_engine("none")  # every place is given here
    figure.suptitle(lines, y=1 - PAD / (above + height), va="top")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, -above))
    axes.set_axis_off()
    return figure, axes


def zoom(size: int, room: float) -> float:
    """By how much to enlarge `size` pixels to fill this many dots: an integer, or less than 1."""
    return max(1, room // size) if size <= room else room / size


def show(
    axes: "Axes", image: np.ndarray, left: float, top: float, times: float, **scale: Any
) -> Any:
    """Draw an image, enlarged by this factor, with its top left corner there."""
    height, width = (times * n for n in image.shape[:2])
    extent = (left, left + width, top + height, top)
    limits = axes.get_xlim(), axes.get_ylim()
    shown = axes.imshow(
        image, extent=extent, interpolation="none" if times >= 1 else "hanning", **scale
    )
    axes.set(xlim=limits[0], ylim=limits[1])
    return shown


def as_images(name: str, images: Any) -> np.ndarray:
    """`(n, H, W)`, or `(n, H, W, C)` with C of 3 or 4."""
    images = np.asarray(images)
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    fits = images.ndim == 3 or (images.ndim == 4 and images.shape[3] in (3, 4))
    wanted = "(n, H, W) or (n, H, W, C) with C of 1, 3 or 4, n at least 1"
    if not (fits and images.size > 0):
        raise wrong(f"array {name!r}", images.shape, wanted, "a single image x goes in as x[None]")
    return images


def as_unit(images: np.ndarray) -> np.ndarray:
    """Pixels as floats in [0, 1], clipped; what is not a number is black."""
    return np.clip(
        np.nan_to_num(images.astype(np.float32) / WHITE_LEVELS.get(images.dtype.name, 1)), 0, 1
    )
