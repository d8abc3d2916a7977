"""The members of a detector: models of normal images, each with one of its scores.

    neighbours-each    distance to the nearest images, whatever their brightness and contrast
    neighbours-unit    the same of images as they are
    components-S       error of principal components that explain S % of the variance, divided by its
                       usual size, in the worst window; brightness and contrast apart

Networks are in `networks`. Of tables, `neighbours-standard` and `components-S`, on standardised features.
"""

from collections.abc import Collection
from copy import copy
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.layout import Layout
from narrows.model.estimator.anomaly import find_score
from narrows.model.estimator.base import ImageModel
from narrows.model.estimator.neighbours import Neighbours
from narrows.model.estimator.pca import PCA
from narrows.model.outputs import Outputs
from narrows.randomness import keyed_generator

SHARES = (0.95, 0.9, 0.8)  # of the variance
MOST_IMAGES = 2000  # that components are fitted to, if images have more than `NARROW` values
NARROW = 1024
MOST_VALUES = 40_000_000  # of the images that they are fitted to


@dataclass(frozen=True)
class Member:
    """A fitted model, and the kind of its score."""

    model: ImageModel
    kind: str

    @property
    def has_own_score(self) -> bool:
        """Whether its score is one that its model alone has: of no error."""
        return self.kind in self.model.own_scores_

    def working(self, unit: Tensor) -> Tensor:
        """Images in units of white on the model's working scale."""
        return self.model.scale_.of(unit).work(unit)

    def outputs(self, unit: Tensor) -> Outputs:
        """What the model makes of images in units of white."""
        return self.model._outputs(self.working(unit))

    def score_of(self, outputs: Outputs) -> Tensor:
        """The score of images of which these are the outputs, `(n,)`."""
        return find_score(self.model, self.kind).compute(outputs)

    def score(self, unit: Tensor) -> Tensor:
        """The score of these images, `(n,)`."""
        return self.model._score(self.working(unit), self.kind)


Members = dict[str, Member]


@dataclass(frozen=True)
class Setting:
    """What all members have in common.

    layout: of the images. scales: the working scales that neighbours are compared on; components
    use the first. image_shape: as the detector was given it.
    """

    layout: Layout
    scales: tuple[str, ...]
    image_shape: tuple[int, ...] | None
    seed: int

    def options(self, scale: str) -> dict[str, Any]:
        """The options of a member's constructor."""
        return {
            "scale": scale,
            "levels": tuple(self.layout.levels),
            "image_shape": self.image_shape,
            "random_state": self.seed,
        }


def fit_members(
    images: np.ndarray, setting: Setting, names: Collection[str] | None = None
) -> Members:
    """Neighbours, and components, fitted to images as they are given, `(N, ...)`: of all sizes, or
    those of these names.
    """
    members = _fit_neighbours(images, setting)
    shares = [share for share in SHARES if names is None or components_name(share) in names]
    if len(shares) == 1:
        return {**members, components_name(shares[0]): _fit_components(images, setting, shares[0])}
    return {**members, **_fit_all_components(images, setting)}


def _fit_neighbours(images: np.ndarray, setting: Setting) -> Members:
    """Nearest neighbours on each scale."""
    models = {scale: Neighbours(**setting.options(scale)) for scale in setting.scales}
    return {
        f"neighbours-{scale}": Member(model.fit_member(images), "neighbours")
        for scale, model in models.items()
    }


def _fit_all_components(images: np.ndarray, setting: Setting) -> Members:
    """Principal components on the first scale, as many as explain each of the shares: of one
    decomposition.
    """
    most = _fit_components(images, setting, SHARES[0])
    return {
        components_name(share): replace(most, model=_explaining(most.model, share))
        for share in SHARES
    }


def _fit_components(images: np.ndarray, setting: Setting, share: float) -> Member:
    options = setting.options(setting.scales[0])
    few = images[:: -(-len(images) // most_for_components(setting))]  # a set may be sorted
    kind = "error" if setting.layout.is_table else "relative"
    return Member(PCA(share, calibration=0, **options).fit_member(few), kind)


def components_name(share: float) -> str:
    """The name of the member with components that explain this share of the variance."""
    return f"components-{100 * share:.0f}"


def is_components(name: str) -> bool:
    """Whether that member is of principal components."""
    return name.startswith("components")


def most_for_components(setting: Setting) -> int:
    """How many images components are fitted to at most."""
    values = prod(setting.layout.image)
    most = MOST_IMAGES if values > NARROW else MOST_VALUES
    return max(1, min(most, MOST_VALUES // values))


def _explaining(model: Any, share: float) -> PCA:
    """The first components of a model that explains `SHARES[0]`, as many as explain this share."""
    variances = model.explained_variance_
    total = variances.sum(dtype=np.float64) / SHARES[0]
    before = np.cumsum(variances, dtype=np.float64) < share * total
    size = min(1 + int(np.count_nonzero(before)), len(variances))
    part = copy(model)
    part.n_components, part.code_size_, part.density_ = share, size, None
    part.components_, part.explained_variance_ = model.components_[:size], variances[:size]
    return part


def at_most(array: np.ndarray, most: int, seed: int) -> np.ndarray:
    """At most `most` of the images, chosen at random, in order."""
    if len(array) <= most:
        return array
    order = torch.randperm(len(array), generator=keyed_generator(seed, "detector"))
    return array[order[:most].sort().values.numpy()]
