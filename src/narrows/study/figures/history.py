"""What training wrote down: the loss, its terms and the measures, over epochs and over batches."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from narrows.errors import wrong
from narrows.study.figures.per_run import per_run
from narrows.study.record import Figure
from narrows.study.trained import Trained

NATS = "nats an image"


@per_run
def curves(
    run: Trained, of: list[str], ylabel: str = NATS, per_pixel: bool = False, **options: Any
) -> Iterator[Figure]:
    """Entries of the history over epochs; options go to the drawing."""
    arrays = _lines(run, run.history, of, per_pixel)
    for of_which in ("", "val_"):
        if np.array_equal(arrays.get(f"{of_which}nll", ()), arrays.get(f"{of_which}loss", ())):
            arrays.pop(f"{of_which}nll", None)  # the only term: the loss itself
    if arrays:
        yield Figure(run.name, "curves", "", {"xlabel": "epoch", "ylabel": ylabel, **options}, arrays)


@per_run
def steps(
    run: Trained, of: list[str], ylabel: str = NATS, per_pixel: bool = False, log: bool = False
) -> Iterator[Figure]:
    """Terms of the loss over batches, raw and smoothed."""
    arrays = _lines(run, run.batches, of, per_pixel)
    if arrays:
        options = {"xlabel": "iteration", "ylabel": ylabel, "smooth": True, "log": log}
        yield Figure(run.name, "curves", "", options, arrays)


def compared(
    runs: Sequence[Trained],
    of: str = "loss",
    over: str = "epoch",
    ylabel: str = NATS,
    per_pixel: bool = False,
    **options: Any,
) -> Iterator[Figure]:
    """One entry of several runs' histories in one figure, over epochs or iterations ("epoch", "iteration")."""
    if over not in ("epoch", "iteration"):
        raise wrong("over", over, "'epoch' or 'iteration'")
    kept = {run.name: run.history if over == "epoch" else run.batches for run in runs}
    arrays = {run.name: _lines(run, kept[run.name], [of], per_pixel).get(of) for run in runs}
    arrays = {name: values for name, values in arrays.items() if values is not None}
    if arrays:
        options = {"xlabel": over, "ylabel": ylabel, "smooth": over == "iteration", **options}
        yield Figure(of, "curves", "", options, arrays)


def _lines(run: Trained, kept: Mapping[str, Any], of: list[str], per_pixel: bool) -> dict[str, np.ndarray]:
    """The entries that there are; a loss per pixel is that of the image by its values."""
    share = run.model.n_features_in_ if per_pixel else 1
    return {name: np.asarray(kept[name], dtype=np.float32) / share for name in of if len(kept.get(name, ()))}
