"""How well anomaly scores separate anomalous images from normal ones, and error maps anomalous pixels
from normal ones, by the names that tables print.

See `measure.detection` for the measures of images, `measure.localisation` for those of pixels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from narrows.measure import aupro, auroc, average_precision, best_f1, pixel_auroc

OF_IMAGES = ("AUROC", "average precision", "best F1", "at a threshold of")
OF_PIXELS = ("AUROC of pixels", "AUPRO")


def separation(scores: Any, anomalous: Sequence[bool]) -> dict[str, float | None]:
    """Measures of scores `(N,)`; None of all where the images are of one kind alone."""
    if all(anomalous) or not any(anomalous):
        return dict.fromkeys(OF_IMAGES)
    f1, threshold = best_f1(scores, anomalous)
    values = (auroc(scores, anomalous), average_precision(scores, anomalous), f1, threshold)
    return dict(zip(OF_IMAGES, values))


def localisation(maps: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> dict[str, float]:
    """Measures of maps `(H, W)` against their masks; none where the pixels are of one kind alone."""
    anomalous = sum(int(mask.sum()) for mask in masks)
    if not 0 < anomalous < sum(mask.size for mask in masks):
        return {}
    return dict(zip(OF_PIXELS, (pixel_auroc(maps, masks), aupro(maps, masks))))
