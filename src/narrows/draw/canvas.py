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

from narrows.draw.style import DPI, WIDTH, blank, verbatim
from narrows.errors import wrong
from narrows.levels import unit_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAGE = int(WIDTH * DPI)  # all in dots from here on
PAD, LETTER, LINE = 12, 10, 24  # the empty rim; the width of a letter, the height of a line
GAP = 6  # between images
GREY = {"cmap": "gray", "vmin": 0, "vmax": 1}  # the scale of pixels


def canvas(width: float, height: float, title: str = "") -> tuple["Figure", "Axes"]:
    """A figure and its one axis, in dots from the top left; above it, at y < 0, is room for the title."""
    lines, above = _title(title, width)
    total = above + height
    figure = blank(total / DPI, "", width / DPI)
    figure.set_layout_engine("none")  # every place is given here
    figure.suptitle(verbatim(lines), y=1 - PAD / total, va="top")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, -above))
    axes.set_axis_off()
    return figure, axes


def _title(title: str, width: float) -> tuple[str, int]:
    """The title in lines that fit the width, and the height that they need."""
    if not title:
        return "", 0
    letters = int((width - 2 * PAD) / (1.2 * LETTER))
    lines = fill(title, letters)
    count = lines.count("\n") + 1
    return lines, ceil(1.3 * LINE * count) + PAD


def zoom(size: int, room: float) -> float:
    """By how much to enlarge `size` pixels to fill this many dots: an integer, or less than 1."""
    return max(1, room // size) if size <= room else room / size


def show(
    axes: "Axes", image: np.ndarray, left: float, top: float, times: float, **scale: Any
) -> Any:
    """Draw an image, enlarged by this factor, with its top left corner there."""
    height, width = image.shape[:2]
    extent = (left, left + times * width, top + times * height, top)
    xlim, ylim = axes.get_xlim(), axes.get_ylim()
    shown = axes.imshow(image, extent=extent, interpolation=_interpolation(times), **scale)
    axes.set(xlim=xlim, ylim=ylim)
    return shown


def _interpolation(times: float) -> str:
    """None for an enlarged image; an image that is made smaller is averaged."""
    if times >= 1:
        return "none"
    return "hanning"


def as_images(name: str, images: Any) -> np.ndarray:
    """`(n, H, W)`, or `(n, H, W, C)` with C of 3 or 4."""
    images = np.asarray(images)
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if not (_has_images(images.shape) and images.size > 0):
        expected = "(n, H, W) or (n, H, W, C) with C of 1, 3 or 4, n at least 1"
        raise wrong(
            f"array {name!r}", images.shape, expected, "a single image x goes in as x[None]"
        )
    return images


def _has_images(shape: tuple[int, ...]) -> bool:
    """Whether an array of this shape holds grey images or images in colour."""
    if len(shape) == 4:
        return shape[3] in (3, 4)
    return len(shape) == 3


def as_unit(images: np.ndarray) -> np.ndarray:
    """Pixels as floats in [0, 1], clipped; what is not a number is black."""
    return np.clip(np.nan_to_num(unit_values(images)), 0, 1)
