"""What the verbs score and evaluate do with anomalies: scores of images, error maps, and how well both
find what is anomalous.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

from narrows.cli.options import Reading
from narrows.cli.output import tell
from narrows.cli.sharded_job import Job
from narrows.errors import wrong


class Scored(NamedTuple):
    """Scores `(N,)` of images, their names, and their classes if there are any."""

    names: Sequence[Any]
    classes: list[str]
    scores: Any


def write_scores(scored: Scored, threshold: float, path: Path) -> None:
    from narrows.files import write_csv

    flagged = scored.scores > threshold
    columns: dict[str, Sequence[Any]] = {"file": scored.names}
    if scored.classes:
        columns["class"] = scored.classes
    columns |= {"score": scored.scores.tolist(), "flagged": flagged.astype(int).tolist()}
    write_csv(path, tuple(columns), zip(*columns.values()))
    tell(f"{flagged.sum():,} of {len(flagged):,} images score above {threshold:.6g}")


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
    names, scores = [], []
    for picture, score in score_pictures(model, job.pictures(skip, "scoring"), skip, kind):
        names.append(picture.name)
        scores.append(score)
    if not names and not job.share:
        raise DataError(f"none of the images in {job.images} could be used; see above")
    classes = [class_of[name] for name in names if class_of]
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
    return Scored(data.names or range(job.first, job.first + len(data)), classes, scores)


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


def threshold_of(model: Any, kind: str | None) -> float:
    """The threshold of a kind of score; None is the model's default kind."""
    from narrows.model.estimator.anomaly import find_score

    find_score(model, kind)  # refuses a kind that this model cannot give
    threshold = model.threshold_ if kind is None else model.thresholds_.get(kind)
    if threshold is None:
        raise wrong(
            "score", "a model without a threshold", "one that was fitted to its end", "fit it again"
        )
    return threshold


def separation_of(scored: Scored, normal: Sequence[str]) -> dict[str, Any]:
    """How well the scores separate the other classes from the normal ones."""
    from narrows.errors import escaped
    from narrows.model.use.separation import separation

    normal_names = {escaped(name) for name in normal}
    anomalous = [name not in normal_names for name in scored.classes]
    if all(anomalous) or not any(anomalous):
        kind = "anomalous" if all(anomalous) else "normal"
        tell(f"note: all {len(anomalous):,} images are {kind}; AUROC needs both kinds")
    return separation(scored.scores, anomalous)


def measures_of_set(model: Any, data: Any, normal: Sequence[str], masks: Any) -> dict[str, Any]:
    """How well the default score, and the error at each pixel, find what is anomalous in a set.

    masks: see `data.readers.masks`; None if there are none.
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
    measures = separation_of(Scored(data.names or (), classes, scores), normal)
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


class ErrorMaps:
    """The error maps of pictures, written to a folder and compared with masks, where there are some.

    folder: None to write none.
    """

    def __init__(self, model: Any, job: Job, normal: Sequence[str], folder: Path | None):
        self.model = model
        self.job = job
        self.normal = normal
        self.folder = folder
        self.count = 0  # of maps that were written

    @cached_property
    def masks(self) -> Any:
        from narrows.data.readers.masks import Masks

        if self.job.share:  # measures are of all images, not of a share of them
            return Masks({})
        return masks_in(self.job.listing, self.normal, self.job.reading)

    def measures(self) -> dict[str, float]:
        """How well the maps find anomalous pixels; nothing without masks."""
        from narrows.model.use.separation import localisation

        masked = ((error, self._mask(name, error.shape)) for name, error in self._maps())
        return localisation((error, mask) for error, mask in masked if mask is not None)

    def _maps(self) -> Iterable[tuple[str, Any]]:
        from narrows.model.use.folders import map_errors

        def skip(name: str, reason: str) -> None:
            """Skipped files were reported when the scores were computed."""

        if not (self.folder or self.masks):
            return
        for picture, error in map_errors(self.model, self.job.pictures(skip, "mapping"), skip):
            if self.folder:
                self._write(picture.name, error, self.folder)
            yield picture.name, error

    def _write(self, name: str, error: Any, folder: Path) -> None:
        """Write a map as a PNG, white where the error is 1, under the name of its picture."""
        import numpy as np

        from narrows.data.write import map_name, path_below, write_images

        shades = np.rint(error.clip(0, 1) * 255).astype(np.uint8)
        write_images(shades[None], path_below(folder, map_name(name)), force=True)
        self.count += 1

    def _mask(self, name: str, shape: tuple[int, ...]) -> Any:
        """The mask of a picture; None if there is none of its size."""
        if not self.masks:
            return None
        mask = self.masks.read(name, shape)
        if mask is None and name in self.masks.files:
            tell(f"note: the mask of {name} has another size, so its pixels are not measured")
        return mask
