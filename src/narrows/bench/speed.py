"""All ways of a lab, in turn, and the table of their times.

For each lab every way is prepared in its own process; then they take turns, a round each, so that a
machine that slows down slows all of them. The table shows the median of the rounds and their range;
a ratio is taken round by round, and then its median.

    times the notebook    (training + evaluation of the notebook) / (ours): how many times faster
    times the floor       training / floor: how close to the time of the arithmetic alone; 1 cannot
                          be beaten by much
"""

import subprocess
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from statistics import median
from typing import Any

from narrows.bench.cases import CASES
from narrows.bench.processes import answer_of, asked, started
from narrows.measure import Table

SAID = {
    "floor": "floor",
    "notebook": "the notebook's way",
    "plain": "a plain loop",
    "pythae": "pythae's trainer",
    "narrows": "Narrows",
    "fast": "Narrows, compiled, bf16",
}
TORCHS_SPIN = "300000"  # what GNU's OpenMP takes if no variable says otherwise
Rounds = list[dict[str, float]]


def speed(
    labs: Sequence[str] = tuple(CASES),
    ways: Sequence[str] = tuple(SAID),
    rounds: int = 5,
    images: int | None = None,
    device: str = "cpu",
    say: Callable[[str], None] = lambda words: None,
) -> list[dict[str, Any]]:
    """Time the ways of the labs. images: use only this many of each set. Returns a dict for each
    lab and way:

    lab, way; training, evaluation, memory: a number for each round (seconds, seconds, peak MB so
    far); torch: MB of the process before it loaded images; or why: the reason why this way of this
    lab was not run.
    """
    rows: list[dict[str, Any]] = []
    for lab in labs:
        order = {"lab": lab, "images": images, "device": device}
        own_ways = [way for way in ways if way != "fast" or CASES[lab].fast]
        with ExitStack() as stack:
            workers = {
                way: stack.enter_context(_started({**order, "way": way})) for way in own_ways
            }
            rows += _timed(lab, workers, rounds, say)
    return rows


def _timed(
    lab: str, workers: dict[str, subprocess.Popen], rounds: int, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Wait until all workers of a lab are ready, and let them take turns."""
    ready = {way: answer_of(worker) for way, worker in workers.items()}
    times: dict[str, Rounds] = {way: [] for way in workers if "why" not in ready[way]}
    for number in range(1, rounds + 1):
        for way, rounds_of_way in times.items():
            say(f"lab {lab}, round {number} of {rounds}: {SAID[way]}")
            rounds_of_way.append(asked(workers[way]))
    return [
        {"lab": lab, "way": way, **ready[way], **_columns(times.get(way, []))} for way in workers
    ]


def table(found: list[dict[str, Any]]) -> Table:
    """The results of `speed` as a table to be printed."""
    by = {(row["lab"], row["way"]): row for row in found}
    return Table(
        _row(row, by.get((row["lab"], "notebook")), by.get((row["lab"], "floor"))) for row in found
    )


def markdown(rows: Table) -> str:
    """A table for a page of documentation."""
    cells = [[str(row.get(column, "")) for column in rows.columns] for row in rows]
    lines = [rows.columns, ["---"] * len(rows.columns), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(row: dict[str, Any], notebook: Any, floor: Any) -> dict[str, str]:
    case, way = CASES[row["lab"]], row["way"]
    cells = {"lab": row["lab"], "way": SAID[way]}
    if "why" in row:
        return {**cells, "training, s": row["why"]}
    cells["training, s"] = _spread(row["training"])
    if way == "floor":
        return cells
    evaluates = any(row["evaluation"])
    cells["evaluation, s"] = _spread(row["evaluation"]) if evaluates else ""
    faster: list[float] = []
    if notebook and "why" not in notebook and (evaluates or not case.evaluation):
        faster = _ratios(_total(notebook), _total(row))
    targets = {"narrows": case.notebook, "fast": case.fast}
    cells["times the notebook"] = _with_target(faster, targets.get(way))
    above = _ratios(row["training"], floor["training"]) if floor else []
    cells["times the floor"] = _with_target(above, case.floor if way == "narrows" else None)
    peak = max(row["memory"])
    cells["memory, MB"] = f"{peak:.0f} ({peak - row['torch']:+.0f})"
    return cells


def _with_target(ratios: list[float], target: float | None) -> str:
    """Ratios, and the target."""
    return _spread(ratios) + (f", target {target:g}" if ratios and target else "")


def _total(row: dict[str, Any]) -> list[float]:
    return [a + b for a, b in zip(row["training"], row["evaluation"])]


def _ratios(above: list[float], below: list[float]) -> list[float]:
    return [a / b for a, b in zip(above, below)]


def _spread(values: list[float]) -> str:
    """The median, and the least and largest."""
    if not values:
        return ""
    return f"{median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def _columns(rounds: Rounds) -> dict[str, list[float]]:
    return {name: [found[name] for found in rounds] for name in (rounds[0] if rounds else ())}


def _started(order: dict[str, Any]) -> AbstractContextManager[subprocess.Popen]:
    """A worker. The other ways run with torch's own thread settings."""
    ours = order["way"] in ("narrows", "fast")
    return started("narrows.bench.worker", order, {} if ours else {"GOMP_SPINCOUNT": TORCHS_SPIN})
