"""What a run leaves behind: a model file, its history as CSV, its snapshots, its times. And how it is taken up again.

Of these files only `history.csv` (its columns `seconds` and `val_seconds`) and `times.json` hold wall times; with the
same seed, images, versions, machine and number of threads the others are the same to the byte.

A run is taken up again (`again`) where all that made it is the same: recipe's options, training images, snapshots
asked for and the images that they show, versions of Narrows and torch. So figures and words of a study can be changed
without training again.
"""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from narrows.data.readers.arrays import NPZ_ERRORS
from narrows.errors import DataError
from narrows.files import atomic, write_file
from narrows.model.estimator.base import ImageModel
from narrows.model.file_format import CHECKPOINT_NAME
from narrows.model.files import store
from narrows.model.training.split import held_back
from narrows.study.schema import Run
from narrows.study.trained import DataSplit, Trained

Snapshots = dict[int, dict[str, np.ndarray]]  # epoch -> rows of images
SAME = ("narrows", "torch")
HISTORY, STEPS, SNAPSHOTS, TIMES, MODEL = (
    "history.csv",
    "steps.csv",
    "snapshots.npz",
    "times.json",
    "model.safetensors",
)


def keep(run: Run, trained: Trained, folder: Path) -> None:
    """Write `model.safetensors`, `times.json` and, of a trained model, `history.csv`, `steps.csv`, `snapshots.npz`.

    What an earlier run has left there under these names is replaced, or removed where this one has nothing; the
    model, which says whose files these are, comes last.
    """
    for name, first, table in ((HISTORY, "epoch", trained.history), (STEPS, "step", trained.batches)):
        if table:
            write_file(folder / name, as_csv(first, table))
        else:
            (folder / name).unlink(missing_ok=True)
    if not trained.history:
        (folder / CHECKPOINT_NAME).unlink(missing_ok=True)  # another model's
    keep_snapshots(trained.snapshots, folder)
    write_file(folder / TIMES, json.dumps({"training": trained.seconds, "history": _times(trained.history)}))
    store.save(trained.model, folder / MODEL, _about(run, trained))


def keep_snapshots(snapshots: Snapshots, folder: Path) -> None:
    """Write `snapshots.npz`, or remove it where there are none."""
    if not snapshots:
        (folder / SNAPSHOTS).unlink(missing_ok=True)
        return
    arrays = {f"{epoch}/{row}": x for epoch, found in snapshots.items() for row, x in found.items()}
    with atomic(folder / SNAPSHOTS) as aside, open(aside, "wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def snapshots_in(folder: Path) -> Snapshots:
    """The snapshots in a folder; none where they are missing or broken."""
    try:
        return _snapshots(folder / SNAPSHOTS)
    except NPZ_ERRORS:
        return {}


def settings_of(run: Run, shown: DataSplit) -> dict[str, Any]:
    """What makes a run, beside the options of its model, in words for who has changed it."""
    found = _settings(run, shown)
    seen = {"images seen on the way": found["seen"]} if "seen" in found else {}
    return {"data": found["fingerprint"], **{k: found[k] for k in ("recipe", "watch", "snapshots")}, **seen}


def take_up(run: Run, model: ImageModel, shown: DataSplit, folder: Path) -> Trained | None:
    """The run that `keep` wrote there, if it is this one."""
    try:
        header, _ = store.read_file(folder / MODEL)
        about, now = header["about"], store.versions()
        same = (
            header["options"] == store.options_as_json(model)
            and all(header["versions"][name] == now[name] for name in SAME)
            and all(about.get(name) == value for name, value in _settings(run, shown).items())
        )
        if not (same and about["whole"]):
            return None
        times = json.loads((folder / TIMES).read_text(encoding="utf-8"))
        trained = Trained(run.name, store.load(folder), shown, times["training"], about["warnings"])
        trained.whole = trained.reused = True
        getattr(trained.model, "history_", {}).update(times["history"])
        if isinstance(share := getattr(model, "validation", None), float):
            trained.model.validation_index_ = held_back(len(shown.train), share, trained.model.seed_)  # type: ignore[attr-defined]
        trained.batches = _columns(folder / STEPS)
        trained.snapshots = _snapshots(folder / SNAPSHOTS)
    except (DataError, KeyError, OSError, TypeError, ValueError):
        return None
    return trained


def as_csv(first: str, columns: Any) -> str:
    """Columns of equal length as CSV, numbered from 1."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([first, *columns])
    for number, row in enumerate(zip(*columns.values()), start=1):
        writer.writerow([number, *(f"{float(value):.9g}" for value in row)])
    return text.getvalue()


def _settings(run: Run, shown: DataSplit) -> dict[str, Any]:
    found = {"recipe": run.recipe, "fingerprint": shown.train.fingerprint, "watch": run.watch}
    seen = {"seen": shown.test.fingerprint} if run.watch or run.snapshots else {}  # test images, on the way
    return {**found, "snapshots": run.snapshots, **seen}


def _about(run: Run, trained: Trained) -> dict[str, Any]:
    return {
        **_settings(run, trained.shown),
        "data": trained.shown.train.source,
        "warnings": trained.warnings,
        "whole": trained.whole,
    }


def _times(history: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """The wall times of a history, which a model file does not hold."""
    return {name: column for name, column in history.items() if "seconds" in name}


def _columns(path: Path) -> dict[str, np.ndarray]:
    """The columns of a CSV but the first, which numbers its rows; exactly, since they came from float32."""
    if not path.is_file():
        return {}
    names = path.read_text(encoding="utf-8").partition("\n")[0].split(",")
    columns = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2).T.astype(np.float32).astype(float)
    return dict(zip(names[1:], columns[1:]))


def _snapshots(path: Path) -> Snapshots:
    if not path.is_file():
        return {}
    found: Snapshots = {}
    with np.load(path, allow_pickle=False) as stored:
        for name in stored.files:
            epoch, row = name.split("/", 1)
            found.setdefault(int(epoch), {})[row] = stored[name]
    return found
