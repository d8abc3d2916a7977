"""How well maps of anomaly, one number a pixel, find anomalous regions.

With masks, true where a pixel is anomalous, over all pixels of all images, and a threshold t:

    FPR(t)     the share of normal pixels whose score is t or more
    TPR(t)     the share of anomalous pixels whose score is t or more
    PRO(t)     the same share within each connected region (8 neighbours), averaged over the regions

The area under TPR over FPR is the AUROC of pixels (see `detection`). It is led by large regions, since
these have most of the pixels; in the per-region overlap a scratch counts as much as a large stain:

    AUPRO = 1/L ∫₀ᴸ PRO d FPR,   L = 0.3

with straight lines between the thresholds. Above L so much is flagged that no region is found any more,
only covered. 1 is perfect; of a score that says nothing, PRO = FPR, so its AUPRO is L / 2 = 0.15.

Reference: P. Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 2021,
https://doi.org/10.1007/s11263-020-01400-4.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from narrows.errors import NarrowsError
from narrows.measure.detection import auroc

LIMIT = 0.3  # of the false positive rate
NEIGHBOURS = np.ones((3, 3), int)  # of a pixel of a region: all eight

Maps = Sequence[np.ndarray] | np.ndarray


class Pixels(NamedTuple):
    """All pixels of some images: scores; which are anomalous; and the share of each in PRO, 1 over
    the size of its region and the number of regions, 0 for normal ones.
    """

    scores: np.ndarray
    anomalous: np.ndarray
    weight: np.ndarray


def pixel_auroc(maps: Maps, masks: Maps) -> float:
    """The area under the ROC curve of all pixels, in [0, 1].

    maps, masks: of each image, `(H, W)`; images may have several sizes. There must be pixels of both
    kinds.
    """
    _check("pixel_auroc", maps, masks)
    anomalous = np.concatenate([np.asarray(mask, bool).ravel() for mask in masks])
    return auroc(_flat(maps), anomalous)


def aupro(maps: Maps, masks: Maps, limit: float = LIMIT) -> float:
    """The area under the per-region overlap up to a false positive rate of `limit`, over `limit`, in
    [0, 1]. Arguments as of `pixel_auroc`.
    """
    _check("aupro", maps, masks)
    if not 0 < limit <= 1:
        raise NarrowsError(f"aupro: got a limit of {limit}, expected one above 0, at most 1")
    false_positives, overlap = _curve(_pixels(maps, masks))
    inside = false_positives < limit
    x = np.append(false_positives[inside], limit)
    y = np.append(overlap[inside], np.interp(limit, false_positives, overlap))
    return float(np.trapezoid(y, x) / limit)


def _curve(pixels: Pixels) -> tuple[np.ndarray, np.ndarray]:
    """The false positive rate and the overlap at all thresholds, highest first, from (0, 0) on."""
    order = np.argsort(-pixels.scores, kind="stable")
    scores = pixels.scores[order]
    normal = ~pixels.anomalous[order]
    last = np.append(scores[1:] != scores[:-1], True)  # pixels of one score are flagged at once
    false_positives = (np.cumsum(normal) / normal.sum())[last]
    overlap = np.cumsum(pixels.weight[order])[last]
    return np.append(0, false_positives), np.append(0, overlap.clip(max=1))


def _pixels(maps: Maps, masks: Maps) -> Pixels:
    from scipy import ndimage  # here, because it is slow to import

    weights, count = [], 0
    for mask in masks:
        labelled: Any = ndimage.label(np.asarray(mask, bool), NEIGHBOURS)
        regions, found = labelled
        sizes = np.bincount(regions.ravel())
        weights.append(np.where(regions, 1 / sizes[regions], 0).ravel())
        count += found
    weight = np.concatenate(weights) / count
    return Pixels(_flat(maps), weight > 0, weight)


def _flat(maps: Maps) -> np.ndarray:
    return np.concatenate([np.asarray(scores).ravel() for scores in maps])


def _check(what: str, maps: Maps, masks: Maps) -> None:
    """Refuse maps that cannot be measured: `NarrowsError`."""
    shapes = [(np.shape(scores), np.shape(mask)) for scores, mask in zip(maps, masks)]
    if len(maps) != len(masks) or not shapes:
        raise NarrowsError(f"{what}: got {len(maps)} maps and {len(masks)} masks")
    for scores, mask in shapes:
        if scores != mask or len(mask) != 2:
            raise NarrowsError(
                f"{what}: a map and its mask must both be (H, W); got shapes {scores} and {mask}"
            )
    if any(np.isnan(scores).any() for scores in maps):
        raise NarrowsError(f"{what}: some scores are NaN; they have no rank")
    kinds = {bool(kind) for mask in masks for kind in np.unique(np.asarray(mask, bool))}
    if len(kinds) < 2:
        raise NarrowsError(
            f"{what}: all pixels are of one kind, expected anomalous and normal ones"
        )
