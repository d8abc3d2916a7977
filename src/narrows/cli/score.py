"""Verbs that turn images into numbers: encode, score."""

from pathlib import Path
from typing import Any

from narrows.cli.inputs import Skipped
from narrows.cli.options import Force, Json, Normal, Output, Reading, Split
from narrows.cli.output import tell
from narrows.cli.sharded_job import Job, Shard
from narrows.cli.thresholds import FalseAlarms, chosen_threshold
from narrows.errors import wrong

AS_THEY_ARE = Reading()
MODELS_OWN = FalseAlarms()
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
        An image, a folder, a pack, an IDX, .npy or .npz file, or a named set.
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
    from narrows.model.estimator.inference import with_input_levels

    model = with_input_levels(model, data.levels)
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
    normal: Normal = None,
    maps: str = "",
    report: str = "",
    limit: FalseAlarms = MODELS_OWN,
    split: Split = "",
    reading: Reading = AS_THEY_ARE,
    shard: Shard = "",
    skipped: Skipped = "",
    json: Json = False,
    force: Force = False,
) -> None:
    """Score how anomalous each image is: a CSV of file, score, whether it exceeds the threshold
    (flagged), and the percentile of the score among those of normal images.

    The threshold comes from normal images that the model has not seen: those that its training held
    out, or --calibrate. A picture larger than the model's images gets the score of its most anomalous
    tile, which is higher than that of a single tile: use --calibrate with pictures of that size.

    Example: narrows score my-run photos/ -o scores.csv --calibrate good/ --false-alarms 0.05

    Parameters
    ----------
    run
        A run folder, or a model file.
    images
        An image, a folder, a pack, an IDX, .npy or .npz file, or a named set.
    kind
        Which score: patch (the error of the worst patch), error, relative, bound or code, or one of
        the model's own: neighbours, or combined and neighbours-each of a detector. By default the
        model's own, or else error for tables and patch for images.
    normal
        The classes (names of sub-folders) that are normal: prints how many images of each class are
        above the threshold, how well the score finds the others, and how well error maps find
        anomalous pixels if there are masks (ground_truth/).
    maps
        A folder for a picture of each image, in grey with its error in colour (image files only);
        scale.png in it says what the colours mean.
    report
        A page, such as scores.html: how the scores are distributed, the images that score highest and
        those nearest to the threshold with their error maps, and what is printed.
    """
    from narrows.cli.anomalies import scores_of, write_scores
    from narrows.cli.error_maps import ErrorMaps
    from narrows.cli.score_report import report_place, write_report
    from narrows.data.outputs import TABLES, file_place

    job = Job("score", run, images, reading, shard, force, split, **limit.as_options(kind))
    _refuse_share(shard, {"--normal": normal, "--report": report})
    known_normal = normal or ()
    place = job.free(file_place(output, "scores", TABLES))
    page = report_place(job, report)
    error_maps = ErrorMaps(job, known_normal, maps)
    model = job.model()
    threshold = chosen_threshold(model, job, kind, limit)
    with job.skipping(skipped) as skip:
        scored = scores_of(model, job, skip, kind, known_normal)
    write_scores(scored, threshold, place.path)
    measures = error_maps.measured(model, scored, threshold.value)
    write_report(job, model, scored, threshold, known_normal, measures, page)
    _print_measures(measures, bool(normal), json)
    path = job.done(place, len(scored.scores))
    (tell if json else print)(str(path))  # next to numbers as JSON, to the standard error


def _refuse_share(shard: str, given: dict[str, Any]) -> None:
    """Refuse options that need all images."""
    for name, value in given.items():
        if value and shard:
            raise wrong(
                "--shard", shard, f"no share: {name} needs all images", "score without --shard"
            )


def _print_measures(measures: dict[str, Any], with_normal: bool, json: bool) -> None:
    """Print what was measured; without normal classes only how the scores of each class are."""
    from narrows.cli.anomalies import give_measures
    from narrows.measure import Table

    if with_normal or json:
        give_measures(measures, json)
    elif measures["classes"]:
        tell(str(Table(measures["classes"])))
