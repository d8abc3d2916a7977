"""Where the time of a training step goes, and that of an evaluation.

torch's profiler gives each operation the time that it spends itself. They are added up in kinds:

    products      of matrices, convolutions, and the sums that their biases need
    random        random numbers
    optimiser     the optimiser's own kernels
    elementwise   activations, losses, their slopes, reading and copying pixels

and what is left of the step, timed without the profiler, is Python's, autograd's, and the way through torch to the
operations ("between"). The floor is what the products of such a step would take at the machine's best (`floor`).
"""

import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from narrows.bench.cases import CASES, Case
from narrows.bench.floor import forward, peak
from narrows.data import load_data
from narrows.errors import NarrowsWarning
from narrows.image_batches import ImageBatches
from narrows.machine import flush_denormals
from narrows.measure import Table
from narrows.model.recipes import recipe
from narrows.model.training.training import Training
from narrows.model.use.evaluate import evaluate

KINDS = {  # the first that is part of an operation's name
    "products": ("mm", "conv", "dot"),
    "random": ("normal", "random", "uniform", "bernoulli"),
    "optimiser": ("adam", "sgd"),
}
EPOCHS = 5


def profiled(
    labs: Sequence[str] = tuple(CASES), images: int | None = None, say: Callable[[str], None] = lambda words: None
) -> dict[str, list[dict[str, Any]]]:
    """Of each lab the parts of a "step" and of an "evaluation". images: how many of each set; None for all."""
    found: dict[str, list[dict[str, Any]]] = {"step": [], "evaluation": []}
    for lab in labs:
        for name, part in (("step", steps), ("evaluation", evaluations)):
            say(f"lab {lab}: {name}")
            found[name].append(part(lab, CASES[lab], images))
    return found


def steps(lab: str, case: Case, images: int | None = None) -> dict[str, Any]:
    """Milliseconds of a step of the lab's training, in all and by kind."""
    train, _ = load_data(case.data)
    changes = {"epochs": 1000, "validation": None, "training": None}
    training = recipe(case.recipe, **changes)._prepare(train[:images])  # type: ignore[union-attr]
    training.run_epoch()
    whole = median(_epoch(training) for _ in range(EPOCHS))
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        training.run_epoch()
    count, kinds = training.steps_per_epoch, Counter[str]()
    for event in seen.key_averages():
        if event.key.startswith("aten::"):
            kinds[_kind(event.key)] += event.self_cpu_time_total / count / 1e3
    floor = 3 * forward(case) * len(training.images) / count / peak(torch.device("cpu")) * 1e3
    parts = {kind: float(kinds[kind]) for kind in (*KINDS, "elementwise")}
    found = {"step": whole, "floor": floor, **parts, "between": whole - sum(parts.values())}
    return {"lab": lab, **{f"{name}, ms": value for name, value in found.items()}}


def evaluations(lab: str, case: Case, images: int | None = None) -> dict[str, Any]:
    """Seconds of an evaluation of the lab's model: all of it, and what of it is not the model's."""
    train, test = (load_data(case.data, split)[0][:images] for split in ("train", "test"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NarrowsWarning)  # what it learned in two steps is of no concern
        model = recipe(case.recipe, epochs=1, validation=None, training=None).fit(train[:512])
    pixels = ImageBatches(test, model.layout_, model.scale_)

    def through() -> None:
        for rows in pixels.batches(model._widest):
            model.views(pixels.batch(rows))

    evaluate(model, test)
    pairs = [(_seconds(lambda: evaluate(model, test)), _seconds(through)) for _ in range(EPOCHS)]
    beyond = [whole - alone for whole, alone in pairs]
    whole = median(whole for whole, _ in pairs)
    return {"lab": lab, "images": len(test), "evaluation, s": whole, "beyond the model, s": median(beyond)}


def _epoch(training: Training) -> float:
    """Milliseconds of a step, over an epoch."""
    training.run_epoch()
    return training.progress.history["seconds"][-1] / training.steps_per_epoch * 1e3


def _kind(operation: str) -> str:
    return next((kind for kind, parts in KINDS.items() if any(part in operation for part in parts)), "elementwise")


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    with flush_denormals():
        work()
    return time.perf_counter() - start


def rounded(rows: list[dict[str, Any]]) -> Table:
    """Numbers with two digits after the point, as people read them."""
    return Table({k: f"{v:.2f}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)
