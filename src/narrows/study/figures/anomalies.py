"""Anomaly scores: a histogram with the threshold, the images that score highest, and those nearest to
the threshold.

Test images are compared with the normal images from which the threshold comes
(`narrows.model.calibration`). They are normal or anomalous if their classes say so: a class of which
no training image is, is anomalous.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from narrows.data.readers.listing import class_names_of
from narrows.data.readers.picture_stream import Picture
from narrows.errors import wrong
from narrows.levels import Levels
from narrows.measure.histogram import counts_in, score_edges
from narrows.model.estimator.anomaly import default_score, find_score
from narrows.model.estimator.base import ImageModel
from narrows.model.use.error_maps import scale_words
from narrows.study.data_split import chosen
from narrows.study.figures.per_run import per_run
from narrows.study.record import Figure
from narrows.study.scored import Pictures, ScoredImages
from narrows.study.shown_maps import ShownMap, rows_of, scale_of, shown_maps
from narrows.study.trained import Trained

COLUMNS, LARGEST = 4, 256  # images in a row; dots of each, at most


@per_run
def anomalies(
    run: Trained, score: str | None = None, count: int = 8, limit: int = 5000
) -> Iterator[Figure]:
    """Scores of test images and of normal ones, with the threshold; the images that score highest,
    and those nearest to the threshold, with their error maps. Nothing without a threshold.
    """
    for name, value in {"count": count, "limit": limit}.items():
        if not value >= 1:
            raise wrong(name, value, "1 or more")
    model = run.model
    kind = score or default_score(model)
    find_score(model, kind)  # refuses one that the model cannot give
    if kind in model.thresholds_:
        yield from score_figures(_scored(run, kind, limit), run.name, count)


def score_figures(scored: ScoredImages, name: str, count: int) -> Iterator[Figure]:
    """The figures of any scored images, of which `count` are shown in each. name: of the figures."""
    yield _histogram(scored, f"{name}-scores")
    if scored.pictures is None:
        return
    places = {"highest": scored.highest(count), "nearest": scored.nearest(count)}
    both = dict.fromkeys(place for chosen_places in places.values() for place in chosen_places)
    shown_all = shown_maps(scored.model, scored.pictures([*both]))
    maps = {int(shown.name): shown for shown in shown_all}
    if not maps:  # files that have gone meanwhile
        return
    titles = {"highest": "Highest scores", "nearest": "Nearest to the threshold"}
    scale = scale_of(maps.values())
    for which, chosen_places in places.items():
        shown = {place: maps[place] for place in chosen_places if place in maps}
        if shown:
            yield _grid(scored, f"{name}-{which}", titles[which], shown, scale)


def _histogram(scored: ScoredImages, name: str) -> Figure:
    groups = dict(scored.groups())
    normal, samples = scored.normal_scores, [*groups.values()]
    centre = float(np.median(np.nan_to_num(scored.scores)))
    if normal is not None:
        samples.append(normal.values)
        centre = normal.threshold(0.5)
    edges, log = score_edges(samples, centre, scored.threshold)
    arrays = {"edges": edges}
    if normal is not None:
        words = f"{scored.normal_in_words}: {normal.count:,}"
        arrays[words] = counts_in(edges, normal.values, normal.counts)
    for what, values in groups.items():
        arrays[f"{what}: {len(values):,}"] = counts_in(edges, values)
    options = {
        "xlabel": f"anomaly score, {scored.kind}",
        "log": log,
        "marks": {f"threshold: {scored.threshold:.4g}": scored.threshold},
    }
    return Figure(name, "histogram", _title(scored), options, arrays)


def _title(scored: ScoredImages) -> str:
    flagged = (
        f"{scored.flagged.sum():,} of {len(scored.scores):,} {scored.what} above the threshold"
    )
    area = scored.auroc
    return flagged if area is None else f"{flagged}; AUROC {area:.4f}"


def _grid(
    scored: ScoredImages, name: str, title: str, maps: Mapping[int, ShownMap], scale: float
) -> Figure:
    """Images with their error maps, and what is known of each."""
    lines = [scored.describe(place) for place in maps]
    options = {
        "captions": {"error": ["\n".join(words) for words in lines]},
        "columns": COLUMNS,
        "largest": LARGEST,
        "errors": {"scale": scale, "label": f"error: {scale_words(scored.model)}"},
    }
    return Figure(name, "grid", title, options, rows_of([*maps.values()], scale))


# -- the test images of a run ----------------------------------------------------------------------


def _scored(run: Trained, kind: str, limit: int) -> ScoredImages:
    """At most `limit` of the test images, chosen at random, scored."""
    test, model = run.split.test, run.model
    order = np.random.default_rng(0).permutation(len(test))
    index = np.sort(order[:limit])
    images = test.images[index]
    what = "test images" if len(index) == len(test) else f"of the {len(test):,} test images"
    names = test.names or [f"test image {place}" for place in range(len(test))]
    return ScoredImages(
        what=what,
        model=model,
        kind=kind,
        scores=model.anomaly_score(images, kind),
        threshold=model.thresholds_[kind],
        calibration=model.calibration_,
        names=[names[place] for place in index],
        classes=class_names_of(chosen(test.labels, index), test.classes),
        normal=frozenset(class_names_of(run.split.train.labels, run.split.train.classes)),
        pictures=None if model.layout_.is_table else pictures_of(model, images),
    )


def pictures_of(model: ImageModel, images: np.ndarray, levels: Levels | None = None) -> Pictures:
    """Reads images of an array `(N, ...)` by their places."""

    def pictures(places: Sequence[int]) -> Iterator[Picture]:
        for place in places:
            yield Picture(str(place), as_image(images[place]), "", levels=levels)

    def as_image(row: np.ndarray) -> np.ndarray:
        image = row.reshape(model.layout_.image) if row.ndim == 1 else row
        return image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image

    return pictures
