"""Figures from arrays: what needs no model. The look, the kinds of figures, and embeddings."""

from narrows.draw.embed import tsne
from narrows.draw.figures import FIGURES, figure
from narrows.draw.look import as_png, save

__all__ = ["FIGURES", "as_png", "figure", "save", "tsne"]
