"""What draws and needs no model: the look, the kinds of figures, still and live, embeddings, and
parts of pages.

style         the look of all figures, and figures as files
figures       the table of kinds of figures; to add one: a function and an entry
curves        lines over epochs or iterations
image_grid    rows of images
image_sheets  sheets of images side by side
canvas        a sheet of paper measured in dots, where images are placed
points        points in the plane or in space, by class
matrices      a matrix by colour, groups of numbers by bars
tradeoff      what quality costs, over a logarithmic axis
histogram     shares of groups in bins of one axis
overlay       an error as colour over a grey picture
fields        arrows at places in the plane, and paths along them
live          figures that a page's reader can turn, enlarge and point at (live.js, plot.min.js)
thumbnails    the small images of a live figure, as one PNG
embedding     many units laid out in two or three: t-SNE, principal components
page_parts    head, style and policy of every page, and data for its scripts
"""

from narrows.draw.embedding import principal_components, quick_tsne, tsne
from narrows.draw.figures import FIGURES, figure
from narrows.draw.live import LIVE, live, scripts
from narrows.draw.style import as_png, save

__all__ = [
    "FIGURES",
    "LIVE",
    "as_png",
    "figure",
    "live",
    "principal_components",
    "quick_tsne",
    "save",
    "scripts",
    "tsne",
]
