"""What a run leaves behind: a model file, its history as CSV, its snapshots, its times. And how it
is taken up again.

Of these files only `history.csv` (its columns `seconds` and `val_seconds`) and `times.json` hold
wall times; with the same seed, images, versions, machine and number of threads the others are the
same to the byte.

A run is taken up again (`take_up`) where all that made it is the same: the recipe's options,
training images, snapshots asked for and the images that they show, versions of Narrows and torch.
So figures and words of a study can be changed without training again.
"""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from narrows.data.numpy_files import Npz
from narrows.errors import DataError, NarrowsError, Shortage
from narrows.files import atomic, write_file
from narrows.model.estimator.base import ImageModel
from narrows.model.file_format import CHECKPOINT_NAME, with_later_options
from narrows.model.files import store
from narrows.model.training.split import held_back
from narrows.parts.term import present_names
from narrows.reading import reading
from narrows.study.data_split import DataSplit
from narrows.study.schema import Run
from narrows.study.trained import Trained

Snapshots = dict[int, dict[str, np.ndarray]]  # epoch -> rows of images
SAME_VERSIONS = ("narrows", "torch")
HISTORY_FILE = "history.csv"
STEPS_FILE = "steps.csv"
SNAPSHOTS_FILE = "snapshots.npz"
TIMES_FILE = "times.json"
MODEL_FILE = "model.safetensors"
RUN_FILES = (HISTORY_FILE, STEPS_FILE, SNAPSHOTS_FILE, TIMES_FILE, MODEL_FILE)


def keep(run: Run, trained: Trained, folder: Path) -> None:
    """Write the files of a run: `model.safetensors`, `times.json` and, of a trained model, the
    others.

    What an earlier run has left there under these names is replaced, or removed where this one has
    nothing; the model, which says whose files these are, comes last.
    """
    _keep_table(folder / HISTORY_FILE, "epoch", trained.history)
    _keep_table(folder / STEPS_FILE, "step", trained.step_terms)
    if not trained.history:
        (folder / CHECKPOINT_NAME).unlink(missing_ok=True)  # another model's
    keep_snapshots(trained.snapshots, folder)
    times = {"training": trained.seconds, "history": _wall_times(trained.history)}
    write_file(folder / TIMES_FILE, json.dumps(times))
    store.save(trained.model, folder / MODEL_FILE, _about(run, trained))


def keep_snapshots(snapshots: Snapshots, folder: Path) -> None:
    """Write `snapshots.npz`, or remove it where there are none."""
    if not snapshots:
        (folder / SNAPSHOTS_FILE).unlink(missing_ok=True)
        return
    arrays = {
        f"{epoch}/{row}": images
        for epoch, rows in snapshots.items()
        for row, images in rows.items()
    }
    with atomic(folder / SNAPSHOTS_FILE) as aside, open(aside, "wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def snapshots_in(folder: Path) -> Snapshots:
    """The snapshots in a folder; none where they are missing or broken."""
    try:
        return _read_snapshots(folder / SNAPSHOTS_FILE)
    except DataError:
        return {}


def settings_in_words(run: Run, split: DataSplit) -> dict[str, Any]:
    """What makes a run, apart from the options of its model, in words for the user who has changed it."""
    settings = _settings(run, split)
    words = {"data": settings["fingerprint"]}
    for name in ("recipe", "watch", "snapshots"):
        words[name] = settings[name]
    if "seen" in settings:
        words["images seen on the way"] = settings["seen"]
    return words


def take_up(run: Run, model: ImageModel, split: DataSplit, folder: Path) -> Trained | None:
    """The run that `keep` wrote there; None unless the same settings made it, and it was complete."""
    try:
        with reading(folder):
            header, _ = store.read_file(folder / MODEL_FILE)
            if not (header["about"]["whole"] and _is_same(header, run, model, split)):
                return None
            return _read(run, model, split, folder, header["about"])
    except Shortage:
        raise
    except NarrowsError:
        return None


def _is_same(header: Mapping[str, Any], run: Run, model: ImageModel, split: DataSplit) -> bool:
    """Whether a model file was made by the same options, versions, images and settings."""
    versions, about = store.versions(), header["about"]
    options = store.options_as_json(model)
    return (
        with_later_options(header["options"], options) == options
        and all(header["versions"][name] == versions[name] for name in SAME_VERSIONS)
        and all(about.get(name) == value for name, value in _settings(run, split).items())
    )


def _read(
    run: Run, model: ImageModel, split: DataSplit, folder: Path, about: Mapping[str, Any]
) -> Trained:
    times = json.loads((folder / TIMES_FILE).read_text(encoding="utf-8"))
    trained = Trained(run.name, store.load(folder), split, times["training"], about["warnings"])
    trained.complete = trained.reused = True
    trained.model.history_ = {**trained.model.history_, **times["history"]}
    if isinstance(share := getattr(model, "validation", None), float):
        index = held_back(len(split.train), share, trained.model.seed_, split.groups)
        trained.model.validation_index_ = index  # type: ignore[attr-defined]
    columns = _read_columns(folder / STEPS_FILE)
    names = present_names(columns, trained.model.terms_.values())
    trained.step_terms = {names[name]: column for name, column in columns.items()}
    trained.snapshots = _read_snapshots(folder / SNAPSHOTS_FILE)
    return trained


def as_csv(first: str, columns: Mapping[str, Any]) -> str:
    """Columns of equal length as CSV, numbered from 1."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([first, *columns])
    for number, row in enumerate(zip(*columns.values()), start=1):
        writer.writerow([number, *(f"{float(value):.9g}" for value in row)])
    return text.getvalue()


def _keep_table(path: Path, first: str, columns: Mapping[str, Any]) -> None:
    if columns:
        write_file(path, as_csv(first, columns))
    else:
        path.unlink(missing_ok=True)


def _settings(run: Run, split: DataSplit) -> dict[str, Any]:
    """What makes a run, apart from the options of its model, as model files hold it."""
    settings: dict[str, Any] = {
        "recipe": run.recipe,
        "fingerprint": split.train.fingerprint,
        "watch": run.watch,
    }
    settings["snapshots"] = run.snapshots
    if run.watch or run.snapshots:  # test images that the training looks at
        settings["seen"] = split.test.fingerprint
    return settings


def _about(run: Run, trained: Trained) -> dict[str, Any]:
    return {
        **_settings(run, trained.split),
        "data": trained.split.train.source,
        "warnings": trained.warnings,
        "whole": trained.complete,
    }


def _wall_times(history: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """The wall times of a history, which a model file does not hold."""
    return {name: column for name, column in history.items() if "seconds" in name}


def _read_columns(path: Path) -> dict[str, np.ndarray]:
    """The columns of a CSV but the first, which numbers its rows; exactly, since they came from
    float32.
    """
    if not path.is_file():
        return {}
    names = path.read_text(encoding="utf-8").partition("\n")[0].split(",")
    columns = (
        np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2).T.astype(np.float32).astype(float)
    )
    return dict(zip(names[1:], columns[1:]))


def _read_snapshots(path: Path) -> Snapshots:
    if not path.is_file():
        return {}
    snapshots: Snapshots = {}
    with reading(path), Npz(path) as stored:
        for name in stored:
            epoch, row = name.split("/", 1)
            snapshots.setdefault(int(epoch), {})[row] = stored[name]
    return snapshots
