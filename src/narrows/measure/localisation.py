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

Both are exact up to `MOST_EXACT` pixels. Of more, scores are counted in bins (`measure.pixel_counts`),
so that memory does not grow with the images, and each area is off by at most

    ½ Σ_b n_b a_b          n_b, a_b: the share of all normal, and of all anomalous pixels in bin b

(for AUPRO a_b are weights in PRO, and the bound is divided by L).

Reference: P. Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 2021,
https://doi.org/10.1007/s11263-020-01400-4.
"""

from collections.abc import Sequence

import numpy as np

from narrows.errors import NarrowsError
from narrows.measure.pixel_counts import MOST_EXACT, PixelCounts

LIMIT = 0.3  # of the false positive rate

Maps = Sequence[np.ndarray] | np.ndarray


def pixel_auroc(maps: Maps, masks: Maps) -> float:
    """The area under the ROC curve of all pixels, in [0, 1].

    maps, masks: of each image, `(H, W)`; images may have several sizes. There must be pixels of both
    kinds.
    """
    return auroc_of(_counts("pixel_auroc", maps, masks))


def aupro(maps: Maps, masks: Maps, limit: float = LIMIT) -> float:
    """The area under the per-region overlap up to a false positive rate of `limit`, over `limit`, in
    [0, 1]. Arguments as of `pixel_auroc`.
    """
    if not 0 < limit <= 1:
        raise NarrowsError(f"aupro: got a limit of {limit}, expected one above 0, at most 1")
    return aupro_of(_counts("aupro", maps, masks), limit)


def auroc_of(counts: PixelCounts) -> float:
    """The area under the ROC curve of pixels that were counted."""
    curve = counts.curve()
    return float(np.trapezoid(curve.found, curve.false_positives))


def aupro_of(counts: PixelCounts, limit: float = LIMIT) -> float:
    """The area under the per-region overlap of pixels that were counted, over `limit`."""
    curve = counts.curve()
    inside = curve.false_positives < limit
    x = np.append(curve.false_positives[inside], limit)
    end = np.interp(limit, curve.false_positives, curve.overlap)
    return float(np.trapezoid(np.append(curve.overlap[inside], end), x) / limit)


def _counts(what: str, maps: Maps, masks: Maps) -> PixelCounts:
    """The pixels of all maps. Refuses what cannot be measured: `NarrowsError`."""
    if len(maps) != len(masks) or not len(maps):
        raise NarrowsError(f"{what}: got {len(maps)} maps and {len(masks)} masks")
    counts = PixelCounts(MOST_EXACT)
    for scores, mask in zip(maps, masks):
        if np.shape(scores) != np.shape(mask) or len(np.shape(mask)) != 2:
            raise NarrowsError(
                f"{what}: a map and its mask must both be (H, W); got shapes {np.shape(scores)} and "
                f"{np.shape(mask)}"
            )
        if np.isnan(scores).any():
            raise NarrowsError(f"{what}: some scores are NaN; they have no rank")
        counts.add(np.asarray(scores), np.asarray(mask, bool))
    if not counts.has_both_kinds:
        raise NarrowsError(
            f"{what}: all pixels are of one kind, expected anomalous and normal ones"
        )
    return counts
