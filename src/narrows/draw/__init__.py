"""Figures from arrays: what needs no model. The look, the kinds of figures, still and live, and embeddings."""

from narrows.draw.embedding import quick_tsne, tsne
from narrows.draw.figures import FIGURES, figure
from narrows.draw.live import LIVE, live, scripts
from narrows.draw.style import as_png, save

__all__ = ["FIGURES", "LIVE", "as_png", "figure", "live", "quick_tsne", "save", "scripts", "tsne"]
