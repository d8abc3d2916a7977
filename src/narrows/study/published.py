"""Numbers of a study beside the published ones: published | faithful | difference.

A number comes from one source:

    history   an entry of the model's history, at an epoch (default: the last) or as the mean over the epochs
    batch     a term of the loss of the last mini-batch, which some reports print as if it were the epoch's
    test      a measure of the test images, by its name in the table of measures
    error     the squared error of chosen images, summed over each; `published` may then be a list, one an image

`trap` adds a column: the same error with the input multiplied by so much, and the output divided by it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from narrows.errors import DataError, did_you_mean, wrong
from narrows.study.schema import Number
from narrows.study.trained import Trained, summed_errors

TRAP = "by the trap"  # the column


def published_rows(number: Number, run: Trained, measured: Mapping[str, float]) -> list[dict[str, Any]]:
    """The rows of a number: one, or one an image and their mean."""
    source = next(name for name in SOURCES if getattr(number, name) is not None)
    factor = number.times / (run.model.n_features_in_ if number.per_pixel else 1)
    faithful, names = SOURCES[source](number, run, measured)
    columns = {"published": _listed(number.published, faithful), "faithful": _scaled(faithful, factor)}
    if number.trap is not None:
        columns[TRAP] = _scaled(_errors(number, run, measured, times=number.trap)[0], factor)
    labels = [number.label] if len(names) < 2 else [f"{number.label}, {name}" for name in names]
    if len(labels) > 1:
        labels.append(f"{number.label}, mean")
        columns = {name: [*values, _mean(values)] for name, values in columns.items()}
    return [_row(label, {name: values[k] for name, values in columns.items()}) for k, label in enumerate(labels)]


def _row(label: str, values: dict[str, float | None]) -> dict[str, Any]:
    published, faithful = values["published"], values["faithful"]
    both = published is not None and faithful is not None
    trap = {TRAP: values[TRAP]} if TRAP in values else {}
    difference = faithful - published if both else None  # type: ignore[operator]
    return {"": label, "published": published, "faithful": faithful, "difference": difference, **trap}


def _history(number: Number, run: Trained, measured: Mapping[str, float]) -> tuple[list[float | None], list[str]]:
    values = _entry(number, number.history, run.history)
    late = number.epoch is not None and number.epoch > len(values)
    return [None if late else float(np.mean(values) if number.mean else values[(number.epoch or 0) - 1])], []


def _batch(number: Number, run: Trained, measured: Mapping[str, float]) -> tuple[list[float | None], list[str]]:
    return [float(_entry(number, number.batch, run.batches)[-1])], []


def _test(number: Number, run: Trained, measured: Mapping[str, float]) -> tuple[list[float | None], list[str]]:
    return [float(_entry(number, number.test, measured))], []


def _errors(
    number: Number, run: Trained, measured: Mapping[str, float], **trap: float
) -> tuple[list[float | None], list[str]]:
    """Squared errors of the images that the number names. Noise stays as it is when the input is multiplied."""
    choice = dict(number.error or {})
    fed = choice.pop("fed", {})
    x, names = run.pick(choice, most=1)
    found = [float(value) for value in summed_errors(x, run.fed(x, {**fed, **trap} if trap else fed)[1])]
    if isinstance(number.published, list) or len(found) == 1:
        return list(found), names
    return [float(np.mean(found))], []


SOURCES: dict[str, Callable[..., tuple[list[float | None], list[str]]]] = {
    "history": _history,
    "batch": _batch,
    "test": _test,
    "error": _errors,
}


def _entry(number: Number, name: Any, kept: Mapping[str, Any]) -> Any:
    if name not in kept:
        said = f"the number {number.label!r}: run {number.run!r} has no {name!r}"
        raise DataError(f"{said}; {did_you_mean(name, kept)}")
    return kept[name]


def _listed(published: Any, faithful: list[Any]) -> list[float | None]:
    """The published values, one for each of ours."""
    listed = published if isinstance(published, list) else [published]
    if len(listed) != len(faithful):
        raise wrong("published", listed, f"{len(faithful)} numbers, one an image")
    return listed


def _scaled(values: list[float | None], factor: float) -> list[float | None]:
    return [None if value is None else value * factor for value in values]


def _mean(values: list[float | None]) -> float | None:
    return None if None in values else float(np.mean(values))  # type: ignore[arg-type]
