"""How well anomaly scores separate anomalous images from normal ones, and error maps anomalous pixels
from normal ones, by the names that tables print.

See `measure.detection` for the measures of images, `measure.bootstrap` for their intervals, and
`measure.localisation` for the measures of pixels.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from narrows.measure import auroc, average_precision, best_f1, detection_intervals
from narrows.measure.localisation import aupro_of, auroc_of
from narrows.measure.pixel_counts import PixelCounts
from narrows.measure.table import show

OF_IMAGES = ("AUROC", "average precision", "best F1")
F1_THRESHOLD = "threshold of the best F1"
INTERVAL = " interval"  # behind the name of a measure
OF_PIXELS = ("AUROC of pixels", "AUPRO")
Row = dict[str, Any]


def separation(scores: Any, anomalous: Sequence[bool]) -> dict[str, Any]:
    """Measures of scores `(N,)`, each with its 95 % interval, and the threshold of the best F1; None
    of all where the images are of one kind alone.
    """
    intervals = [name + INTERVAL for name in OF_IMAGES]
    if all(anomalous) or not any(anomalous):
        return dict.fromkeys([*OF_IMAGES, F1_THRESHOLD, *intervals])
    f1, threshold = best_f1(scores, anomalous)
    values = (auroc(scores, anomalous), average_precision(scores, anomalous), f1)
    measures: dict[str, Any] = dict(zip(OF_IMAGES, values))
    measures[F1_THRESHOLD] = threshold
    ends = detection_intervals(scores, anomalous).values()
    return measures | dict(zip(intervals, map(list, ends)))


def rows_of(measures: dict[str, Any]) -> list[Row]:
    """Measures as rows of a table, with their intervals in a column; what could not be measured is
    left out."""
    rows = []
    for name, value in measures.items():
        if name.endswith(INTERVAL) or value is None:
            continue
        row = {"measure": name, "value": value}
        if ends := measures.get(name + INTERVAL):
            row["95 % interval"] = " to ".join(map(show, ends))
        rows.append(row)
    return rows


def class_rows(
    scores: np.ndarray, classes: Sequence[str], threshold: float, normal: Collection[str] = ()
) -> list[Row]:
    """Of each class: its images, how many score above the threshold, and their median.

    normal: the names of normal classes. They come first, and if there are several classes of a kind,
    a row sums them up.
    """
    rows: list[Row] = []
    of_class = dict(_by_class(scores, classes))
    for kind, is_normal in (("normal", True), ("anomalous", False)):
        group = {name: of_class[name] for name in of_class if (name in normal) is is_normal}
        if normal and len(group) > 1:
            group[f"all {kind}"] = np.concatenate([*group.values()])
        for name, values in group.items():
            row: Row = {"class": name, "kind": kind} if normal else {"class": name}
            rows.append(row | _counts(values, threshold))
    return rows


def _counts(scores: np.ndarray, threshold: float) -> Row:
    above = int((scores > threshold).sum())
    return {
        "images": len(scores),
        "above the threshold": above,
        "% above": 100 * above / len(scores),
        "median score": float(np.median(scores)),
    }


def _by_class(scores: np.ndarray, classes: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    """The scores of each class, in the order of the names."""
    names, places = np.unique(np.asarray(classes, str), return_inverse=True)
    in_order = scores[np.argsort(places, kind="stable")]
    ends = np.cumsum(np.bincount(places))
    for name, start, end in zip(names.tolist(), [0, *ends], ends):
        yield name, in_order[start:end]


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
