"""Verbs that turn images into numbers: encode, score."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from cyclopts import Parameter

from narrows.cli.inputs import Skipped
from narrows.cli.options import Force, Json, Output, Reading, Split
from narrows.cli.output import give, tell
from narrows.cli.sharded_job import Job, Shard
from narrows.errors import wrong

AS_THEY_ARE = Reading()
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # of pictures, by a model's channels


def encode(
    run: str,
    images: str,
    /,
    *,
    output: Output,
    split: Split = "",
    reading: Reading = AS_THEY_ARE,
    shard: Shard = "",
    skipped: Skipped = "",
    force: Force = False,
) -> None:
    """Turn images into their codes: .npz (codes, file names, labels), .npy or .parquet.

    Example: narrows encode my-run photos/ -o codes.npz

    Parameters
    ----------
    run
        A run folder, or a model file.
    images
        An image, a folder, an IDX, .npy or .npz file, or a named set.
    """
    from narrows.data.code_files import codes_place
    from narrows.model.use.folders import with_fixed_batches

    job = Job("encode", run, images, reading, shard, force, split)
    place, model = job.free(codes_place(output)), with_fixed_batches(job.model())
    with job.skipping(skipped) as skip:
        data = job.array(skip, mode=MODES.get(model.layout_.image[2], ""))
        _write_codes(model, data, place.path, force)
    print(job.done(place, len(data)))


def _write_codes(model: Any, data: Any, path: Path, force: bool) -> None:
    import numpy as np

    from narrows.data.code_files import write_codes
    from narrows.data.write import memory_mapped

    shape = (len(data), model.code_size_)
    if path.suffix.lower() == ".npy" and len(data):  # a batch at a time, from file to file
        with memory_mapped(path, shape, np.dtype(np.float32), force) as out:
            model.transform(data.images, out=out)
        return
    codes = np.empty(shape, np.float32)
    if len(data):
        codes = model.transform(data.images)
    write_codes(codes, path, data.names, data.labels, force)


def score(
    run: str,
    images: str,
    /,
    *,
    output: Output,
    kind: str | None = None,
    normal: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    maps: str = "",
    split: Split = "",
    reading: Reading = AS_THEY_ARE,
    shard: Shard = "",
    skipped: Skipped = "",
    json: Json = False,
    force: Force = False,
) -> None:
    """Score how anomalous each image is: a CSV of file, score, and whether it exceeds the model's
    threshold.

    The threshold comes from the training images. A picture larger than them is scored by its worst
    tile.

    Example: narrows score my-run photos/ -o scores.csv --normal good

    Parameters
    ----------
    run
        A run folder, or a model file.
    images
        An image, a folder, an IDX, .npy or .npz file, a pack, or a named set.
    kind
        patch, error, bound or code; by default patch, the error of the worst patch.
    normal
        The classes (names of sub-folders) that are normal: prints how well the score finds the
        others.
    maps
        A folder for a picture of each image's error, white where it is 1 (image files only).
    """
    from narrows.data.outputs import file_place, folder_place

    options = {"kind": kind} if kind else {}
    job = Job("score", run, images, reading, shard, force, split, **options)
    if normal and shard:
        raise wrong("--normal", shard, "all images, not a share of them", "score without --shard")
    place = job.free(file_place(output, "scores"))
    folder = job.free(folder_place(maps)) if maps else None
    if maps and not job.one_by_one:
        raise wrong("--maps", images, "an image file, or a folder of them")
    model = job.model()
    threshold = _threshold(model, kind)
    with job.skipping(skipped) as skip:
        scored = _scores(model, job, skip, kind, normal or ())
    _write_scores(scored, threshold, place.path)
    if normal:
        _print_separation(scored, normal, json)
    if folder:
        job.done(folder, _write_maps(model, job, folder.path))
    written = str(job.done(place, len(scored.scores)))
    if json:
        tell(written)
    else:
        print(written)


class Scored(NamedTuple):
    """Scores `(N,)` of images, their names, and their classes if there are any."""

    names: Sequence[Any]
    classes: list[str]
    scores: Any


def _write_scores(scored: Scored, threshold: float, path: Path) -> None:
    from narrows.files import write_csv

    flagged = scored.scores > threshold
    columns: dict[str, Sequence[Any]] = {"file": scored.names}
    if scored.classes:
        columns["class"] = scored.classes
    columns |= {"score": scored.scores.tolist(), "flagged": flagged.astype(int).tolist()}
    write_csv(path, tuple(columns), zip(*columns.values()))
    tell(f"{flagged.sum():,} of {len(flagged):,} images score above {threshold:.6g}")


def _scores(model: Any, job: Job, skip: Any, kind: str | None, normal: Sequence[str]) -> Scored:
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

    data = job.array(skip)
    classes = class_names_of(data.labels, data.classes)
    _check_normal(normal, classes, data.notes)
    scores = np.empty(0, np.float32)
    if len(data):
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


def _threshold(model: Any, kind: str | None) -> float:
    """The threshold of a kind of score; None is the model's default kind."""
    from narrows.model.estimator.anomaly import find_score

    find_score(model, kind)  # refuses a kind that this model cannot give
    threshold = model.threshold_ if kind is None else model.thresholds_.get(kind)
    if threshold is None:
        raise wrong(
            "score", "a model without a threshold", "one that was fitted to its end", "fit it again"
        )
    return threshold


def _write_maps(model: Any, job: Job, folder: Path) -> int:
    """A PNG of the error of each picture, under its name; returns how many."""
    from narrows.data.write import map_name, path_below, write_images
    from narrows.model.use.folders import map_errors

    def skip(name: str, reason: str) -> None:
        """Skipped files were reported when the scores were computed."""

    count = 0
    for picture, error in map_errors(model, job.pictures(skip, "mapping"), skip):
        path = path_below(folder, map_name(picture.name))
        write_images(error[None], path, force=True)
        count += 1
    return count


def _print_separation(scored: Scored, normal: list[str], json: bool) -> None:
    """Print how well the scores separate the other classes from the normal ones."""
    from narrows.errors import escaped
    from narrows.model.use.separation import separation

    normal_names = {escaped(name) for name in normal}
    anomalous = [name not in normal_names for name in scored.classes]
    if all(anomalous) or not any(anomalous):
        kind = "anomalous" if all(anomalous) else "normal"
        tell(f"note: all {len(anomalous):,} images are {kind}; AUROC needs both kinds")
        if not json:
            return
    give([separation(scored.scores, anomalous)], as_json=json)
