"""The look: one style for all figures, and how they become files.

A figure is WIDTH inches wide, 936 pixels at 144 dots an inch: a page's column at its own size, and
still legible at 390 pixels on a phone. Text is DejaVu Sans, which ships with matplotlib, so that
figures are the same everywhere; a user's own matplotlib settings are neither read nor changed, and
pyplot is never touched.

    CLASSES    10 colours for classes, M. Petroff, "Accessible color sequences for data visualization", 2021,
               https://arxiv.org/abs/2107.02270. Closest two of them, CIEDE2000: 17 to normal sight,
               12 to 13 with any one of the three colour-blindnesses simulated (matplotlib's
               default: 16, and 1 to 9).
    LINES      7 colours for lines and bars, darker: M. Okabe, K. Ito, "Color universal design", 2008,
               https://jfly.uni-koeln.de/color/.
    SIGNED     a map from blue by white to red, for values about 0; UNSIGNED from dark blue to
               yellow (viridis).
"""

import io
import os
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from narrows.files import write_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, DPI = 6.5, 144  # inches; dots an inch
RUNS = 3  # zlib's name for looking for runs alone: 0.6 of the time, 1.08 of the bytes
SMALL = 7.5  # points: captions, numbers in cells
FAINT = "#767676"  # 4.5 to 1 on white, the least contrast that is easy to read
SIGNED, UNSIGNED = "RdBu_r", "viridis"
CLASSES = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6",
    "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")

LOOK: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "figure.constrained_layout.use": True,
    "figure.dpi": DPI,
    "figure.titlesize": 10.5,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.7,
    "image.interpolation": "none",
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "savefig.dpi": DPI,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}

Arrays = Mapping[str, np.ndarray]  # what a figure is drawn from, by name
Kind = TypeVar("Kind", bound=Callable[..., Any])


@contextmanager
def look() -> Iterator[None]:
    """matplotlib's own defaults with ours over them; what was set before comes back at the end."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(LOOK)
        yield


def styled(kind: Kind) -> Kind:
    """A function that draws, made to draw with the look."""

    @wraps(kind)
    def draw(*args: Any, **options: Any) -> Any:
        with look():
            return kind(*args, **options)

    return draw  # type: ignore[return-value]


def blank(height: float, title: str = "", width: float = WIDTH) -> "Figure":
    """An empty figure of `width` x `height` inches with a title."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    if title:
        figure.suptitle(verbatim(title), wrap=True)
    return figure


def verbatim(text: str) -> str:
    """A user's text as matplotlib draws it as it is: dollars do not enclose formulas."""
    return text.replace("$", r"\$")


def name_axes(axes: "Axes", **labels: str) -> None:
    """Set `xlabel`, `ylabel` and `zlabel`, each as it is."""
    axes.set(**{which: verbatim(label) for which, label in labels.items()})


def legend_columns(names: Collection[str]) -> int:
    """How many entries of a legend fit side by side under a figure."""
    longest = max(map(len, names))
    return min(len(names), max(1, 84 // (longest + 7)))


def as_png(figure: "Figure") -> bytes:
    """The figure as PNG at 144 dots an inch; the same figure gives the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    file = io.BytesIO()
    with look(), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "Glyph", UserWarning
        )  # one that the font has not is a box
        _lay_out(figure)
        quick = {"compress_type": RUNS}
        # savefig draws twice
        FigureCanvasAgg(figure).print_png(file, metadata={"Software": None}, pil_kwargs=quick)
    return file.getvalue()


def _lay_out(figure: "Figure") -> None:
    """Lay the figure out once: the layout would move a little at every drawing."""
    if layout := figure.get_layout_engine():
        layout.execute(figure)
        figure.set_layout_engine("none")


def save(figure: "Figure", path: str | os.PathLike[str]) -> Path:
    """Write the figure to `path` as PNG, whole or not at all; what was there is replaced."""
    return write_file(path, as_png(figure))
