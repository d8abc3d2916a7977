"""The calibration of a model: scores of normal images, from which thresholds follow.

A model scores the images that it was fitted on lower than others. So thresholds come from images
that it has not seen (`narrows.measure.conformal`):

    held out    a part of the training images, or the validation images. The best epoch is chosen
                by the latter, which makes them slightly optimistic
    folds       each training image, by a model that was fitted on the others
    given       the user's own normal images, `model.calibrate(X)`
    training    the training images themselves, where none were held out: more than the share of
                false alarms will be flagged, which a warning says
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from narrows.measure.conformal import NormalScores, check_false_alarms, scores_needed

HELD_OUT, FOLDS, GIVEN, TRAINING = "held out", "folds", "given", "training"
SOURCES = {
    HELD_OUT: "images that were held out of the training",
    FOLDS: "training images, each by a model that was fitted on others",
    GIVEN: "normal images that were given",
    TRAINING: "the training images themselves",
}
CURE = (
    "calibrate it with normal images that it has not seen: model.calibrate(X), or "
    "narrows score RUN IMAGES --calibrate FOLDER"
)


@dataclass(frozen=True)
class Calibration:
    """source: of `SOURCES`. false_alarms: α of the model's thresholds. scores: of each kind."""

    source: str
    false_alarms: float
    scores: Mapping[str, NormalScores]

    @classmethod
    def of(cls, source: str, false_alarms: float, scores: Mapping[str, Any]) -> Self:
        """From the scores of images `(n,)`, of each kind."""
        share = check_false_alarms(false_alarms)
        normal = {kind: NormalScores.of(values) for kind, values in scores.items()}
        return cls(source, share, normal)

    @property
    def count(self) -> int:
        """How many images were scored."""
        return max((normal.count for normal in self.scores.values()), default=0)

    @property
    def is_unseen(self) -> bool:
        """Whether the model was not fitted on the images that were scored."""
        return self.source != TRAINING

    def thresholds(self, false_alarms: float | None = None) -> dict[str, float]:
        """The threshold of each kind of score; by default for the α of the model."""
        share = self.false_alarms if false_alarms is None else check_false_alarms(false_alarms)
        return {kind: normal.threshold(share) for kind, normal in self.scores.items()}

    def percentile(self, kind: str, scores: np.ndarray) -> np.ndarray | None:
        """Percentiles of scores among those of images that the model has not seen, else None."""
        if not self.is_unseen or kind not in self.scores:
            return None
        return self.scores[kind].percentile(scores)

    def at(self, false_alarms: float | None) -> Self:
        """The same scores for another α."""
        if false_alarms is None:
            return self
        return replace(self, false_alarms=check_false_alarms(false_alarms))

    def words(self) -> str:
        """Where the thresholds come from, as text."""
        return (
            f"for {self.false_alarms:.3g} false alarms, from the scores of {self.count:,} "
            f"{SOURCES[self.source]}"
        )

    def warning(self) -> str:
        """Why the share of false alarms is not held, as text; empty if it is."""
        share, count = self.false_alarms, self.count
        if not self.is_unseen:
            return (
                f"the threshold is from the scores of the {count:,} training images themselves, so "
                f"more normal images than {share:.3g} of them will be flagged; {CURE}"
            )
        if count < scores_needed(share):
            return (
                f"{count:,} images are too few for a share of {share:.3g} false alarms, which takes "
                f"{scores_needed(share):,} that the model has not seen: the threshold is the highest "
                f"of their scores, and about 1 of {count + 1:,} normal images will be flagged"
            )
        return ""


UNKNOWN_SOURCE = (
    "this model's file does not say how its threshold was computed; earlier versions took the training "
    f"images themselves, so that more than 1 of 100 normal images are flagged; {CURE}"
)
