"""Running a study: train each run, measure it, compare it with what was published, and collect the figures.

All that trains goes through here: a lab, a study file, `train` (a study of one run) and `compare` (of several).
"""

import shlex
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from narrows.choose import merge
from narrows.data import ImageSet, read
from narrows.errors import DataError, Faults, NarrowsWarning, did_you_mean, unknown
from narrows.measure import Table
from narrows.model import store
from narrows.model.autoencoder import Autoencoder
from narrows.model.base import ImageModel
from narrows.model.evaluate import evaluate
from narrows.model.recipes import recipe
from narrows.study.form import Drawing, Number, Run, Study, vet
from narrows.study.output import keep
from narrows.study.page import draw
from narrows.study.pictures import PICTURES, Shown, Trained, rows
from narrows.study.record import Figure, Record

SNAPSHOT = 8  # images in a picture taken on the way
EPOCH = (
    "Terms of the loss: sums over an image without the likelihood's constant (with the gaussian's default variance, "
    "squared errors). Training figures are means over the epoch, while the weights move."
)
FEW = 200  # steps, in which hardly anything is learnt
LAST = ("active_units", "dead_units", "code_size", "side_bits", "parameters")  # rows of a table of measures
Say = Callable[[str], None]
STANDARD = [
    Drawing("curves", "Loss", "The loss and its terms.", options={"of": ["loss", "nll", "kl", "l1", "val_loss"]}),
    Drawing("reconstructions", "What it makes of images", "Test images; under each the PSNR to its original."),
    Drawing("samples", "New images", "Nothing went in but random codes."),
    Drawing("codes", "The space of codes", "Test images by their codes."),
    Drawing(
        "correlation", "Correlation of the code's units", "Over test images; 0 off the diagonal is independence."
    ),
]


def run_study(
    study: Study,
    folder: Path,
    *,
    data: Any = None,
    changes: dict[str, Any] | None = None,
    say: Say = lambda words: None,
) -> Record:
    """Run a study into a folder: models, histories, figures and the page.

    data: replaces the study's set. changes: to every run (such as epochs, device, random_state).
    """
    vet(study, study.title)
    start = time.perf_counter()
    models = _models(study, changes or {})
    shown = _read(data if data is not None else study.data)
    for name, reason in dict.fromkeys(shown.train.skipped + shown.test.skipped):
        say(f"skipped {name}: {reason}")
    record = Record(study.title, study.question, study.text)
    done, measured, faults = {}, {}, Faults(f"{study.title}: the page is drawn, but")
    for run, model in models:
        say(f"{run.name}: training {type(model).__name__} on {len(shown.train):,} images")
        done[run.name] = trained = _train(run, model, shown, folder, alone=len(models) == 1)
        measured[run.name] = evaluate(trained.model, shown.test.images, measure_scale=study.measure_scale)
        record.models.append(_described(run, trained))
        if 0 < trained.steps < FEW:
            say(
                f"{run.name}: only {trained.steps} steps were taken; a small set needs more epochs or smaller batches"
            )
        record.text += [f"Warning: {run.name}: {words}." for words in trained.warnings]
    table = []
    for number in study.numbers:
        with faults.catch():  # what was trained is kept, and shown, whatever is wrong with the study's wishes
            table.append(_number(number, done[number.run], measured[number.run]))
    if table:
        record.tables.append({"title": "Published and faithful", "caption": "", "rows": table})
    if last := _transposed(_last(done)):
        record.tables.append({"title": "Last epoch", "caption": EPOCH, "rows": last})
    record.tables.append({"title": "Measures", "caption": _measured(study, shown), "rows": _transposed(measured)})
    for drawing in study.figures or STANDARD:
        say(f"figure: {drawing.title}")
        with faults.catch():
            record.figures += _figures(drawing, done, shown)
    _tell_apart(record.figures)
    record.facts = facts(shown, models, time.perf_counter() - start)
    record.save(folder)
    draw(record, folder)
    faults.stop(DataError)
    return record


def _models(study: Study, changes: dict[str, Any]) -> list[tuple[Run, ImageModel]]:
    """The models, with the study's changes and the user's; those that only other runs have are left out.

    Raises `UnknownName` for a change that no run has.
    """
    models = [(run, recipe(run.recipe, **run.changes)) for run in study.runs]
    known = {name for _, model in models for name in model.get_params(deep=False)}
    for name in set(changes) - known:
        raise unknown("option", name, known)
    for _, model in models:
        own = model.get_params(deep=False)
        model.set_params(**{name: merge(own[name], value) for name, value in changes.items() if name in own})
    return models


