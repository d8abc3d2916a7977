"""Synthetic anomalies: normal images with something wrong, to choose a score without labels.

    cut-paste    a rectangle of another image, at another place (3 to 20 % of the image)
    scar         a thin line of one brightness
    blur         a soft spot out of focus
    noise        a soft spot of noise
    brightness   a soft spot, brighter or darker
    turned       the complete image by a quarter, a half or three quarters
    halves       a half from another image, mirrored

Tables have no neighbouring pixels: of these only cut-paste, a few features of another row.

A model that separates them from normal images need not find real defects, but one that does not
will hardly do so: what counts is the comparison of models on the same altered images.

References: C.-L. Li et al., "CutPaste: self-supervised learning for anomaly detection and
localization", CVPR 2021, https://arxiv.org/abs/2104.04015. I. Golan, R. El-Yaniv, "Deep anomaly
detection using geometric transformations", NeurIPS 2018, https://arxiv.org/abs/1805.10917.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Self

import numpy as np
from scipy.ndimage import gaussian_filter

Rng = np.random.Generator
SMALLEST_SIDE = 4  # pixels, below which images are altered like tables
SAMPLE = 50  # images, of which the usual brightness is measured


@dataclass(frozen=True, eq=False)
class Normal:
    """Normal images, of which pieces are taken.

    images: `(m, C, H, W)`. low, high: the 2 and 98 percentiles of their values. deviation: of these.
    """

    images: np.ndarray
    low: float
    high: float
    deviation: float

    @classmethod
    def of(cls, images: np.ndarray) -> Self:
        few = images[:SAMPLE]
        low, high = np.quantile(few, [0.02, 0.98])
        return cls(images, float(low), float(high), float(few.std()))

    def one(self, rng: Rng) -> np.ndarray:
        """An image at random."""
        return self.images[rng.integers(len(self.images))]


Alter = Callable[[np.ndarray, Normal, Rng], np.ndarray]


def synthetic_anomalies(images: np.ndarray, others: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Altered copies of images `(n, C, H, W)`, of each kind; no value is beyond those of the others,
    normal images `(m, C, H, W)` that pieces are taken from.
    """
    low, high, normal = others.min(), others.max(), Normal.of(others)
    altered = {}
    for place, (kind, alter) in enumerate(_kinds_for(images.shape).items()):
        rng = np.random.default_rng([seed, place])
        made = [alter(image, normal, rng) for image in images]
        altered[kind] = np.stack(made).astype(np.float32).clip(low, high)
    return altered


def _kinds_for(shape: tuple[int, ...]) -> dict[str, Alter]:
    if min(shape[-2:]) < SMALLEST_SIDE:
        return {"cut-paste": cut_paste}
    return KINDS


def cut_paste(image: np.ndarray, normal: Normal, rng: Rng) -> np.ndarray:
    """A rectangle of another image, from and to places at random."""
    _, height, width = image.shape
    area, ratio = rng.uniform(0.03, 0.2) * height * width, np.exp(rng.uniform(-0.7, 0.7))
    h = int(np.clip(sqrt(area * ratio), min(2, height), max(1, height - 1)))
    w = int(np.clip(sqrt(area / ratio) if height > 1 else area, min(2, width), max(1, width - 1)))
    source = normal.one(rng)
    (top, left), (y, x) = (
        (rng.integers(height - h + 1), rng.integers(width - w + 1)) for _ in "ab"
    )
    altered = image.copy()
    altered[:, y : y + h, x : x + w] = source[:, top : top + h, left : left + w]
    return altered


def scar(image: np.ndarray, normal: Normal, rng: Rng) -> np.ndarray:
    """A line a few hundredths of the side wide, as bright as some pixel of the others."""
    _, height, width = image.shape
    side, angle = min(height, width), rng.uniform(0, np.pi)
    y, x = np.mgrid[:height, :width]
    y, x = y - rng.uniform(0.2, 0.8) * height, x - rng.uniform(0.2, 0.8) * width
    across = np.abs(y * np.cos(angle) - x * np.sin(angle))
    along = np.abs(y * np.sin(angle) + x * np.cos(angle))
    thick = max(0.7, rng.uniform(0.01, 0.04) * side)
    mask = np.clip(thick + 0.5 - across, 0, 1) * (along < rng.uniform(0.15, 0.4) * side / 2 + 1)
    return image * (1 - mask) + mask * rng.uniform(normal.low, normal.high)


def blur(image: np.ndarray, normal: Normal, rng: Rng) -> np.ndarray:
    """A soft spot in which the image is blurred."""
    mask, deviation = _spot(image.shape, rng), rng.uniform(0.04, 0.1) * min(image.shape[1:])
    return image * (1 - mask) + mask * gaussian_filter(image, (0, deviation, deviation))


def noise(image: np.ndarray, normal: Normal, rng: Rng) -> np.ndarray:
    """A soft spot of noise."""
    strength = rng.uniform(0.5, 1.2) * normal.deviation
    return image + _spot(image.shape, rng) * rng.normal(0, strength, image.shape)


def brightness(image: np.ndarray, normal: Normal, rng: Rng) -> np.ndarray:
    """A soft spot that is brighter or darker."""
    change = rng.choice([-1, 1]) * rng.uniform(0.5, 1.5) * normal.deviation
    return image + _spot(image.shape, rng) * change


def turned(image: np.ndarray, normal: Normal, rng: Rng) -> np.ndarray:
    """The image turned; by a half turn if it is not square."""
    is_square = image.shape[1] == image.shape[2]
    quarters = int(rng.integers(1, 4)) if is_square else 2
    return np.rot90(image, quarters, axes=(1, 2))


def halves(image: np.ndarray, normal: Normal, rng: Rng) -> np.ndarray:
    """One half of another image, mirrored."""
    _, height, width = image.shape
    other = np.flip(normal.one(rng), axis=int(rng.integers(1, 3)))
    altered = image.copy()
    if rng.random() < 0.5:
        altered[:, : height // 2] = other[:, : height // 2]
    else:
        altered[:, :, : width // 2] = other[:, :, : width // 2]
    return altered


def _spot(shape: tuple[int, ...], rng: Rng) -> np.ndarray:
    """A bell of height 1, `(H, W)`, at a place at random."""
    _, height, width = shape
    y, x = np.mgrid[:height, :width]
    y, x = y - rng.uniform(0.2, 0.8) * height, x - rng.uniform(0.2, 0.8) * width
    return np.exp(-(y**2 + x**2) / (2 * (rng.uniform(0.08, 0.2) * min(height, width)) ** 2))


KINDS: dict[str, Alter] = {
    "cut-paste": cut_paste,
    "scar": scar,
    "blur": blur,
    "noise": noise,
    "brightness": brightness,
    "turned": turned,
    "halves": halves,
}
