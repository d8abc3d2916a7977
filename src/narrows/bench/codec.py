"""Sizes and speeds of the codec and of all others on the same images, measured in turn.

For each set of images the ways that need a model (`codec_ways`) are trained once, and take turns in rounds
of encoding, and then in rounds of decoding, each in a process of its own; a ratio of two of them is taken
round by round. The others run once after them. A row of the results is one way on one set:

    bytes, model bytes                of all files, and of the model that decoding needs
    encode, decode                    seconds of each round
    encode memory, decode memory      peak MB of the process; "before": before the first round
    exact                             whether the pixels came back, in another process
    why                               instead of these, why it was not measured

All processes run on the same number of cores. What does not return the pixels has a row for each quality,
with the numbers of `narrows.codec.rates`.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

from narrows.bench.codec_ways import LOSSY_WAYS, WAYS
from narrows.bench.processes import answer_of, asked, started
from narrows.errors import NarrowsError, wrong
from narrows.files import write_file
from narrows.reading import reading

KINDS = ("lossless", "lossy")
KEY = ("kind", "set", "way", "quality", "arrangement")  # identifies a row
ROWS = "rows.json"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
Row = dict[str, Any]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is measured. ways: names in `WAYS` and `LOSSY_WAYS`. images: at most this many of each part
    of a set; None: all. folder: of the models. again: train those that are there, too.
    """

    sets: Sequence[str]
    ways: Sequence[str] = (*WAYS, *LOSSY_WAYS)
    kinds: Sequence[str] = KINDS
    rounds: int = 3
    images: int | None = None
    threads: int = 1
    folder: Path = Path()
    again: bool = False

    def model(self, name: str, way: str) -> Path:
        """The file of the model of a way for a set."""
        limit = f"-{self.images}" if self.images else ""
        return self.folder / f"{name}{limit}-{way}.model"


def measure(plan: Plan, say: Say, keep: Callable[[list[Row]], Any]) -> list[Row]:
    """The rows of a plan. say: gets a sentence for each round. keep: gets all rows after each few."""
    rows: list[Row] = []
    for name in plan.sets:
        for new in _rows_of_set(plan, name, say):
            rows += new
            keep(rows)
    return rows


def _rows_of_set(plan: Plan, name: str, say: Say) -> Iterator[list[Row]]:
    if "lossless" in plan.kinds:
        ways = [way for way in WAYS if way in plan.ways]
        trained = [way for way in ways if WAYS[way].train]
        yield _measured(plan, name, trained, plan.rounds, say)
        for way in ways:
            if way not in trained:
                yield _measured(plan, name, [way], 1, say)
    if "lossy" in plan.kinds:
        for way in LOSSY_WAYS:
            for arrangement in LOSSY_WAYS[way].arrangements if way in plan.ways else ():
                yield _points(plan, name, way, arrangement, say)


def _points(plan: Plan, name: str, way: str, arrangement: str, say: Say) -> list[Row]:
    """The rows of a way with loss, one for each quality."""
    say(f"{name}, {way}, {arrangement}: bytes and distortion at each quality")
    row: Row = {"kind": "lossy", "set": name, "limit": plan.images, "way": way}
    row["arrangement"] = arrangement
    order = _order(plan, name, way, "rates") | {"arrangement": arrangement}
    with _started(plan, order) as worker:
        facts = answer_of(worker)
        if "why" in facts:
            return [row | facts]
        return [row | point for point in asked(worker)["points"]]


def _measured(plan: Plan, name: str, ways: Sequence[str], rounds: int, say: Say) -> list[Row]:
    """The rows of ways that take turns."""
    with tempfile.TemporaryDirectory() as scratch:
        run = _Run(plan, name, Path(scratch), say)
        about = {"kind": "lossless", "set": name, "limit": plan.images}
        rows: dict[str, Row] = {way: about | {"way": way, "call": WAYS[way].call} for way in ways}
        run.task("train", {way: row for way, row in rows.items() if run.lacks_model(way)}, 1)
        for task in ("encode", "decode"):
            run.task(task, rows, rounds)
        for way, row in rows.items():
            if "why" not in row:
                model = plan.model(name, way)
                row["model bytes"] = model.stat().st_size if model.exists() else 0
    return list(rows.values())


@dataclass(frozen=True)
class _Run:
    """The tasks of some ways on one set. scratch: a folder for their files."""

    plan: Plan
    name: str
    scratch: Path
    say: Say

    def lacks_model(self, way: str) -> bool:
        """Whether a way has a model to be trained."""
        exists = self.plan.model(self.name, way).exists() and not self.plan.again
        return WAYS[way].train is not None and not exists

    def task(self, task: str, rows: dict[str, Row], rounds: int) -> None:
        """Run a task of ways in turn, and write into their rows what was measured, or why not."""
        with ExitStack() as stack:
            workers: dict[str, Popen] = {}
            for way, row in rows.items():
                if "why" not in row:
                    workers[way] = stack.enter_context(self._worker(task, way))
            for way in list(workers):
                facts = answer_of(workers[way])
                rows[way].update(_named(task, facts))
                if "why" in facts:
                    del workers[way]
            for number in range(1, rounds + 1):
                for way in list(workers):
                    self.say(f"{self.name}, {way}: {task}, round {number} of {rounds}")
                    self._round(task, rows[way], workers, way)

    def _worker(self, task: str, way: str) -> AbstractContextManager[Popen]:
        folder = self.scratch / way
        folder.mkdir(exist_ok=True)
        return _started(
            self.plan, _order(self.plan, self.name, way, task) | {"folder": str(folder)}
        )

    def _round(self, task: str, row: Row, workers: dict[str, Popen], way: str) -> None:
        try:
            numbers = asked(workers[way])
        except NarrowsError as error:
            row["why"] = str(error)
            del workers[way]
            return
        row.setdefault(task, []).append(numbers.pop("seconds"))
        row.update(_named(task, numbers))


def _order(plan: Plan, name: str, way: str, task: str) -> Row:
    """What a process is asked for."""
    model = str(plan.model(name, way))
    limits = {"images": plan.images, "threads": plan.threads}
    return {"task": task, "way": way, "set": name, "model": model, **limits}


def _started(plan: Plan, order: Row) -> AbstractContextManager[Popen]:
    threads = {variable: str(plan.threads) for variable in THREADS}
    return started("narrows.bench.codec_worker", order, threads)


def _named(task: str, facts: Row) -> Row:
    """What a process said, by the names of the columns."""
    columns = {"memory": f"{task} memory", "before": f"{task} memory before"}
    return {columns.get(name, name): value for name, value in facts.items() if name != "ready"}


def read_rows(folder: Path) -> list[Row]:
    """The rows of earlier calls. Raises `DataError` for a file that is not one of rows."""
    path = folder / ROWS
    if not path.exists():
        return []
    with reading(path, "choose another folder"):
        return json.loads(path.read_text(encoding="utf-8"))


def check_limit(rows: Sequence[Row], plan: Plan) -> None:
    """Refuse rows of other numbers of images. Raises `BuildError`."""
    for limit in {row["limit"] for row in rows} - {plan.images}:
        expected = f"{limit or 'all'}, as in the folder's results"
        raise wrong("images, at most", plan.images or "all", expected, "choose another folder")


def write_rows(folder: Path, rows: Sequence[Row]) -> None:
    """All rows, in place of those of before."""
    write_file(folder / ROWS, json.dumps(list(rows), indent=1) + "\n")


def updated(rows: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """The rows, those of the same `KEY` replaced by the new ones."""
    by = {tuple(row.get(name) for name in KEY): row for row in (*rows, *new)}
    return list(by.values())
