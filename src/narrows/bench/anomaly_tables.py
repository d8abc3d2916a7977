"""Results of `anomaly` as tables: a line for each row of the comparison, and a line for each task.

The AUROC of a task is the mean over its seeds, that of a group the mean over its tasks. The best row of
PyOD is the one with the best mean over all tasks: one for all of them, since nobody knows beforehand
which is the best for a task. The last AUROC of a line is the worst task, compared with that row.

Which candidates there are depends on the images, so a candidate may lack tasks; its means are of those
that it has.
"""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from narrows.bench.anomaly_ways import PEER, WAYS
from narrows.bench.speed import markdown
from narrows.measure import Table

SECONDS = ("fit, s", "fit CPU, s", "score, s", "score CPU, s")
Row = dict[str, Any]
Aurocs = dict[str, dict[str, float]]  # row of the comparison → task → AUROC


def summary(rows: Sequence[Row]) -> Table:
    """A line for each row: its AUROC on each group and on all tasks, the worst difference from the
    best row of PyOD, and the seconds of a task, means.
    """
    aurocs = aurocs_of(rows)
    best = best_peer(aurocs)
    group_of = {row["task"]: row["group"] for row in rows}
    return Table(
        {
            "row": name,
            **_by_group(of_tasks, group_of),
            "mean": f"{mean(of_tasks.values()):.3f}",
            "tasks": len(of_tasks),
            **_against(of_tasks, best, aurocs),
            **_seconds([row for row in rows if row["row"] == name]),
        }
        for name, of_tasks in aurocs.items()
    )


def by_task(rows: Sequence[Row]) -> Table:
    """A line for each task: the AUROC of each row."""
    aurocs = aurocs_of(rows)
    return Table(
        {
            "task": task,
            **{name: f"{of[task]:.3f}" for name, of in aurocs.items() if task in of},
        }
        for task in dict.fromkeys(row["task"] for row in rows)
    )


def page(rows: Sequence[Row]) -> str:
    """Both tables as markdown."""
    images = "; ".join(dict.fromkeys(row["limits"] for row in rows))
    seeds = ", ".join(map(str, dict.fromkeys(row["seed"] for row in rows)))
    about = f"Seeds {seeds}; training images and test images of a task: {images}."
    return "\n\n".join([about, markdown(summary(rows)), markdown(by_task(rows))]) + "\n"


def aurocs_of(rows: Sequence[Row]) -> Aurocs:
    """The mean over seeds, of each row and task; rows of one way next to one another."""
    of_seeds: dict[str, dict[str, list[float]]] = {}
    for row in sorted(rows, key=lambda row: list(WAYS).index(row["way"])):
        of_seeds.setdefault(row["row"], {}).setdefault(row["task"], []).append(row["auroc"])
    return {
        name: {task: mean(values) for task, values in of_tasks.items()}
        for name, of_tasks in of_seeds.items()
    }


def best_peer(aurocs: Aurocs) -> str:
    """The row of PyOD with the best mean, of those with the most tasks; "" if there is none."""
    peers = {name: of for name, of in aurocs.items() if name.startswith(PEER)}
    return max(peers, key=lambda name: (len(peers[name]), mean(peers[name].values())), default="")


def _by_group(of_tasks: Mapping[str, float], group_of: Mapping[str, str]) -> dict[str, str]:
    """The mean of each group; empty for a group without a task."""
    of_groups: dict[str, list[float]] = {group: [] for group in group_of.values()}
    for task, value in of_tasks.items():
        of_groups[group_of[task]].append(value)
    return {group: f"{mean(values):.3f}" if values else "" for group, values in of_groups.items()}


def _against(of_tasks: Mapping[str, float], best: str, aurocs: Aurocs) -> dict[str, str]:
    """The worst difference from the best row of PyOD, and its task."""
    if not best:
        return {}
    differences = {
        task: value - aurocs[best][task] for task, value in of_tasks.items() if task in aurocs[best]
    }
    if not differences:
        return {}
    task = min(differences, key=lambda task: differences[task])
    return {f"worst against {best}": f"{differences[task]:+.3f} ({task})"}


def _seconds(rows: Sequence[Row]) -> dict[str, str]:
    """Means, and how many images are scored a second."""
    images, seconds = (sum(row[name] for row in rows) for name in ("test images", "score, s"))
    means = {name: f"{mean(row[name] for row in rows):.3g}" for name in SECONDS}
    return {**means, "images scored a second": f"{images / max(seconds, 1e-9):,.0f}"}
