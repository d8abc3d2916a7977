"""How well anomaly scores separate anomalous images from normal ones, by the names that tables print.

See `measure.detection` for the measures of images.
"""

from collections.abc import Sequence
from typing import Any

from narrows.measure import auroc, average_precision, best_f1

OF_IMAGES = ("AUROC", "average precision", "best F1", "at a threshold of")


def separation(scores: Any, anomalous: Sequence[bool]) -> dict[str, float | None]:
    """Measures of scores `(N,)`; None of all where the images are of one kind alone."""
    if all(anomalous) or not any(anomalous):
        return dict.fromkeys(OF_IMAGES)
    f1, threshold = best_f1(scores, anomalous)
    values = (auroc(scores, anomalous), average_precision(scores, anomalous), f1, threshold)
    return dict(zip(OF_IMAGES, values))
