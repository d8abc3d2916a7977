"""How well anomaly scores separate anomalous images from normal ones, and error maps anomalous pixels
from normal ones, by the names that tables print.

See `measure.detection` for the measures of images, `measure.localisation` for those of pixels.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from narrows.measure import auroc, average_precision, best_f1
from narrows.measure.localisation import aupro_of, auroc_of
from narrows.measure.pixel_counts import PixelCounts

OF_IMAGES = ("AUROC", "average precision", "best F1", "at a threshold of")
OF_PIXELS = ("AUROC of pixels", "AUPRO")


def separation(scores: Any, anomalous: Sequence[bool]) -> dict[str, float | None]:
    """Measures of scores `(N,)`; None of all where the images are of one kind alone."""
    if all(anomalous) or not any(anomalous):
        return dict.fromkeys(OF_IMAGES)
    f1, threshold = best_f1(scores, anomalous)
    values = (auroc(scores, anomalous), average_precision(scores, anomalous), f1, threshold)
    return dict(zip(OF_IMAGES, values))


def localisation(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """Measures of maps `(H, W)`, each with its mask; none where the pixels are of one kind alone.

    Memory does not grow with the number of maps.
    """
    counts = PixelCounts()
    for error, mask in pairs:
        counts.add(error, mask)
    if not counts.has_both_kinds:
        return {}
    return dict(zip(OF_PIXELS, (auroc_of(counts), aupro_of(counts))))
