"""Verbs that turn images into numbers: encode, score."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from narrows.cli.inputs import Skipped
from narrows.cli.options import Force, Json, Output, Reading
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
        An image, a folder, an IDX, .npy or .npz file, or a named set (its test part).
    """
    import numpy as np

    from narrows.data.code_files import write_codes
    from narrows.data.write import memory_mapped
    from narrows.model.use.folders import with_fixed_batches

    job = Job("encode", run, images, reading, shard, force)
    path, model = job.free(output), with_fixed_batches(job.model())
    with job.skipping(skipped) as skip:
        found = job.array(skip, mode=MODES.get(model.layout_.image[2], ""))
        if path.suffix == ".npy" and len(found):  # a batch at a time, from file to file
            with memory_mapped(path, (len(found), model.code_size_), np.dtype(np.float32), force) as out:
                model.transform(found.images, out=out)
        else:
            none = np.empty((0, model.code_size_), np.float32)
            codes = model.transform(found.images) if len(found) else none
            write_codes(codes, path, found.names, found.labels, force)
    print(job.done(path, len(found)))


def score(
    run: str,
    images: str,
    /,
    *,
    output: Output,
    kind: str | None = None,
    normal: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    maps: str = "",
    reading: Reading = AS_THEY_ARE,
    shard: Shard = "",
    skipped: Skipped = "",
    json: Json = False,
    force: Force = False,
) -> None:
    """Score how odd each image is: a CSV of file, score, and whether it is above the training images' threshold.

    Of a picture larger than the model's own images the oddest tile counts.

    Example: narrows score my-run photos/ -o scores.csv --normal good

    Parameters
    ----------
    run
        A run folder, or a model file.
    images
        An image, a folder, an IDX, .npy or .npz file, a pack, or a named set (its test part).
    kind
        patch, error, bound or code; by default patch, the error of the worst patch.
    normal
        The classes (names of sub-folders) that are normal: tells how well the score finds the others.
    maps
        A folder for a picture of the error of each image, white where it is 1 (of image files only).
    """
    from narrows.files import write_csv

    job = Job("score", run, images, reading, shard, force, **({"kind": kind} if kind else {}))
    if normal and shard:
        raise wrong("--normal", shard, "all images, not a share of them", "score without --shard")
    path, folder = job.free(output), job.free(maps) if maps else None
    if maps and not job.one_by_one:
        raise wrong("--maps", images, "an image file, or a folder of them")
    model = job.model()
    threshold = _threshold(model, kind)
    with job.skipping(skipped) as skip:
        names, classes, scores = _scores(model, job, skip, kind)
    if normal:
        _separation(scores, classes, normal, json)
    flagged = scores > threshold
    columns = {"file": names, **({"class": classes} if classes else {}), "score": scores.tolist()}
    write_csv(path, (*columns, "flagged"), zip(*columns.values(), flagged.astype(int).tolist()))
    tell(f"{flagged.sum():,} of {len(scores):,} images score above {threshold:.6g}")
    if folder:
        job.done(folder, _maps(model, job, folder))
    (tell if json else print)(str(job.done(path, len(scores))))


def _scores(model: Any, job: Job, skip: Any, kind: str | None) -> tuple[Any, list[str], Any]:
    """Names, classes if there are any, and scores."""
    import numpy as np

    from narrows.errors import DataError
    from narrows.model.use.folders import score_pictures, with_fixed_batches
    from narrows.model.use.tiles import fits_model, worst_tile_score

    if job.one_by_one:
        each = score_pictures(model, job.pictures(skip, "scoring"), skip, kind)
        found = [(picture.name, value) for picture, value in each]
        if not found and not job.share:
            raise DataError(f"none of the images in {job.images} could be used; see above")
        names = [name for name, _ in found]
        classes = [name.split("/")[0] for name in names] if all("/" in name for name in names) else []
        return names, classes, np.array([value for _, value in found], dtype=np.float32)
    found = job.array(skip)
    own = found.images.ndim == 2 or fits_model(model, found.images.shape[1:])
    score = with_fixed_batches(model).anomaly_score if own else partial(worst_tile_score, model)
    scores = score(found.images, kind) if len(found) else np.empty(0, np.float32)
    labels = [] if found.labels is None else found.labels.tolist()
    classes = [found.classes[k] for k in labels] if found.classes else list(map(str, labels))
    return found.names or range(job.first, job.first + len(found)), classes, scores


def _threshold(model: Any, kind: str | None) -> float:
    """The threshold of a kind of score; None is the model's default kind."""
    from narrows.model.estimator.anomaly import find_score

    find_score(model, kind)  # refuses a kind that this model cannot give
    threshold = model.threshold_ if kind is None else model.thresholds_.get(kind)
    if threshold is None:
        raise wrong("score", "a model without a threshold", "one that was fitted to its end", "fit it again")
    return threshold


def _maps(model: Any, job: Job, folder: Path) -> int:
    """A picture of the error of each picture, as PNG under its name; how many there are."""
    from narrows.data.write import write_images
    from narrows.model.use.folders import map_errors

    count, quiet = 0, lambda *_: None
    for picture, found in map_errors(model, job.pictures(quiet, "mapping"), quiet):
        write_images(found[None], folder / f"{picture.name}.png", force=True)
        count += 1
    return count


def _separation(scores: Any, classes: list[str], normal: list[str], json: bool) -> None:
    """Print how well the scores tell the other classes from the normal ones."""
    from narrows.errors import unknown
    from narrows.measure import auroc, average_precision, best_f1

    if not bool(classes):
        raise wrong("--normal", normal, "images whose classes are known: sub-folders, or a named set")
    for name in normal:
        if name not in classes:
            raise unknown("class", name, sorted(set(classes)))
    odd = [name not in normal for name in classes]
    f1, threshold = best_f1(scores, odd)
    found = {"AUROC": auroc(scores, odd), "average precision": average_precision(scores, odd)}
    give([{**found, "best F1": f1, "at a threshold of": threshold}], as_json=json)
