"""Statistics of codes: which units carry something, which are dead, which say the same.

Codes are arrays `(N, size)`, one row an image (a feature map `(N, ...)` is flattened). With z_ij
the value of unit j for image i:

    active      |z_ij| > threshold; a unit is *dead* when it is active for no image of the set
    constant    its standard deviation over the images is (almost) 0: it may be large and yet say nothing
    correlation ρ_jk = Σᵢ (z_ij - z̄_j)(z_ik - z̄_k) / (N s_j s_k); 0 with a constant unit, 1 on the
                diagonal
    KL          of a Gaussian posterior N(m, v) from the prior N(0, 1), averaged over the images:
                KL_j = 1/N Σᵢ ½ (m_ij² + v_ij - 1 - log v_ij)   nats; a unit near 0 has *collapsed*
    spread      of a class c with centre z̄_c: r_c = √(1/N_c Σ_{i in c} ‖z_i - z̄_c‖²)

Reference for collapsed units: J. Lucas et al., "Understanding posterior collapse in generative
latent variable models", ICLR 2019 workshop, https://openreview.net/forum?id=r1xaVLUYuE.
"""

from typing import Any, Self

import numpy as np

from narrows.errors import NarrowsError
from narrows.tensors import without_tensors

THRESHOLD = 1e-6


class CodeStatistics:
    """What is known of each unit from codes that come a batch at a time, so that they need not stay
    in memory.

    >>> units = Units().add(codes).add(others)
    >>> units.mean, units.variance, units.dead, units.constant     # (size,) each
    >>> units.rms, units.active                                    # one number each

    threshold: an active value is larger; a constant unit's standard deviation is smaller, see
    `constant_units`.
    """

    def __init__(self, threshold: float = THRESHOLD):
        self.threshold, self.count, self.active = threshold, 0, 0.0
        self.mean = self.variance = self.largest = np.zeros(1)

    def add(self, codes: Any) -> Self:
        """Count these in. Means and variances are joined as T. Chan, G. Golub, R. LeVeque (1979) do."""
        z = _table(codes)
        self.count += len(z)
        part = len(z) / self.count
        self._join_moments(z, part)
        size = np.abs(z)
        self.largest = np.maximum(self.largest, size.max(axis=0))
        active = float((size > self.threshold).sum(axis=1).mean())
        self.active += part * (active - self.active)
        return self

    def _join_moments(self, z: np.ndarray, part: float) -> None:
        """Join means and variances with those of z, which is this part of all codes."""
        mean, variance = z.mean(axis=0, dtype=np.float64), z.var(axis=0, dtype=np.float64)
        step = mean - self.mean
        between = part * (1 - part) * step**2
        self.variance = (1 - part) * self.variance + part * variance + between
        self.mean = self.mean + part * step

    @property
    def rms(self) -> float:
        """The root mean square of all values."""
        return float(np.sqrt((self.variance + self.mean**2).mean()))

    @property
    def dead(self) -> np.ndarray:
        return self.largest <= self.threshold

    @property
    def constant(self) -> np.ndarray:
        return np.sqrt(self.variance) <= self.threshold * np.maximum(1, np.abs(self.mean))


def active_units(codes: Any, threshold: float = THRESHOLD) -> np.ndarray:
    """How many units are active in each image's code, |z| > threshold: `(N,)` integers from 0 to size."""
    return (np.abs(_table(codes)) > threshold).sum(axis=1)


def dead_units(codes: Any, threshold: float = THRESHOLD) -> np.ndarray:
    """Which units are active for no image of the set: `(size,)` booleans."""
    return CodeStatistics(threshold).add(codes).dead


def constant_units(codes: Any, threshold: float = THRESHOLD) -> np.ndarray:
    """Which units say nothing, standard deviation <= threshold · max(1, |mean|): `(size,)` booleans."""
    return CodeStatistics(threshold).add(codes).constant


def correlation(codes: Any) -> np.ndarray:
    """Pearson's correlation between the units over the images: `(size, size)`, in [-1, 1], without
    NaN.

    A constant unit correlates with nothing: 0 with the others, 1 with itself.
    """
    z = _table(codes).astype(np.float64)
    constant = constant_units(z)
    z -= z.mean(axis=0)
    length = np.where(constant, 1.0, np.linalg.norm(z, axis=0))
    z *= ~constant / length
    rho = np.clip(z.T @ z, -1, 1)
    np.fill_diagonal(rho, 1)
    return rho


def kl_per_unit(mean: Any, log_variance: Any) -> np.ndarray:
    """KL divergence of N(mean, variance) from N(0, 1), in nats, averaged over the images:
    `(size,)`, >= 0.

    mean, log_variance: `(N, size)` each; natural logarithm of the variance.
    """
    m, log_v = _table(mean).astype(np.float64), _table(log_variance).astype(np.float64)
    if m.shape != log_v.shape:
        raise NarrowsError(
            f"kl_per_unit: mean and log_variance must have one shape; got {m.shape} and {log_v.shape}"
        )
    return (0.5 * (m**2 + np.exp(log_v) - 1 - log_v)).mean(axis=0)


def collapsed_units(mean: Any, log_variance: Any, threshold: float = 0.01) -> np.ndarray:
    """Which units of a variational code carry less than `threshold` nats an image: `(size,)` booleans."""
    return kl_per_unit(mean, log_variance) < threshold


def spread(codes: Any, labels: Any) -> dict[Any, float]:
    """Root-mean-square distance of each class's codes from the class's centre, in units of the
    code.

    labels: `(N,)`. Returns {label: radius}, labels in order.
    """
    z, labels = _table(codes), np.asarray(labels)
    if labels.shape != (len(z),):
        raise NarrowsError(
            f"spread: got {len(z)} codes and labels of shape {labels.shape}, expected one label a code"
        )
    radii = {}
    for label in np.unique(labels):
        radii[label.item()] = _radius(z[labels == label].astype(np.float64))
    return radii


def _radius(z: np.ndarray) -> float:
    return float(np.sqrt(((z - z.mean(axis=0)) ** 2).sum(axis=1).mean()))


def _table(codes: Any) -> np.ndarray:
    z = np.asarray(without_tensors(codes))
    if z.ndim < 2 or len(z) == 0:
        raise NarrowsError(
            f"codes: got shape {z.shape}, expected (N, size) with at least 1 image; one code z is z[None]"
        )
    return z.reshape(len(z), -1)
