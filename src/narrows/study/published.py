"""Numbers of a study next to the published ones: published | faithful | difference | unit.

A number comes from one source:

    history   an entry of the model's history, at an epoch (default: the last) or as the mean over
              the epochs
    batch     a term of the loss of the last mini-batch, which some reports print as if it were the
              epoch's
    test      a measure of the test images, by its name in the table of measures
    error     the squared error of chosen images, summed over each; `published` may then be a list,
              one an image

`trap` adds a column: the same error with the input multiplied by a factor, and the output divided
by it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from narrows.errors import DataError, did_you_mean, wrong
from narrows.measure.names import measure_unit
from narrows.study.entries import MEASURE_SCALES, describe_entry, per_value, working_scale
from narrows.study.schema import Number
from narrows.study.trained import Trained, summed_errors

TRAP = "by the trap"  # the column
Values = list[float | None]
Sourced = tuple[
    Values, list[str]
]  # the values, and the names of their images where it is one an image
Measured = Mapping[str, float]


def published_rows(
    number: Number, run: Trained, measured: Measured, measure_scale: str = "unit"
) -> list[dict[str, Any]]:
    """The rows of a number: one, or one an image and their mean."""
    source = next(name for name in SOURCES if getattr(number, name) is not None)
    values, names = SOURCES[source](number, run, measured)
    columns = {
        "published": _published_list(number.published, values),
        "faithful": _scaled(number, run, values),
    }
    if number.trap is not None:
        trapped, _ = _errors(number, run, measured, times=number.trap)
        columns[TRAP] = _scaled(number, run, trapped)
    labels = [number.label]
    if len(names) > 1:
        labels = [f"{number.label}, {name}" for name in [*names, "mean"]]
        columns = {name: [*column, _mean(column)] for name, column in columns.items()}
    unit = UNITS[source](number, run, MEASURE_SCALES[measure_scale])
    rows = zip(labels, zip(*columns.values()))
    return [_row(label, dict(zip(columns, values)), unit) for label, values in rows]


def _row(label: str, values: dict[str, float | None], unit: str) -> dict[str, Any]:
    published, faithful = values["published"], values["faithful"]
    difference = None
    if published is not None and faithful is not None:
        difference = faithful - published
    row = {"": label, "published": published, "faithful": faithful, "difference": difference}
    if TRAP in values:
        row[TRAP] = values[TRAP]
    return {**row, "unit": unit}


# -- where a number comes from ---------------------------------------------------------------


def _from_history(number: Number, run: Trained, measured: Measured) -> Sourced:
    values = _entry(number, number.history, run.history)
    if number.epoch is not None and number.epoch > len(values):
        return [None], []
    if number.mean:
        return [float(np.mean(values))], []
    epoch = number.epoch or len(values)
    return [float(values[epoch - 1])], []


def _from_batch(number: Number, run: Trained, measured: Measured) -> Sourced:
    return [float(_entry(number, number.batch, run.step_terms)[-1])], []


def _from_test(number: Number, run: Trained, measured: Measured) -> Sourced:
    return [float(_entry(number, number.test, measured))], []


def _errors(number: Number, run: Trained, measured: Measured, **trap: float) -> Sourced:
    """Squared errors of the images that the number names. Noise stays as it is when the input is
    multiplied.
    """
    choice = dict(number.error or {})
    fed = choice.pop("fed", {})
    if trap:
        fed = {**fed, **trap}
    x, names = run.pick(choice, most=1)
    _, output = run.feed(x, fed)
    errors = summed_errors(x, output).tolist()
    if isinstance(number.published, list) or len(errors) == 1:
        return errors, names
    return [float(np.mean(errors))], []


SOURCES: dict[str, Callable[..., Sourced]] = {
    "history": _from_history,
    "batch": _from_batch,
    "test": _from_test,
    "error": _errors,
}


# -- and its unit ----------------------------------------------------------------------------


def _unit_of_entry(number: Number, run: Trained, measure_scale: str) -> str:
    """The unit of an entry of the history or of the steps, with the scale of the loss and its terms."""
    name = number.history or number.batch or ""
    unit = describe_entry(run, name).unit
    base = name.removeprefix("val_")
    if base != "loss" and base not in run.terms:
        return unit
    if number.per_pixel:
        unit = per_value(unit)
    return _times(number, f"{unit} on {working_scale(run.model)}".strip())


def _unit_of_measure(number: Number, run: Trained, measure_scale: str) -> str:
    return _times(number, measure_unit(number.test or "", measure_scale))


def _unit_of_error(number: Number, run: Trained, measure_scale: str) -> str:
    share = "per value" if number.per_pixel else "of an image"
    return _times(number, f"squared error {share} on [0, 1]")


def _times(number: Number, unit: str) -> str:
    if number.times == 1:
        return unit
    return f"{unit}, times {number.times:g}"


UNITS: dict[str, Callable[[Number, Trained, str], str]] = {
    "history": _unit_of_entry,
    "batch": _unit_of_entry,
    "test": _unit_of_measure,
    "error": _unit_of_error,
}


def _entry(number: Number, name: Any, kept: Mapping[str, Any]) -> Any:
    if name not in kept:
        missing = f"the number {number.label!r}: run {number.run!r} has no {name!r}"
        raise DataError(f"{missing}; {did_you_mean(name, kept)}")
    return kept[name]


def _published_list(published: Any, faithful: Values) -> Values:
    """The published values, one for each of ours."""
    values = published if isinstance(published, list) else [published]
    if len(values) != len(faithful):
        raise wrong("published", values, f"{len(faithful)} numbers, one an image")
    return values


def _scaled(number: Number, run: Trained, values: Values) -> Values:
    factor = number.times
    if number.per_pixel:
        factor = number.times / run.model.n_features_in_
    return [None if value is None else value * factor for value in values]


def _mean(values: Values) -> float | None:
    """The mean; None if a value is missing."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    return float(np.mean(known))
