"""All ways of a lab, in turn, and the table that comes of it.

For each lab every way is made ready in a process of its own; then they run a round each, in turn, again and again, so
that a machine that slows down slows all of them. The median of the rounds and their spread are reported; a ratio is
taken round by round, and then its median.

    times the notebook    (training + evaluation of the notebook) / (ours): how many times faster
    times the floor       training / floor: how near to what the arithmetic alone takes; 1 cannot be beaten by much
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any

from narrows.bench.cases import CASES
from narrows.errors import NarrowsError
from narrows.measure import Table

SAID = {
    "floor": "floor",
    "notebook": "the notebook's way",
    "plain": "a plain loop",
    "pythae": "pythae's trainer",
    "narrows": "Narrows",
    "fast": "Narrows, compiled, bf16",
}
Rounds = list[dict[str, float]]


def speed(
    labs: Sequence[str] = tuple(CASES),
    ways: Sequence[str] = tuple(SAID),
    rounds: int = 5,
    images: int | None = None,
    device: str = "cpu",
    say: Callable[[str], None] = lambda words: None,
) -> list[dict[str, Any]]:
    """Time the ways of the labs. images: how many of each set; None for all. Returns a dict for each lab and way:

    lab, way; training, evaluation, memory: a number a round (seconds, seconds, MB at most until then); torch: MB of
    the process before the images came; or why: the reason why this way of this lab was not run.
    """
    found = []
    for lab in labs:
        order = {"lab": lab, "images": images, "device": device}
        asked = [way for way in ways if way != "fast" or CASES[lab].fast]
        with ExitStack() as stack:
            running = {way: stack.enter_context(_started({**order, "way": way})) for way in asked}
            ready = {way: _answer(process) for way, process in running.items()}
            times: dict[str, Rounds] = {way: [] for way in asked if "why" not in ready[way]}
            for number in range(rounds):
                for way in times:
                    say(f"lab {lab}, round {number + 1} of {rounds}: {SAID[way]}")
                    times[way].append(_asked(running[way]))
        found += [{"lab": lab, "way": way, **ready[way], **_columns(times.get(way, []))} for way in asked]
    return found


def table(found: list[dict[str, Any]]) -> Table:
    """What `speed` found, as people read it."""
    by = {(row["lab"], row["way"]): row for row in found}
    return Table(_row(row, by.get((row["lab"], "notebook")), by.get((row["lab"], "floor"))) for row in found)


def markdown(rows: Table) -> str:
    """A table for a page of documentation."""
    cells = [[str(row.get(column, "")) for column in rows.columns] for row in rows]
    lines = [rows.columns, ["---"] * len(rows.columns), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(row: dict[str, Any], notebook: Any, floor: Any) -> dict[str, str]:
    said = {"lab": row["lab"], "way": SAID[row["way"]]}
    if "why" in row:
        return {**said, "training, s": row["why"]}
    said["training, s"] = _spread(row["training"])
    if row["way"] == "floor":
        return said
    said["evaluation, s"] = _spread(row["evaluation"]) if any(row["evaluation"]) else ""
    case, way = CASES[row["lab"]], row["way"]
    skipped = bool(case.evaluation) and not any(row["evaluation"])
    faster = [] if skipped or not notebook or "why" in notebook else _ratios(_whole(notebook), _whole(row))
    said["times the notebook"] = _beside(faster, {"narrows": case.notebook, "fast": case.fast}.get(way))
    above = _ratios(row["training"], floor["training"]) if floor else []
    said["times the floor"] = _beside(above, case.floor if way == "narrows" else None)
    said["memory, MB"] = f"{max(row['memory']):.0f} ({max(row['memory']) - row['torch']:+.0f})"
    return said


def _beside(ratios: list[float], wanted: float | None) -> str:
    """Ratios, and what we hold ourselves to."""
    return _spread(ratios) + (f", wanted {wanted:g}" if ratios and wanted else "")


def _whole(row: dict[str, Any]) -> list[float]:
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


@contextmanager
def _started(order: dict[str, Any]) -> Iterator[subprocess.Popen]:
    """A worker, stopped at the end. Rivals run with the thread settings that torch comes with, ours with ours."""
    ours = order["way"] in ("narrows", "fast")
    environment = {k: v for k, v in os.environ.items() if ours or k != "GOMP_SPINCOUNT"}
    command = [sys.executable, "-m", "narrows.bench.worker", json.dumps(order)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, text=True, bufsize=1) as process:
        try:
            yield process
        finally:
            process.kill()


def _asked(process: subprocess.Popen) -> dict[str, Any]:
    """The answer to the order for one round."""
    print(file=process.stdin, flush=True)
    return _answer(process)


def _answer(process: subprocess.Popen) -> dict[str, Any]:
    line = process.stdout.readline()  # type: ignore[union-attr]
    if not line:
        raise NarrowsError(f"a timed process ended with code {process.wait()} before it answered; see above")
    return json.loads(line)
