"""The thresholds of the verbs score and evaluate: a model's own, or one from normal images that are
given.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from cyclopts import Parameter

from narrows.cli.anomalies import scores_of
from narrows.cli.output import tell
from narrows.cli.sharded_job import Job
from narrows.errors import wrong


@Parameter(name="*")
@dataclass
class FalseAlarms:
    """Above which score an image is flagged.

    Parameters
    ----------
    calibrate
        Normal images that the model has not seen, such as a folder: they give the threshold and
        the percentiles.
    false_alarms
        The share of normal images that may be flagged; by default that of the training, usually 0.01.
    """

    calibrate: str = ""
    false_alarms: float | None = None

    def as_options(self, kind: str | None) -> dict[str, Any]:
        """The given options, by name, with the kind of score.

        Raises `BuildError` for a share of false alarms that is not in (0, 1).
        """
        from narrows.measure.conformal import check_false_alarms

        given: dict[str, Any] = {"kind": kind} if kind else {}
        if self.calibrate:
            given["calibrate"] = self.calibrate
        if self.false_alarms is not None:
            given["false_alarms"] = check_false_alarms(self.false_alarms)
        return given


class Threshold(NamedTuple):
    """The score above which an image is flagged.

    kind: of score. calibration: `Calibration`, the scores of normal images; None if they are not known.
    words: where it comes from. warning: why it does not hold its share of false alarms, if so.
    """

    value: float
    kind: str
    calibration: Any
    words: str
    warning: str

    def percentiles(self, scores: Any) -> list[float | str]:
        """The percentile of each score among those of normal images; empty if these are not known."""
        found = self.calibration and self.calibration.percentile(self.kind, scores)
        return [""] * len(scores) if found is None else found.round(3).tolist()

    def report(self) -> None:
        """Print where it comes from, and the warning, if there is one."""
        if self.words and not self.warning:
            tell(f"the threshold is {self.words}")
        if self.warning:
            tell(f"note: {self.warning}")


def chosen_threshold(model: Any, job: Job, kind: str | None, limit: FalseAlarms) -> Threshold:
    """The threshold that is asked for."""
    if limit.calibrate:
        return threshold_from(limit.calibrate, model, job, kind, limit.false_alarms)
    return threshold_of(model, kind, limit.false_alarms)


def threshold_of(model: Any, kind: str | None, false_alarms: float | None = None) -> Threshold:
    """The threshold of a kind of score; None is the model's default kind."""
    from narrows.model.estimator.anomaly import find_score
    from narrows.model.estimator.flagging import has_own_threshold, warning_of

    find_score(model, kind)  # refuses a kind that this model cannot give
    named = kind or model.default_score_
    calibration = model.calibration_
    known = calibration.scores.get(named) if calibration else None
    value = model.threshold_ if kind is None else model.thresholds_.get(kind)
    if false_alarms is not None:
        value = known and calibration.thresholds(false_alarms)[named]
    if value is None:
        got = "a model that cannot say above which score an image is anomalous"
        raise wrong("score", got, "one that can", "give it normal images: --calibrate FOLDER")
    is_own = has_own_threshold(model, kind, false_alarms)
    words = "" if is_own or not calibration else calibration.at(false_alarms).words()
    return Threshold(value, named, calibration, words, warning_of(model, kind, false_alarms))


def threshold_from(
    images: str, model: Any, job: Job, kind: str | None, false_alarms: float | None
) -> Threshold:
    """The threshold from the scores of normal images: all of them, also for a share of the job."""
    from narrows.errors import DataError
    from narrows.model.calibration import GIVEN, Calibration

    normal = Job(job.verb, job.run, images, job.reading, "", job.force)
    with normal.skipping("") as skip:
        scores = scores_of(model, normal, skip, kind, ()).scores
    if not len(scores):
        raise DataError(f"none of the images in {images} could be used; see above")
    share = model.false_alarms if false_alarms is None else false_alarms
    named = kind or model.default_score_
    calibration = Calibration.of(GIVEN, share, {named: scores})
    value = calibration.thresholds()[named]
    return Threshold(value, named, calibration, calibration.words(), calibration.warning())
