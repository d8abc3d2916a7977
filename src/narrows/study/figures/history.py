"""What training recorded: the loss, its terms and the measures, over epochs and over steps."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from narrows.errors import wrong
from narrows.measure.names import with_unit
from narrows.study.entries import (
    VALIDATION,
    Entry,
    common_unit,
    describe_entry,
    loss_entries,
    per_value,
)
from narrows.study.figures.per_run import per_run
from narrows.study.record import Figure
from narrows.study.trained import Trained


@per_run
def curves(
    run: Trained,
    of: Sequence[str] | None = None,
    ylabel: str | None = None,
    per_pixel: bool = False,
    **options: Any,
) -> Iterator[Figure]:
    """Entries of the history over epochs, by default the loss and all its terms; options go to the
    drawing.
    """
    lines = _lines(run, run.history, of, per_pixel)
    for part in ("", VALIDATION):
        _drop_only_term(lines, f"{part}loss", part)
    if lines:
        axes = {"xlabel": "epoch", **_words(run, lines, ylabel, per_pixel)}
        yield Figure(run.name, "curves", "", {**axes, **options}, lines)


@per_run
def steps(
    run: Trained,
    of: Sequence[str] | None = None,
    ylabel: str | None = None,
    per_pixel: bool = False,
    log: bool = False,
) -> Iterator[Figure]:
    """The loss and its terms over the steps of the optimiser, raw and smoothed."""
    lines = _lines(run, run.step_terms, of, per_pixel)
    _drop_only_term(lines, "loss", "")
    if lines:
        axes = {"xlabel": "iteration", **_words(run, lines, ylabel, per_pixel)}
        yield Figure(run.name, "curves", "", {**axes, "smooth": True, "log": log}, lines)


def compared(
    runs: Sequence[Trained],
    of: str = "loss",
    over: str = "epoch",
    ylabel: str | None = None,
    per_pixel: bool = False,
    **options: Any,
) -> Iterator[Figure]:
    """One entry of several runs' histories in one figure, over epochs or iterations ("epoch",
    "iteration").
    """
    if over not in ("epoch", "iteration"):
        raise wrong("over", over, "'epoch' or 'iteration'")
    lines, labels = {}, set()
    for run in runs:
        kept = run.history if over == "epoch" else run.step_terms
        line = _lines(run, kept, [of], per_pixel)
        if line:
            lines[run.name] = line[of]
            labels.add(_label(run, line, ylabel, per_pixel))
    if lines:
        label = labels.pop() if len(labels) == 1 else of
        options = {"xlabel": over, "ylabel": label, "smooth": over == "iteration", **options}
        yield Figure(of, "curves", "", options, lines)


def _lines(
    run: Trained, kept: Mapping[str, Any], of: Sequence[str] | None, per_pixel: bool
) -> dict[str, np.ndarray]:
    """The entries that there are; a loss per pixel is that of the image divided by the number of
    its values.
    """
    share = run.model.n_features_in_ if per_pixel else 1
    names = loss_entries(kept) if of is None else of
    present = [name for name in names if len(kept.get(name, ()))]
    return {name: np.asarray(kept[name], dtype=np.float32) / share for name in present}


def _drop_only_term(lines: dict[str, np.ndarray], loss: str, part: str) -> None:
    """Leave out a term that is the loss itself, since the two lines would cover each other."""
    for name in list(lines):
        is_term = name != loss and name.startswith(VALIDATION) == bool(part)
        if is_term and np.array_equal(lines[name], lines.get(loss, ())):
            del lines[name]


def _words(
    run: Trained, lines: Mapping[str, Any], ylabel: str | None, per_pixel: bool
) -> dict[str, Any]:
    """The label of the y axis, and what the legend calls the lines, with their units if these
    differ.
    """
    entries = {name: describe_entry(run, name) for name in lines}
    names = {name: entry.line for name, entry in entries.items()}
    if ylabel is None and len({entry.unit for entry in entries.values()}) > 1:
        units = {name: _unit(entry, per_pixel) for name, entry in entries.items()}
        names = {name: with_unit(title, units[name]) for name, title in names.items()}
    return {"ylabel": _label(run, lines, ylabel, per_pixel), "names": names}


def _label(run: Trained, lines: Mapping[str, Any], ylabel: str | None, per_pixel: bool) -> str:
    """The label that is asked for; or the unit of the lines, if they share one; or what they are."""
    if ylabel is not None:
        return ylabel
    entries = [describe_entry(run, name) for name in lines]
    titles = {entry.title for entry in entries}
    title = titles.pop() if len(titles) == 1 else "value"
    return common_unit(_unit(entry, per_pixel) for entry in entries) or title


def _unit(entry: Entry, per_pixel: bool) -> str:
    return per_value(entry.unit) if per_pixel else entry.unit
