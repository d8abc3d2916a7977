"""Images with their anomaly scores: which are shown, and what is known of them.

The images may be the test images of a run, or new ones (`narrows score --report`). A class is either
normal or anomalous; without the names of the normal ones nothing is said about it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from narrows.data.readers.picture_stream import Picture
from narrows.errors import escaped, several
from narrows.measure import auroc
from narrows.measure.conformal import LARGEST, NormalScores
from narrows.model.calibration import SOURCES, Calibration
from narrows.model.estimator.base import ImageModel

NAMED = 4  # classes of a group
LONGEST = 24  # letters of the name of an image
Pictures = Callable[[Sequence[int]], Iterable[Picture]]  # places → these images, named by place


@dataclass(frozen=True, eq=False)
class ScoredImages:
    """Images, scored by a model.

    what: they are, in words. kind, scores `(N,)`, threshold: of the score. calibration: normal images
        whose scores are known. names, classes: of each image; no classes if they are not known.
    normal: the normal classes. pictures: reads images by their places; None if they cannot be seen.
    """

    what: str
    model: ImageModel
    kind: str
    scores: np.ndarray
    threshold: float
    calibration: Calibration | None
    names: Sequence[Any]
    classes: Sequence[str] = ()
    normal: frozenset[str] = field(default_factory=frozenset)
    pictures: Pictures | None = None

    @property
    def _ascending(self) -> np.ndarray:
        """Places, from the lowest score to the highest; one that is not finite is the highest."""
        return np.argsort(np.nan_to_num(self.scores, nan=np.inf), kind="stable")

    def highest(self, count: int) -> list[int]:
        """The places of the highest scores, the highest first."""
        return self._ascending[::-1][:count].tolist()

    def nearest(self, count: int) -> list[int]:
        """The places of the scores that are nearest to the threshold, ascending: half of them on each
        side, and more on one if there are too few on the other.
        """
        order = self._ascending
        below = int((~self.flagged).sum())
        first = max(0, min(below - count // 2, len(order) - count))
        return order[first : first + count].tolist()

    @property
    def flagged(self) -> np.ndarray:
        """Which score above the threshold, `(N,)`; NaN does."""
        return ~(self.scores <= self.threshold)

    @property
    def percentiles(self) -> np.ndarray | None:
        """Among normal images that the model has not seen; None without these."""
        return self.calibration and self.calibration.percentile(self.kind, self.scores)

    @property
    def normal_scores(self) -> NormalScores | None:
        return self.calibration and self.calibration.scores.get(self.kind)

    @property
    def normal_in_words(self) -> str:
        """What the normal images are, whose scores are known."""
        assert self.calibration is not None
        return SOURCES[self.calibration.source]

    @property
    def is_normal(self) -> np.ndarray | None:
        """Which images are normal, `(N,)`; None unless there are images of both kinds."""
        if not self.normal or not len(self.classes):
            return None
        normal = np.array([name in self.normal for name in self.classes])
        return None if normal.all() or not normal.any() else normal

    @property
    def auroc(self) -> float | None:
        """How well the score separates both kinds."""
        normal = self.is_normal
        finite = np.nan_to_num(self.scores, nan=LARGEST)
        return None if normal is None else float(auroc(finite, ~normal))

    def groups(self) -> Iterator[tuple[str, np.ndarray]]:
        """The scores of all, or of normal and anomalous images, each group with what it is."""
        normal = self.is_normal
        if normal is None:
            yield self.what, self.scores
            return
        for kind, rows in (("normal", normal), ("anomalous", ~normal)):
            names = sorted({name for name, chosen in zip(self.classes, rows) if chosen})
            yield f"{self.what}, {kind} ({several(names, NAMED)})", self.scores[rows]

    def describe(self, place: int) -> list[str]:
        """An image in a few lines: score, percentile, name, class."""
        mark = ", flagged" if self.flagged[place] else ""
        lines = [f"{self.scores[place]:.4g}{mark}"]
        if (percentiles := self.percentiles) is not None:
            lines.append(f"percentile {percentiles[place]:.4g}")
        name = self.names[place]
        name = escaped(name) if isinstance(name, str) else f"image {name}"
        lines.append(name if len(name) <= LONGEST else f"…{name[1 - LONGEST :]}")
        if len(self.classes) and self.classes[place] not in name.split("/"):
            lines.append(f"class {self.classes[place]}")
        return lines
