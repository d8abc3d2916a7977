"""How well anomalies are found, and how fast: ours compared with PyOD's detectors, on many tasks.

Every way (`anomaly_ways`) of every task (`anomaly_tasks`) is fitted once for each seed, and scores the
same test images. A row of the results is a score of a way:

    auroc          the chance that an anomalous image scores higher than a normal one
    fit, score     seconds, and seconds of all processors together ("CPU")

Results are kept in `results.csv` after each fit, so that a run that was stopped continues where it
was. `anomaly_tables` has the tables.
"""

import csv
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from narrows.bench.anomaly_tasks import Entry, Task
from narrows.bench.anomaly_ways import WAYS, Fit
from narrows.errors import NarrowsError, wrong
from narrows.files import write_csv
from narrows.measure import auroc
from narrows.reading import cause_of, reading

RESULTS = "results.csv"
WARM_UP_IMAGES = 40
COLUMNS: dict[str, Callable[[str], Any]] = {  # how the text of each is read
    **dict.fromkeys(("task", "group", "way", "row"), str),
    **dict.fromkeys(("seed", "images", "test images"), int),
    "limits": str,
    **dict.fromkeys(("auroc", "fit, s", "fit CPU, s", "score, s", "score CPU, s"), float),
}
Row = dict[str, Any]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is measured. images, test_images: at most this many of each task; None: all."""

    entries: Sequence[Entry]
    seeds: Sequence[int] = (0, 1, 2)
    ways: Sequence[str] = tuple(WAYS)
    images: int | None = None
    test_images: int | None = None

    @property
    def limits(self) -> str:
        """The most images of a task, as text."""
        return f"{self.images or 'all'} and {self.test_images or 'all'}"

    def covers(self, row: Row) -> bool:
        """Whether a row is one of those that are measured."""
        names = {entry.name for entry in self.entries}
        return row["task"] in names and row["seed"] in self.seeds and row["way"] in self.ways


def measure(
    plan: Plan, rows: Iterable[Row], say: Say, keep: Callable[[list[Row]], Any]
) -> list[Row]:
    """Measure what the rows of earlier calls lack; returns these and the new ones.

    say: gets a sentence for each fit, and for each way that cannot be measured. keep: gets all rows
    after each fit.
    """
    rows = list(rows)
    jobs = _jobs_left(plan, {(row["task"], row["seed"], row["way"]) for row in rows})
    fits = _opened(dict.fromkeys(way for *_, ways in jobs for way in ways), say)
    for seed, entry, ways in jobs:
        task = entry.task(seed, plan.images, plan.test_images)
        for way in filter(fits.__contains__, ways):
            say(f"{entry.name}, seed {seed}: {way}")
            about = {"task": entry.name, "group": entry.group, "way": way, "seed": seed}
            new = _measured(task, seed, fits[way], say)
            rows += [{**about, "limits": plan.limits, **row} for row in new]
            keep(rows)
    return rows


def _jobs_left(plan: Plan, done: set[tuple[str, int, str]]) -> list[tuple[int, Entry, list[str]]]:
    """Each seed and task, and the ways that are not done there; all tasks of the first seed first."""
    jobs = []
    for seed in dict.fromkeys(plan.seeds):
        for entry in plan.entries:
            left = [way for way in dict.fromkeys(plan.ways) if (entry.name, seed, way) not in done]
            jobs += [(seed, entry, left)] if left else []
    return jobs


def _opened(ways: Iterable[str], say: Say) -> dict[str, Fit]:
    """The ways that can be measured here, warmed up; a sentence for each reason why others cannot."""
    fits: dict[str, Fit] = {}
    reasons: dict[str, list[str]] = {}
    for way in ways:
        try:
            fits[way] = WAYS[way]()
            _warm_up(fits[way])
        except NarrowsError as error:
            reasons.setdefault(str(error), []).append(way)
    for reason, left_out in reasons.items():
        say(f"left out: {', '.join(left_out)}: {reason}")
    return fits


def _warm_up(fit: Fit) -> None:
    """Fit and score small images once: libraries load and compile some things at their first use."""
    images = np.random.default_rng(0).random((WARM_UP_IMAGES, 8, 8), dtype=np.float32)
    with suppress(Exception), warnings.catch_warnings():  # a failure is reported where it counts
        warnings.simplefilter("ignore")
        for score in fit(images, 0).values():
            score(images)


def _measured(task: Task, seed: int, fit: Fit, say: Say) -> list[Row]:
    """A row for each score of a way; none if it fails, and then the next call tries again."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of hundreds of fits
            with _timed("fit") as fitting:
                scores = fit(task.train, seed)
            return [
                {"row": name, **_scored(task, score), **fitting} for name, score in scores.items()
            ]
    except Exception as error:  # a library may raise anything
        say(f"this is left out: {type(error).__name__}: {cause_of(error)}")
        return []


def _scored(task: Task, score: Callable) -> Row:
    with _timed("score") as scoring:
        scores = score(task.test)
    counts = {"images": len(task.train), "test images": len(task.test)}
    return {**counts, "auroc": auroc(scores, task.anomalous), **scoring}


@contextmanager
def _timed(what: str) -> Iterator[dict[str, float]]:
    """The seconds of the block, known after it."""
    seconds: dict[str, float] = {}
    start, start_of_processors = time.perf_counter(), time.process_time()
    yield seconds
    seconds[f"{what}, s"] = time.perf_counter() - start
    seconds[f"{what} CPU, s"] = time.process_time() - start_of_processors


# -- the folder ------------------------------------------------------------------------------------


def read_results(folder: Path) -> list[Row]:
    """The rows of earlier calls. Raises `DataError` for a file that is not one of results."""
    path = folder / RESULTS
    if not path.exists():
        return []
    with reading(path, "choose another folder"), open(path, encoding="utf-8", newline="") as file:
        lines = csv.DictReader(file)
        return [{name: read(line[name]) for name, read in COLUMNS.items()} for line in lines]


def check_limits(rows: Iterable[Row], plan: Plan) -> None:
    """Refuse rows of other numbers of images. Raises `BuildError`."""
    for limits in {row["limits"] for row in rows} - {plan.limits}:
        what, expected = "images and test images, at most", f"{limits}, as in the folder's results"
        raise wrong(what, plan.limits, expected, "choose another folder")


def write_results(folder: Path, rows: Iterable[Row]) -> None:
    """All rows, in place of those of before."""
    write_csv(folder / RESULTS, tuple(COLUMNS), ([row[name] for name in COLUMNS] for row in rows))
