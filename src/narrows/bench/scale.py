"""How time and memory grow: with images, with pixels, with parameters, and with processes.

Each point is a training of `ae-mlp` (one hidden layer of `width`) on random images in a file, in
its own processes: three epochs, of which the median counts (one epoch if there are more than
500,000 images), then the codes of at most 100,000 images. Memory is the process's own, without the
pages of the file, which the system reclaims at need.

The model of cost is a least-squares fit to the points of one process, with weights that count each
point alike:

    t = N · (a · P + b · p) + s · c        N images of p values, P parameters, s steps
        a: 6 P operations an image, forward and backward, at 6 / a a second
        b: reading, loss and gradients of a value
        c: the rest of a step

References: R. Hockney's and S. Williams' models of rate and traffic, "Roofline", CACM 2009,
https://doi.org/10.1145/1498765.1498785.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from narrows.bench.processes import STATUS
from narrows.distributed.process_group import rank_and_size
from narrows.distributed.rendezvous import process_group
from narrows.errors import NarrowsError
from narrows.measure import Table
from narrows.model.recipes import recipe
from narrows.threads import count_cores

BASE = {"images": 10_000, "side": 28, "width": 256, "processes": 1}
ALONG = {
    "images": (1_000, 10_000, 100_000, 1_000_000),
    "side": (14, 28, 56, 112),
    "width": (64, 256, 1024, 4096),
    "processes": (1, 2, 4),
}
BATCH, EPOCHS, CODES, MANY = 128, 3, 100_000, 500_000
KEPT = re.compile(r"RssAnon:\s+(\d+) kB")


def scale(
    along: Sequence[str] = tuple(ALONG), say: Callable[[str], None] = lambda words: None
) -> list[dict[str, Any]]:
    """A row for each point: what grows, and the measurements. along: any of images, side, width,
    processes.
    """
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name in along:
            for value in ALONG[name]:
                say(f"{name}: {value:,}")
                point = {**BASE, name: value}
                path = _file(Path(folder), point["images"], point["side"])
                found.append({"along": name, **point, **_run(point, path)})
                path.unlink()
    return found


def fitted(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """a, b and c of the model, seconds; from the points of one process."""
    alone = [row for row in rows if row["processes"] == 1]
    parts = np.array([_parts(row) for row in alone])
    seconds = np.array([row["epoch"] for row in alone])
    found, *_ = np.linalg.lstsq(parts / seconds[:, None], np.ones(len(alone)), rcond=None)
    return dict(zip("abc", found.tolist()))


def predicted(row: dict[str, Any], model: dict[str, float]) -> float:
    """Seconds of an epoch, by the model."""
    return float(np.dot(_parts(row), [model[name] for name in "abc"]))


def _parts(row: dict[str, Any]) -> tuple[float, float, float]:
    return (
        row["images"] * row["parameters"],
        row["images"] * row["side"] ** 2,
        row["images"] / BATCH,
    )


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """The points as a table to be printed."""
    model = fitted(rows) if len(rows) > len("abc") else {}
    return Table(
        {
            "along": row["along"],
            "images": f"{row['images']:,}",
            "pixels": row["side"] ** 2,
            "parameters": f"{row['parameters']:,}",
            "processes": row["processes"],
            "µs an image": f"{row['epoch'] / row['images'] * 1e6:.1f}",
            "by the model": f"{predicted(row, model) / row['images'] * 1e6:.1f}" if model else "",
            "codes, µs an image": f"{row['encode'] * 1e6:.1f}",
            "memory, MB": f"{row['memory']:.0f}",
        }
        for row in rows
    )


def _file(folder: Path, count: int, side: int) -> Path:
    """Random images as .npy."""
    path, random = folder / "images.npy", np.random.default_rng(0)
    array = np.lib.format.open_memmap(path, "w+", np.uint8, (count, side, side))
    for start in range(0, count, 10_000):
        array[start : start + 10_000] = random.integers(
            0, 256, array[start : start + 10_000].shape, np.uint8
        )
    return path


def _run(point: dict[str, int], path: Path) -> dict[str, float]:
    """The measurements of a point: times of its first process, memory of its largest."""
    processes = point["processes"]
    alone = [sys.executable, "-m", "narrows.bench.scale"]
    launch = (
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(processes),
        "-m",
        "narrows.bench.scale",
    )
    several = [sys.executable, "-m", *launch]
    env = {**os.environ, "OMP_NUM_THREADS": str(max(1, count_cores() // processes))}
    order = json.dumps({**point, "path": str(path)})
    command = [*(several if processes > 1 else alone), order]
    done = subprocess.run(
        command, capture_output=True, text=True, env=env if processes > 1 else None
    )
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not answers:
        raise NarrowsError(
            f"a process of the measurement failed: {done.stderr.strip().splitlines()[-1:]}"
        )
    first = min(answers, key=lambda answer: answer["rank"])
    return {**first, "memory": max(answer["memory"] for answer in answers)}


def main(order: dict[str, Any]) -> None:
    """One process of a point: train, encode, and print the measurements."""
    images = np.load(order["path"], mmap_mode="r")
    body, epochs = {"kind": "mlp", "widths": [order["width"]]}, 1 if len(images) > MANY else EPOCHS
    with process_group(), _peak() as peak:
        model = recipe("ae-mlp", body=body, batch_size=BATCH, epochs=epochs).fit(images)
        subset = images[:CODES]
        start = time.perf_counter()
        model.transform(subset)
        encode = (time.perf_counter() - start) / len(subset)
    measurements = {
        "rank": rank_and_size()[0],
        "parameters": model.n_parameters_,
        "epoch": median(model.history_["seconds"]),
        "encode": encode,
        "memory": peak[0],
    }
    print(json.dumps(measurements), flush=True)


@contextmanager
def _peak() -> Iterator[list[float]]:
    """The peak of this process's own memory within the block, MB, sampled every 20 ms."""
    peak, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            kept = KEPT.search(STATUS.read_text())
            peak[0] = max(peak[0], int(kept[1]) * 1024 / 1e6 if kept else 0.0)

    watch = threading.Thread(target=look, daemon=True)
    watch.start()
    try:
        yield peak
    finally:
        over.set()
        watch.join()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
