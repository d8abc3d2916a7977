"""Which images are flagged: thresholds of anomaly scores, for any share of false alarms.

See `narrows.measure.conformal` for what a threshold promises, and `narrows.model.calibration` for the
images that it comes from.
"""

import warnings
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from narrows.errors import NarrowsWarning, wrong
from narrows.image_batches import ImageBatches
from narrows.model.calibration import GIVEN, UNKNOWN_SOURCE, Calibration
from narrows.model.estimator.anomaly import default_score, find_score, scores_of
from narrows.model.protocol import Model


class Flagging:
    """What a model with anomaly scores flags.

    false_alarms: α, the share of normal images that may be flagged.
    """

    false_alarms: float = 0.01
    threshold_: float | None = None
    thresholds_: Mapping[str, float] = {}
    calibration_: Calibration | None = None

    def anomaly_score(self, X: Any, kind: str | None = None) -> np.ndarray:
        raise NotImplementedError

    @property
    def default_score_(self) -> str:
        """The kind of anomaly score that is meant if none is named."""
        return default_score(self._model)

    def flag(
        self, X: Any, kind: str | None = None, false_alarms: float | None = None
    ) -> np.ndarray:
        """Which images are anomalous, `(N,)` booleans: those that score above the threshold of that
        kind of score.

        false_alarms: the share of normal images that may be flagged; by default the model's own.
        Warns if the threshold does not hold it: see `narrows.model.calibration`.
        """
        scores = self.anomaly_score(X, kind)
        threshold = threshold_of(self._model, kind, false_alarms)
        if words := warning_of(self._model, kind, false_alarms):
            warnings.warn(words, NarrowsWarning, stacklevel=2)
        return scores > threshold

    def anomaly_percentile(self, X: Any, kind: str | None = None) -> np.ndarray:
        """The share of normal images that score lower, in percent, `(N,)` float64 in [0, 100).

        Among normal images that the model has not seen; raises `BuildError` if there are none.
        """
        scores, kind = self.anomaly_score(X, kind), kind or self.default_score_
        found = self.calibration_ and self.calibration_.percentile(kind, scores)
        if found is None:
            raise _without_calibration("anomaly_percentile", "calibrate(X_normal) first")
        return found

    def calibrate(self, X: Any, false_alarms: float | None = None) -> Self:
        """Set the thresholds from normal images that the model has not seen.

        false_alarms: the share of normal images that may be flagged; by default the model's own.
        """
        model: Any = self
        array, layout = model._accept(X)
        images = ImageBatches(array, layout, model.scale_)
        batches = images.inference_batches(model._widest, model.batch_size_fixed)
        scores = scores_of(model, (x[: rows.stop - rows.start] for rows, x, _ in batches))
        share = self.false_alarms if false_alarms is None else false_alarms
        self._take_calibration(Calibration.of(GIVEN, share, scores))
        return self

    def _take_calibration(self, calibration: Calibration) -> None:
        """Take over thresholds from that calibration."""
        self.calibration_ = calibration
        self.thresholds_ = calibration.thresholds()
        self.threshold_ = self.thresholds_[self.default_score_]

    @property
    def _model(self) -> Any:
        return self


def threshold_of(model: Model, kind: str | None, false_alarms: float | None = None) -> float:
    """The threshold of a kind of score for a share of false alarms; by default for the model's own.

    Raises `BuildError` if the model has none.
    """
    find_score(model, kind)  # refuses a kind that this model cannot give
    if false_alarms is not None:
        named = kind or default_score(model)
        if model.calibration_ is None or named not in model.calibration_.scores:
            raise _without_calibration("false_alarms", "calibrate(X_normal, false_alarms) first")
        return model.calibration_.thresholds(false_alarms)[named]
    threshold = model.threshold_ if kind is None else model.thresholds_.get(kind)
    if threshold is None:
        cure = f"fit it again, or compare anomaly_score(X, kind={kind!r}) with your own threshold"
        raise wrong("flag", "a model without a threshold for this score", "one that has it", cure)
    return threshold


def warning_of(model: Model, kind: str | None, false_alarms: float | None = None) -> str:
    """Why that threshold does not hold the share of false alarms, as text; empty if it does, or if
    it is the user's own.
    """
    calibration = model.calibration_
    if has_own_threshold(model, kind, false_alarms):
        return ""
    return UNKNOWN_SOURCE if calibration is None else calibration.at(false_alarms).warning()


def has_own_threshold(model: Model, kind: str | None, false_alarms: float | None = None) -> bool:
    """Whether the threshold that would be used is one that the user has set."""
    if false_alarms is not None:
        return False
    calibration, named = model.calibration_, kind or default_score(model)
    usual = calibration.thresholds() if calibration else model.thresholds_
    value = model.threshold_ if kind is None else model.thresholds_.get(kind)
    return value != usual.get(named)


def _without_calibration(what: str, cure: str) -> Exception:
    got = "a model that keeps no scores of normal images"
    return wrong(what, got, "a calibrated model", cure)
