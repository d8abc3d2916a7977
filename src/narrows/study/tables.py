"""The tables of a page: what was published, what training came to, measures of the test images, bytes."""

from collections.abc import Mapping
from typing import Any

from narrows.measure import Table
from narrows.study.byte_sizes import LOOKED, byte_sizes
from narrows.study.trained import Trained

EPOCH = (
    "Terms of the loss: sums over an image without the likelihood's constant (with the gaussian's default variance, "
    "squared errors). Training figures are means over the epoch, while the weights move."
)
BYTES = (
    "What would be stored of one image. A ratio of numbers (pixels to units of the code) is not one of bytes: a "
    "pixel takes one, a float32 four. With 8 bits each unit is one of 256 values, from its least to its largest. "
    f"Errors are over the first {LOOKED:,} test images, after rounding to pixels."
)
SHOWN = 1000  # skipped files that the page names
SKIPPED = f"Files that could not be read, and why; the first {SHOWN:,}."
LAST = ("active_units", "dead_units", "code_size", "side_bits", "parameters")  # rows of a table of measures


def tables(
    published: list[dict[str, Any]], done: dict[str, Trained], measured: dict[str, dict[str, float]], scale: str
) -> list[dict[str, Any]]:
    """Tables with their titles and captions; those without rows are left out."""
    found = {
        "Published and faithful": ("", published),
        "Last epoch": (EPOCH, _transposed(_last(done))),
        "Measures": (_measured(done, scale), _transposed(measured)),
        "Bytes": (BYTES, byte_sizes(done)),
        "Files skipped": (SKIPPED, _skipped(done)),
    }
    return [{"title": title, "caption": caption, "rows": rows} for title, (caption, rows) in found.items() if rows]


def _skipped(done: dict[str, Trained]) -> list[dict[str, Any]]:
    """A row for each file that could not be read, of whatever run."""
    found = dict.fromkeys(
        row for run in done.values() for part in (run.shown.train, run.shown.test) for row in part.skipped
    )
    return [{"file": name, "reason": reason} for name, reason in list(found)[:SHOWN]]


def _measured(done: dict[str, Trained], measure_scale: str) -> str:
    scale = "[0, 1]" if measure_scale == "unit" else "[-1, 1] with a range of 2"
    counts = " or ".join(f"{count:,}" for count in dict.fromkeys(len(run.shown.test) for run in done.values()))
    return (
        f"Over {counts} test images, one value an image, averaged; on {scale}, before clipping. Bounds "
        "and NLL hold the likelihood's constant."
    )


def _last(done: dict[str, Trained]) -> dict[str, dict[str, float]]:
    """The last entry of each trained run's history; the loss per value of the image too, as reports print it."""
    found = {}
    for name, run in done.items():
        if run.history:
            last = {key: values[-1] for key, values in run.history.items() if values}
            terms = [key for key in last if not key.startswith("val_") and key not in ("loss", "seconds")]
            hidden = {*terms, f"val_{terms[0]}"} if len(terms) == 1 else set()  # the only term is the loss itself
            found[name] = {_spoken(key): value for key, value in last.items() if key not in hidden}
            if "nll" in terms:
                found[name]["training nll per value"] = last["nll"] / run.model.n_features_in_
    return found


def _spoken(name: str) -> str:
    """A name of the history as a row says it."""
    return f"validation {name[4:]}" if name.startswith("val_") else f"training {name}"


def _transposed(measured: Mapping[str, dict[str, float]]) -> Table:
    """A row for each measure, a column for each run."""
    names = dict.fromkeys(name for found in measured.values() for name in found)
    names = sorted(
        (name for name in names if not name.endswith(" seconds")),
        key=lambda name: LAST.index(name) if name in LAST else -1,
    )
    return Table({"measure": name, **{run: found.get(name) for run, found in measured.items()}} for name in names)
