"""Where the time of a training step and of an evaluation goes.

torch's profiler gives the time spent in each operation. These times are added up by kind:

    products      products of matrices, convolutions, and the sums for their biases
    random        random numbers
    optimiser     the optimiser's own kernels
    elementwise   activations, losses, their gradients, reading and copying pixels

The rest of the step, timed without the profiler, is Python, autograd and torch's dispatch
("between"). The floor is the time of the step's products at the machine's best speed (see `floor`).
"""

import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, cast

import torch
from torch.profiler import ProfilerActivity, profile

from narrows.bench.cases import CASES, Case
from narrows.bench.floor import forward, peak
from narrows.data import load_data
from narrows.errors import NarrowsWarning
from narrows.image_batches import ImageBatches
from narrows.machine import flush_denormals
from narrows.measure import Table
from narrows.model.estimator.autoencoder import Autoencoder
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
    labs: Sequence[str] = tuple(CASES),
    images: int | None = None,
    say: Callable[[str], None] = lambda words: None,
) -> dict[str, list[dict[str, Any]]]:
    """The parts of a "step" and of an "evaluation" of each lab. images: use only this many of each
    set.
    """
    rows: dict[str, list[dict[str, Any]]] = {"step": [], "evaluation": []}
    for lab in labs:
        for name, measure in (("step", steps), ("evaluation", evaluations)):
            say(f"lab {lab}: {name}")
            rows[name].append(measure(lab, CASES[lab], images))
    return rows


def steps(lab: str, case: Case, images: int | None = None) -> dict[str, Any]:
    """Milliseconds of a step of the lab's training, in total and by kind."""
    train, _ = load_data(case.data)
    changes = {"epochs": 1000, "validation": None, "training": None}
    model = cast(Autoencoder, recipe(case.recipe, **changes))  # no case is a PCA: it has no steps
    training = model._prepare(train[:images])
    training.run_epoch()
    step = median(_epoch(training) for _ in range(EPOCHS))
    count = training.steps_per_epoch
    operations = 3 * forward(case) * len(training.images) / count
    kinds = _milliseconds_by_kind(training)
    times = {
        "step": step,
        "floor": operations / peak(torch.device("cpu")) * 1e3,
        **kinds,
        "between": step - sum(kinds.values()),
    }
    return {"lab": lab, **{f"{name}, ms": value for name, value in times.items()}}


def _milliseconds_by_kind(training: Training) -> dict[str, float]:
    """The time that torch's operations take in a step, over an epoch under the profiler."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        training.run_epoch()
    sums = Counter[str]()
    for event in profiler.key_averages():
        if event.key.startswith("aten::"):
            sums[_kind(event.key)] += event.self_cpu_time_total / training.steps_per_epoch / 1e3
    return {kind: float(sums[kind]) for kind in (*KINDS, "elementwise")}


def evaluations(lab: str, case: Case, images: int | None = None) -> dict[str, Any]:
    """Seconds of an evaluation of the lab's model: in total, and without the model's own time."""
    train, test = (load_data(case.data, split)[0][:images] for split in ("train", "test"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NarrowsWarning)  # two steps teach it little
        model = recipe(case.recipe, epochs=1, validation=None, training=None).fit(train[:512])
    pixels = ImageBatches(test, model.layout_, model.scale_)

    def through() -> None:
        for rows in pixels.batches(model._widest):
            model.views(pixels.batch(rows))

    evaluate(model, test)
    pairs = [(_seconds(lambda: evaluate(model, test)), _seconds(through)) for _ in range(EPOCHS)]
    beyond = [whole - alone for whole, alone in pairs]
    whole = median(whole for whole, _ in pairs)
    return {
        "lab": lab,
        "images": len(test),
        "evaluation, s": whole,
        "beyond the model, s": median(beyond),
    }


def _epoch(training: Training) -> float:
    """Milliseconds of a step, over an epoch."""
    training.run_epoch()
    return training.progress.history["seconds"][-1] / training.steps_per_epoch * 1e3


def _kind(operation: str) -> str:
    return next(
        (kind for kind, parts in KINDS.items() if any(part in operation for part in parts)),
        "elementwise",
    )


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    with flush_denormals():
        work()
    return time.perf_counter() - start


def rounded(rows: list[dict[str, Any]]) -> Table:
    """Rows to be printed: numbers with two digits after the point."""
    return Table(
        {k: f"{v:.2f}" if isinstance(v, float) else v for k, v in row.items()} for row in rows
    )
