"""The page that the verb score writes with --report."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from narrows.cli.anomalies import Scored
from narrows.cli.inputs import pictures
from narrows.cli.sharded_job import Job
from narrows.cli.thresholds import Threshold

if TYPE_CHECKING:
    from narrows.data.outputs import Place


def report_place(job: Job, report: str) -> "Place | None":
    """Where to write the page; None without --report. Raises `OutputError`."""
    from narrows.data.outputs import PAGES, file_place

    return job.free(file_place(report, "reports", PAGES)) if report else None


def write_report(
    job: Job,
    model: Any,
    scored: Scored,
    threshold: Threshold,
    normal: Sequence[str],
    measures: dict[str, Any],
    place: "Place | None",
) -> None:
    """Write the page of all scored images, unless there is no place for it."""
    from narrows.errors import escaped
    from narrows.study.score_page import write_score_page
    from narrows.study.scored import ScoredImages

    if place is None:
        return
    images = ScoredImages(
        what=f"images in {escaped(job.images)}",
        model=model,
        kind=threshold.kind,
        scores=scored.scores,
        threshold=threshold.value,
        calibration=threshold.calibration,
        names=scored.names,
        classes=scored.classes,
        normal=frozenset(map(escaped, normal)),
        pictures=_pictures(job, model, scored),
    )
    words = [f"The threshold is {threshold.words}."] if threshold.words else []
    words += [f"Note: {threshold.warning}."] if threshold.warning else []
    facts = {"model": escaped(job.run), "images": escaped(job.images)}
    write_score_page(images, measures, words, facts, place.path)


def _pictures(job: Job, model: Any, scored: Scored) -> Callable[..., Any] | None:
    """Reads chosen images again; None if they cannot be seen."""
    from narrows.study.figures.anomalies import pictures_of

    if model.layout_.is_table:
        return None
    if scored.data is not None:
        return pictures_of(model, scored.data.images, scored.data.levels)

    def read(places: Sequence[int]) -> Iterator[Any]:
        from narrows.data.readers.picture_stream import ignore_skipped

        chosen = {scored.names[place]: str(place) for place in places}
        files = dict.fromkeys(_file_of(job, name) for name in chosen)
        paths, reading = (
            [job.listing.path / file for file in files],
            replace(job.reading, strict=False),
        )
        for picture in pictures(job.images, paths, reading, ignore_skipped, "drawing"):
            if picture.name in chosen:
                yield replace(picture, name=chosen[picture.name])

    return read


def _file_of(job: Job, name: str) -> str:
    """The file of a picture, which may be a page of a stack: scan.tif#3."""
    return name if name in job.listing.names else name.rpartition("#")[0]
