"""Where an error is, as colour over a grey picture.

With g the grey of a pixel on [0, 1], e its error and s the error of full colour:

    t = min(e / s, 1)                          the place on the colour map
    a = min(t / OPAQUE, 1)                     its opacity
    pixel = (1 - a) (0.1 + 0.7 g) + a colour(t)

The picture keeps 0.7 of its contrast, so that colours differ from its black and its white. No error
leaves the grey picture; from half of s on, equal errors have equal colours whatever the picture. An error
that is not finite has full colour.

The colours are those of inferno from dark purple to yellow, in which equal steps of t look equally
large, also to colour-blind eyes and in print: its lightness rises throughout.

Reference: S. van der Walt, N. Smith, "mpl colormaps", 2015, https://bids.github.io/colormap/.
"""

from typing import TYPE_CHECKING

import numpy as np

from narrows.draw.style import blank, name_axes, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS, FIRST, LAST = "inferno", 0.3, 0.95  # a colour map, and the part of it that is used
OPAQUE = 0.5  # of the scale: the least error that hides the picture
BLACK, WHITE = 0.1, 0.8  # of a picture, below the colours
STEPS = 256  # of the colours


def overlay(grey: np.ndarray, error: np.ndarray, scale: float) -> np.ndarray:
    """The picture with its error over it, uint8 `(H, W, 3)`.

    grey: `(H, W)` on [0, 1]. error: `(H, W)`, from 0 on. scale: the error of full colour, above 0.
    """
    place = np.nan_to_num(error / np.float64(scale), nan=1).clip(0, 1)[..., None]
    opacity = (place / OPAQUE).clip(max=1)
    picture = BLACK + (WHITE - BLACK) * np.nan_to_num(grey).clip(0, 1)[..., None]
    colour = _colours()[np.rint((STEPS - 1) * place[..., 0]).astype(int)]
    return np.rint(255 * ((1 - opacity) * picture + opacity * colour)).astype(np.uint8)


def _colours() -> np.ndarray:
    """Red, green and blue on [0, 1] of each step."""
    import matplotlib

    return matplotlib.colormaps[COLOURS](np.linspace(FIRST, LAST, STEPS))[:, :3]


@styled
def colour_bar(scale: float, title: str, xlabel: str) -> "Figure":
    """What the colours of overlays mean, over a picture of medium grey."""
    figure = blank(1.3, title)
    draw_bar(figure.add_subplot(), scale, xlabel)
    return figure


def draw_bar(axes: "Axes", scale: float, xlabel: str) -> None:
    """Fill the axes with the colours of errors from 0 to the scale."""
    errors = np.linspace(0, scale, 2 * STEPS)[None]
    bar = overlay(np.full(errors.shape, 0.5), errors, scale)
    axes.imshow(bar, extent=(0, scale, 0, 1), aspect="auto")
    axes.set(yticks=[])
    name_axes(axes, xlabel=xlabel)
    axes.grid(False)
