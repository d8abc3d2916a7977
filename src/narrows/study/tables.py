"""The tables of a page: published numbers, the last epoch, measures of the test images, bytes.

A table is plain values: title, caption, rows, and `names`: first cell of a row -> what the page
prints in its place. So a record prints without the model, and programs read the short names.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from narrows.measure.names import WITH_CONSTANT, measure_title
from narrows.model.use.evaluate import is_compared
from narrows.study.byte_sizes import MEASURED_IMAGES, byte_sizes
from narrows.study.entries import (
    MEASURE_SCALES,
    VALIDATION,
    Entry,
    describe_entry,
    is_time,
    loss_entries,
    per_value,
    training_scale,
    working_scale,
)
from narrows.study.trained import Trained

EPOCH = (
    "Terms of the loss are sums over an image; figures of the training are means over the epoch, "
    "while the weights change."
)
BYTES = (
    "What one image takes. A ratio of numbers (pixels to units of the code) is not a ratio "
    "of bytes: a pixel takes one, a float32 four. An archive is what narrows compress --code writes, "
    "tables and headers counted, the model not. With 8 bits each unit is one of 256 values, "
    "from its lowest to its highest. "
    f"Errors are over the first {MEASURED_IMAGES:,} test images, of an archive over its own, on [0, 1], "
    "after rounding to pixels; the PSNR is that of this error."
)
Row = dict[str, Any]  # column -> cell
Measured = Mapping[str, Mapping[str, float]]  # run -> measure -> value
SKIPPED_LIMIT = 1000  # skipped files that the page names
SKIPPED = f"Files that could not be read, and why; the first {SKIPPED_LIMIT:,}."


def tables(
    published: list[Row],
    trained: Mapping[str, Trained],
    measured: Measured,
    measure_scale: str,
) -> list[dict[str, Any]]:
    """Tables with their titles, captions and names; those without rows are left out."""
    runs = list(trained.values())
    made = [
        _table("Published and faithful", "", published),
        last_epoch_table(runs),
        _measures_table(runs, measured, measure_scale),
        _table("Bytes", BYTES, byte_sizes(trained)),
        *_own_tables(runs),
        _table("Files skipped", SKIPPED, _skipped_files(runs)),
    ]
    return [table for table in made if table["rows"]]


def _own_tables(runs: Sequence[Trained]) -> list[dict[str, Any]]:
    """The tables that models have of their own."""
    return [
        _table(f"{own['title']}: {run.name}", own["caption"], own["rows"])
        for run in runs
        for own in run.model.own_tables_
    ]


def last_epoch_table(runs: Sequence[Trained]) -> dict[str, Any]:
    """The last entries of each run's history; the data's term per value too, if it is a sum over an
    image.
    """
    runs = [run for run in runs if run.history]
    names: dict[str, str] = {}
    columns: dict[str, dict[str, float]] = {run.name: {} for run in runs}
    for run in runs:
        for name, value in _last_epoch(run).items():
            columns[run.name][_row_name(name)] = value
            names[_row_name(name)] = describe_entry(run, name).words
    for run in runs:
        for key, (value, words) in _data_term_per_value(run).items():
            columns[run.name][key] = value
            names[key] = words
    return _table("Last epoch", _epoch_caption(runs), _transposed(columns), names)


def _data_term_per_value(run: Trained) -> dict[str, tuple[float, str]]:
    """The data's term of the loss per value, in number and in words; none if it is no sum over an
    image.
    """
    data_term = next(iter(run.terms), "")
    entry = describe_entry(run, data_term)
    unit = per_value(entry.unit)
    if data_term not in run.history or unit == entry.unit:
        return {}
    share = run.history[data_term][-1] / run.model.n_features_in_
    return {f"training {data_term} per value": (share, Entry(entry.title, unit).words)}


def _last_epoch(run: Trained) -> dict[str, float]:
    """The last value of each entry of the history that is not a time."""
    return {
        name: values[-1] for name, values in run.history.items() if values and not is_time(name)
    }


def _row_name(entry: str) -> str:
    if entry.startswith(VALIDATION):
        return f"validation {entry.removeprefix(VALIDATION)}"
    return f"training {entry}"


def _epoch_caption(runs: Sequence[Trained]) -> str:
    """What the terms are, and on which scales they and the measures of the validation are."""
    scales = _by_scale({run.name: working_scale(run.model) for run in runs})
    words = f"The loss and its terms are on {scales}"
    measure_scales = dict.fromkeys(training_scale(run.model) for run in runs if _has_measures(run))
    if measure_scales:
        words += f"; measures of the validation on {' or '.join(measure_scales)}"
    return " ".join([EPOCH, *_term_captions(runs), f"{words}."])


def _term_captions(runs: Sequence[Trained]) -> list[str]:
    """A sentence for each term of the loss that has one."""
    captions = {}
    for run in runs:
        for term in run.terms.values():
            if term.caption:
                captions[term.title] = f"{term.title}: {term.caption.rstrip('.')}."
    return list(captions.values())


def _has_measures(run: Trained) -> bool:
    """Whether measures of the validation images are in its history."""
    losses = loss_entries(run.history)
    return any(
        name.startswith(VALIDATION) and name not in losses and not is_time(name)
        for name in run.history
    )


def _by_scale(scales: Mapping[str, str]) -> str:
    """Such as "[-1, 1] (denoiser), [0, 1] (plane)"; the scale alone where all runs have the same."""
    runs: dict[str, list[str]] = {}
    for run, scale in scales.items():
        runs.setdefault(scale, []).append(run)
    if len(runs) == 1:
        return next(iter(runs))
    return ", ".join(f"{scale} ({', '.join(names)})" for scale, names in runs.items())


def _measures_table(
    runs: Sequence[Trained], measured: Measured, measure_scale: str
) -> dict[str, Any]:
    rows = _transposed(measured)
    scale = MEASURE_SCALES[measure_scale]
    names = {row["measure"]: measure_title(row["measure"], scale) for row in rows}
    return _table("Measures", _measures_caption(runs, measured), rows, names)


def _measures_caption(runs: Sequence[Trained], measured: Measured) -> str:
    counts = dict.fromkeys(f"{len(run.split.test):,}" for run in runs)
    caption = (
        f"Over {' or '.join(counts)} test images, one value an image, averaged, before clipping; "
        "each on the scale that its name says."
    )
    if any(name in values for values in measured.values() for name in WITH_CONSTANT):
        caption += " ELBO and NLL hold the likelihood's constant."
    tables_of_values = [run for run in runs if run.model.layout_.is_table]
    if tables_of_values:
        scales = [f"{run.name}, {working_scale(run.model)}" for run in tables_of_values]
        caption += f" Tables of values have their MSE on the working scale ({'; '.join(scales)})."
    noisy = [run.name for run in runs if not is_compared(run.model, run.split.test.noisy)]
    if noisy:
        caption += (
            f" The images of {', '.join(noisy)} are noisy: no clean ones are known to compare."
        )
    return caption


def _skipped_files(runs: Iterable[Trained]) -> list[Row]:
    """A row for each file that could not be read, of any run."""
    files: dict[tuple[str, str], None] = {}
    for run in runs:
        files |= dict.fromkeys(run.split.train.skipped)
        files |= dict.fromkeys(run.split.test.skipped)
    return [{"file": name, "reason": reason} for name, reason in list(files)[:SKIPPED_LIMIT]]


def _transposed(columns: Measured) -> list[Row]:
    """A row for each measure, a column for each run."""
    rows = []
    for name in merged_order(columns.values()):
        values = {run: column.get(name) for run, column in columns.items()}
        rows.append({"measure": name, **values})
    return rows


def merged_order(lists: Iterable[Iterable[str]]) -> list[str]:
    """All names once, each in front of the one that follows it in its own list."""
    order: list[str] = []
    for names in lists:
        place = len(order)
        for name in reversed(list(names)):
            if name in order:
                place = order.index(name)
            else:
                order.insert(place, name)
    return order


def _table(
    title: str, caption: str, rows: list[Row], names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    return {"title": title, "caption": caption, "rows": rows, "names": dict(names or {})}
