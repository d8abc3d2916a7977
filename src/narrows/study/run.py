"""Running a study: train each run, measure it, compare it with what was published, and collect the figures.

All that trains goes through here: a lab, a study file, `train` (a study of one run) and `compare` (of several).
"""

import json
import shlex
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from narrows.choose import merge
from narrows.errors import BuildError, DataError, Faults, NarrowsWarning, unknown
from narrows.model import store
from narrows.model.autoencoder import Autoencoder
from narrows.model.base import ImageModel
from narrows.model.evaluate import evaluate, rows
from narrows.model.log import start as start_log
from narrows.model.log import tracker
from narrows.model.recipes import recipe
from narrows.study import numbers, tables
from narrows.study.form import Drawing, Run, Study, vet
from narrows.study.output import again, keep
from narrows.study.page import draw
from narrows.study.pictures import PICTURES
from narrows.study.record import Figure, Record
from narrows.study.shown import Shown, Trained, read_shown

SNAPSHOT = 8  # images in a picture taken on the way
FEW = 200  # steps, in which hardly anything is learnt
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
    log: str | None = None,
    reuse: bool = False,
    say: Say = lambda words: None,
) -> Record:
    """Run a study into a folder: models, histories, figures and the page.

    data: replaces the study's set. changes: to every run (such as epochs, device, random_state). log: a tracker that
    is told of every epoch, see `model.log`. reuse: take over runs that the folder already holds, if nothing that made
    them has changed.
    """
    faults = Faults(study.title)
    vet(study, faults)
    faults.stop(DataError)
    if log is not None:
        tracker(log)  # refuses one that is not there, before anything is read
    start = time.perf_counter()
    models = _models(study, changes or {})
    read = _reader(data if data is not None else study.data, say)
    sets = {run.name: read(run.data) for run in study.runs}  # all, before the first is trained
    record, done = Record(study.title, study.question, [*study.text]), {}
    for run, model in models:
        place = folder if len(models) == 1 else folder / "runs" / run.name
        done[run.name] = trained = _done(run, model, sets[run.name], place, log, reuse, say)
        _note(record, run, trained, say)
    faults = Faults(f"{study.title}: the page is drawn, but")
    _tell(study, record, done, faults)
    for drawing in study.figures or STANDARD:
        say(f"figure: {drawing.title}")
        with faults.catch():  # what was trained is kept, and shown, whatever is wrong with the study's wishes
            record.figures += _figures(drawing, done)
    _tell_apart(record.figures)
    spared = sum(run.seconds for run in done.values() if run.reused)
    record.facts = facts(done, time.perf_counter() - start + spared)
    record.save(folder)
    with faults.catch():
        draw(record, folder)
    faults.stop(DataError)
    return record


def _note(record: Record, run: Run, trained: Trained, say: Say) -> None:
    """What the record keeps of a run, and what is said of it."""
    record.models.append(_described(run, trained))
    record.text += [f"Warning: {run.name}: {words}." for words in trained.warnings]
    if 0 < trained.steps < FEW:
        say(f"{run.name}: only {trained.steps} steps were taken; a small set needs more epochs or smaller batches")


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


def _reader(common: Any, say: Say) -> Callable[[Any], Shown]:
    """A function that reads a run's data, or the study's where it has none of its own, each once."""
    found: dict[str, Shown] = {}

    def read(own: Any) -> Shown:
        data = common if own is None else own
        name = json.dumps(data, sort_keys=True, default=str)
        if name not in found:
            found[name] = read_shown(data)
            for file, reason in dict.fromkeys(found[name].train.skipped + found[name].test.skipped):
                say(f"skipped {file}: {reason}")
        return found[name]

    return read


def _done(run: Run, model: ImageModel, shown: Shown, place: Path, log: str | None, reuse: bool, say: Say) -> Trained:
    """The run, taken over or trained."""
    if run.watch:
        model.set_params(validation=shown.test.images)
    if reuse and (found := again(run, model, shown, place)):
        say(f"{run.name}: already trained")
        return found
    say(f"{run.name}: training {type(model).__name__} on {len(shown.train):,} images")
    return _train(run, model, shown, place, start_log(log, place, run.name) if log else None)


def _train(run: Run, model: ImageModel, shown: Shown, place: Path, logger: Any) -> Trained:
    """Fit the model, taking pictures on the way; what it has come to is kept, whatever happens."""
    trained, start = Trained(run.name, model, shown), time.perf_counter()
    try:
        with _heard(trained):
            if isinstance(model, Autoencoder):
                for _ in model.fit_epochs(shown.train.images, logger=logger):
                    _picture(run, trained)
            else:
                model.fit(shown.train.images, logger=logger)
        trained.whole = True
    finally:
        trained.seconds = time.perf_counter() - start
        trained.batches = getattr(model, "steps_", {})
        if model.__sklearn_is_fitted__():
            keep(run, trained, place)
    return trained


def _picture(run: Run, trained: Trained) -> None:
    """A picture of the model as it now is, if the run asks for one after this epoch."""
    epoch = len(trained.history["loss"])
    if epoch in run.snapshots:
        trained.snapshots[epoch] = rows(trained.model, trained.of("validation")[0][:SNAPSHOT], seed=epoch)


@contextmanager
def _heard(trained: Trained) -> Iterator[None]:
    """Keep our own warnings for the page, and pass all of them on."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    trained.warnings = [str(w.message) for w in caught if issubclass(w.category, NarrowsWarning)]
    for w in caught:
        warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)


def _tell(study: Study, record: Record, done: dict[str, Trained], faults: Faults) -> None:
    """The tables of the page: published numbers, last epochs, measures, bytes."""
    measured = {
        name: evaluate(run.model, run.shown.test.images, measure_scale=study.measure_scale)
        for name, run in done.items()
    }
    published = []
    for number in study.numbers:
        with faults.catch():
            published += numbers.rows(number, done[number.run], measured[number.run])
    record.tables = tables.tables(published, done, measured, study.measure_scale)


def _figures(drawing: Drawing, done: dict[str, Trained]) -> list[Figure]:
    """The figures of one section."""
    runs = [done[name] for name in drawing.runs or done]
    try:
        found = list(PICTURES[drawing.kind](runs, **drawing.options))
    except TypeError as error:
        raise BuildError(f"the figure {drawing.title!r}: an option has the wrong type ({error})") from error
    for figure in found:
        figure.section, figure.caption = drawing.title, drawing.caption
        figure.name = _slug(f"{drawing.title}-{figure.name}")
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


def facts(done: dict[str, Trained], seconds: float) -> dict[str, Any]:
    """What a reader needs to run it again."""
    seeds = {run.model.random_state for run in done.values() if isinstance(run.model.random_state, int)}
    sets = {run.shown.train.fingerprint: run.shown for run in done.values()}
    skipped = sum(len(shown.train.skipped) for shown in sets.values())
    return {
        "command": "narrows " + shlex.join(sys.argv[1:]) if sys.argv[0].endswith("narrows") else "in Python",
        "data": "; ".join(
            f"{s.train.source}: {len(s.train):,} images to train, {len(s.test):,} to test" for s in sets.values()
        ),
        "fingerprint of the training images": ", ".join(sets),
        "seed": ", ".join(map(str, sorted(seeds))),
        "versions": ", ".join(f"{name} {version}" for name, version in store.versions().items()),
        "seconds": round(seconds, 1),
        "seconds of training": round(sum(run.seconds for run in done.values()), 1),
        **({"files skipped": skipped} if skipped else {}),
    }


def _slug(text: str) -> str:
    return "-".join("".join(c if c.isalnum() or c == "." else " " for c in text.lower()).split())
