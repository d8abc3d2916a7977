"""What the verbs score and evaluate do with anomalies: scores of images, and how well these, and error
maps, find what is anomalous.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from narrows.cli.options import Reading
from narrows.cli.output import give, tell
from narrows.cli.sharded_job import Job
from narrows.errors import wrong

FEW = 20  # images of a kind, below which an interval holds the true value in less than 90 of 100


class Scored(NamedTuple):
    """Scores `(N,)` of images, their names, and their classes if there are any; `data`: the images,
    unless they are pictures that were read one by one.
    """

    names: Sequence[Any]
    classes: list[str]
    scores: Any
    data: Any = None


def write_scores(scored: Scored, threshold: Any, path: Path) -> None:
    """Write the CSV of scores. threshold: a `narrows.cli.thresholds.Threshold`."""
    from narrows.files import write_csv

    flagged = scored.scores > threshold.value
    columns: dict[str, Sequence[Any]] = {"file": scored.names}
    if scored.classes:
        columns["class"] = scored.classes
    columns |= {"score": scored.scores.tolist(), "flagged": flagged.astype(int).tolist()}
    columns["percentile"] = threshold.percentiles(scored.scores)
    write_csv(path, tuple(columns), zip(*columns.values()))
    tell(f"{flagged.sum():,} of {len(flagged):,} images score above {threshold.value:.6g}")
    threshold.report()


def scores_of(model: Any, job: Job, skip: Any, kind: str | None, normal: Sequence[str]) -> Scored:
    if job.one_by_one:
        return _scores_of_pictures(model, job, skip, kind, normal)
    return _scores_of_array(model, job, skip, kind, normal)


def _scores_of_pictures(
    model: Any, job: Job, skip: Any, kind: str | None, normal: Sequence[str]
) -> Scored:
    """Picture after picture, of any size."""
    import numpy as np

    from narrows.errors import DataError
    from narrows.model.use.folders import score_pictures

    class_of = dict(zip(job.listing.names, job.listing.kinds))
    _check_normal(normal, class_of.values(), job.listing.notes)
    names, classes, scores = [], [], []
    for picture, score in score_pictures(model, job.pictures(skip, "scoring"), skip, kind):
        names.append(picture.name)
        scores.append(score)
        if class_of:
            classes.append(class_of[picture.file])
    if not names and not job.share:
        raise DataError(f"none of the images in {job.images} could be used; see above")
    return Scored(names, classes, np.array(scores, dtype=np.float32))


def _scores_of_array(
    model: Any, job: Job, skip: Any, kind: str | None, normal: Sequence[str]
) -> Scored:
    """Images of one size; those without names are numbered."""
    import numpy as np

    from narrows.data.readers.listing import class_names_of
    from narrows.model.estimator.inference import with_input_levels

    data = job.array(skip)
    classes = class_names_of(data.labels, data.classes)
    _check_normal(normal, classes, data.notes)
    scores = np.empty(0, np.float32)
    if len(data):
        model = with_input_levels(model, data.levels)
        scores = _score_function(model, data.images)(data.images, kind)
    names = data.names or range(job.first, job.first + len(data))
    return Scored(names, classes, scores, data)


def _check_normal(normal: Sequence[str], classes: Iterable[str], notes: Sequence[str]) -> None:
    """Refuse names of classes that no image has, before any image is scored. notes: of the reading,
    which may say why there are no classes.
    """
    from narrows.errors import escaped, unknown

    known = sorted(set(classes))
    if normal and not known:
        expected = "images whose classes are known: sub-folders, --labels, or a named set"
        raise wrong("--normal", normal, expected, "; ".join(notes))
    for name in normal:
        if escaped(name) not in known:
            raise unknown("class", name, known)


def _score_function(model: Any, images: Any) -> Callable[..., Any]:
    from narrows.model.use.folders import with_fixed_batches
    from narrows.model.use.tiles import fits_model, worst_tile_score

    if images.ndim == 2 or fits_model(model, images.shape[1:]):
        return with_fixed_batches(model).anomaly_score
    return partial(worst_tile_score, model)


def separation_of(scored: Scored, threshold: float, normal: Sequence[str]) -> dict[str, Any]:
    """How many images of each class score above the threshold, and how well the scores separate the
    other classes from the normal ones.
    """
    from narrows.errors import escaped
    from narrows.model.use.separation import class_rows, separation

    normal_names = {escaped(name) for name in normal}
    measures = {
        "images": len(scored.scores),
        "above the threshold": int((scored.scores > threshold).sum()),
        "threshold": threshold,
        "classes": class_rows(scored.scores, scored.classes, threshold, normal_names),
    }
    if normal:
        anomalous = [name not in normal_names for name in scored.classes]
        _note_of_kinds(anomalous)
        measures |= separation(scored.scores, anomalous)
    return measures


def _note_of_kinds(anomalous: Sequence[bool]) -> None:
    """Report what measures of both kinds lack, if there are few images of one."""
    counts = {"anomalous": sum(anomalous), "normal": len(anomalous) - sum(anomalous)}
    rare, common = sorted(counts, key=lambda kind: counts[kind])
    fewest = counts[rare]
    if not fewest:
        tell(
            f"note: all {len(anomalous):,} images are {common}; AUROC, average precision and F1 "
            f"need {rare} ones too"
        )
    elif fewest < FEW:
        verb = "image is" if fewest == 1 else "images are"
        tell(f"note: only {fewest} {verb} {rare}, so the intervals are too narrow")


def give_measures(measures: dict[str, Any], json: bool, scale: str = "") -> None:
    """Print a table of the classes and one of the measures, or both as JSON.

    scale: that measures of images were taken on.
    """
    from narrows.measure.names import measure_title
    from narrows.model.use.separation import rows_of

    if json:
        give([measures], as_json=True)
        return
    if classes := measures.get("classes"):
        give(classes)
        print()
    rows = rows_of({name: value for name, value in measures.items() if name != "classes"})
    give([row | {"measure": measure_title(row["measure"], scale)} for row in rows])


def measures_of_set(
    model: Any, data: Any, threshold: float, normal: Sequence[str], masks: Any
) -> dict[str, Any]:
    """How well the default score, and the error at each pixel, find what is anomalous in a set.

    threshold: of the default score. masks: see `data.readers.masks`; None if there are none.
    """
    import numpy as np

    from narrows.data.readers.listing import class_names_of
    from narrows.model.estimator.inference import with_input_levels
    from narrows.model.use.separation import localisation
    from narrows.model.use.tiles import error_map

    classes = class_names_of(data.labels, data.classes)
    _check_normal(normal, classes, data.notes)
    model = with_input_levels(model, data.levels)
    scores = _score_function(model, data.images)(data.images, None)
    measures = separation_of(Scored(data.names or (), classes, scores), threshold, normal)
    if not masks:
        return measures

    def pairs() -> Iterator[tuple[Any, Any]]:
        for name, image in zip(data.names, data.images):
            error = np.sqrt(error_map(model, image[None])[0])
            mask = masks.read(name, error.shape)
            if mask is not None:
                yield error, mask

    return measures | localisation(pairs())


def masks_in(listing: Any, normal: Sequence[str], reading: Reading) -> Any:
    """The masks of listed images."""
    from narrows.data.readers.masks import masks_of
    from narrows.errors import escaped

    options = reading.as_options()
    how = {name: options[name] for name in ("size", "fit") if name in options}
    masks = masks_of(listing, [escaped(name) for name in normal], **how)
    for note in masks.notes if masks else ():
        tell(f"note: {note}")
    return masks