def _read(data: Any) -> Shown:
    """Training and test images; a set that has no test part is split, a tenth to the test."""
    try:
        test = read(data, "test")
    except DataError:
        whole = read(data, "all")
    else:
        return Shown(read(data, "train"), test)
    if len(whole) < 2:
        raise DataError(f"{whole.source} holds one image; two at least are needed, to train and to test")
    order = np.random.default_rng(0).permutation(len(whole))
    held = max(1, len(whole) // 10)
    return Shown(*(_part(whole, np.sort(index)) for index in (order[held:], order[:held])))


def _part(whole: ImageSet, index: np.ndarray) -> ImageSet:
    labels = None if whole.labels is None else whole.labels[index]
    names = None if whole.names is None else tuple(whole.names[i] for i in index)
    return ImageSet(whole.images[index], labels, names, whole.classes, whole.source, whole.skipped)


def _train(run: Run, model: ImageModel, shown: Shown, folder: Path, alone: bool) -> Trained:
    """Fit the model, taking pictures on the way; what it has come to is kept, whatever happens."""
    if run.watch:
        model.set_params(validation=shown.test.images)
    trained, start = Trained(run.name, model), time.perf_counter()
    try:
        with _heard(trained):
            if isinstance(model, Autoencoder):
                for _ in model.fit_epochs(shown.train.images):
                    _picture(run, trained, shown)
            else:
                model.fit(shown.train.images)
    finally:
        trained.seconds = time.perf_counter() - start
        if model.__sklearn_is_fitted__():
            about = {"recipe": run.recipe, "data": shown.train.source, "fingerprint": shown.train.fingerprint}
            keep(model, folder if alone else folder / "runs" / run.name, about)
    return trained


def _picture(run: Run, trained: Trained, shown: Shown) -> None:
    """A picture of the model as it now is, if the run asks for one after this epoch."""
    epoch = len(trained.history["loss"])
    if epoch in run.snapshots:
        images, _ = shown.of(trained, "validation")
        trained.snapshots[epoch] = rows(trained.model, images[:SNAPSHOT], seed=epoch)


@contextmanager
def _heard(trained: Trained) -> Iterator[None]:
    """Keep our own warnings for the page, and pass all of them on."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    trained.warnings = [str(w.message) for w in caught if issubclass(w.category, NarrowsWarning)]
    for w in caught:
        warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)


def _number(number: Number, trained: Trained, measured: dict[str, float]) -> dict[str, Any]:
    """A row: label, published, faithful, difference."""
    source = trained.history if number.history else measured
    name = number.history or number.test or ""
    if name not in source:
        raise DataError(
            f"the number {number.label!r}: run {number.run!r} has no {name!r}; {did_you_mean(name, source)}"
        )
    value: Any = source[name]
    if number.history:
        late = number.epoch is not None and number.epoch > len(value)
        value = None if late else np.mean(value) if number.mean else value[(number.epoch or 0) - 1]
    if value is not None and number.per_pixel:
        value = value / trained.model.n_features_in_
    row = {"": number.label, "published": number.published, "faithful": None if value is None else float(value)}
    both = value is not None and number.published is not None
    return {**row, "difference": float(value) - number.published if both else None}  # type: ignore[operator]


def _figures(drawing: Drawing, done: dict[str, Trained], shown: Shown) -> list[Figure]:
    """The figures of one section: of each run, named where there are several."""
    found = []
    names = list(drawing.runs or done)
    for name in names:
        for figure in PICTURES[drawing.kind](done[name], shown, **drawing.options):
            figure.title = ": ".join(part for part in (name if len(names) > 1 else "", figure.title) if part)
            figure.section, figure.caption = drawing.title, drawing.caption
            figure.name = _slug(f"{drawing.title}-{figure.name}")
            found.append(figure)
    return found


def _tell_apart(figures: list[Figure]) -> None:
    """Number the figures whose names are the same, since each is a file."""
    taken: set[str] = set()
    for figure in figures:
        names = (figure.name, *(f"{figure.name}-{k}" for k in range(2, len(figures) + 1)))
        figure.name = next(name for name in names if name not in taken)
        taken.add(figure.name)


def _described(run: Run, trained: Trained) -> dict[str, Any]:
    model = trained.model
    return {
        "name": run.name,
        "recipe": run.recipe,
        "epochs": getattr(model, "epochs_", None),
        "parameters": model.n_parameters_,
        "code size": model.code_size_,
        "side bits": model.side_bits_ or None,
        "training seconds": trained.seconds,
        "options": store.options_of(model),
    }


def facts(shown: Shown, models: list[tuple[Run, ImageModel]], seconds: float) -> dict[str, Any]:
    """What a reader needs to run it again."""
    seeds = sorted({model.random_state for _, model in models if isinstance(model.random_state, int)})
    return {
        "command": "narrows " + shlex.join(sys.argv[1:]) if sys.argv[0].endswith("narrows") else "in Python",
        "data": f"{shown.train.source}; {len(shown.train):,} images to train, {len(shown.test):,} to test",
        "fingerprint of the training images": shown.train.fingerprint,
        "seed": ", ".join(map(str, seeds)),
        "versions": ", ".join(f"{name} {version}" for name, version in store.versions().items()),
        "seconds": round(seconds, 1),
        **({"files skipped": len(shown.train.skipped)} if shown.train.skipped else {}),
    }


def _measured(study: Study, shown: Shown) -> str:
    scale = "[0, 1]" if study.measure_scale == "unit" else "[-1, 1] with a range of 2"
    return (
        f"Over {len(shown.test):,} test images, one value an image, averaged; on {scale}, before clipping. Bounds "
        "and NLL hold the likelihood's constant."
    )


def _last(done: dict[str, Trained]) -> dict[str, dict[str, float]]:
    """The last entry of each run's history; the loss per value of the image too, as reports often print it."""
    found = {}
    for name, trained in done.items():
        found[name] = {_spoken(key): values[-1] for key, values in trained.history.items() if values}
        if "nll" in trained.history:
            found[name]["training nll per value"] = trained.history["nll"][-1] / trained.model.n_features_in_
    return found


def _spoken(name: str) -> str:
    """A name of the history as a row says it."""
    return f"validation {name[4:]}" if name.startswith("val_") else f"training {name}"


def _transposed(measured: dict[str, dict[str, float]]) -> Table:
    """A row for each measure, a column for each run."""
    names = dict.fromkeys(name for found in measured.values() for name in found)
    names = sorted(
        (name for name in names if name != "training seconds"),
        key=lambda name: LAST.index(name) if name in LAST else -1,
    )
    return Table({"measure": name, **{run: found.get(name) for run, found in measured.items()}} for name in names)


def _slug(text: str) -> str:
    return "-".join("".join(c if c.isalnum() or c == "." else " " for c in text.lower()).split())
