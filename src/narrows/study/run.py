"""Running a study: train each run, measure it, compare it with what was published, and collect the figures.

All that trains goes through here: a lab, a study file, `train` (a study of one run) and `compare` (of several).
"""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from narrows.choose import merge_spec
from narrows.distributed.process_group import is_first_rank
from narrows.errors import BuildError, DataError, Faults, unknown
from narrows.files import locked
from narrows.model.estimator.base import ImageModel
from narrows.model.files import store
from narrows.model.recipes import recipe
from narrows.model.trackers import tracker
from narrows.model.use.evaluate import evaluate
from narrows.study import provenance as origin
from narrows.study import published as numbers
from narrows.study import tables
from narrows.study.figures import STUDY_FIGURES
from narrows.study.obtain import MINUTES, Say, obtain_run
from narrows.study.other_ranks import train_along
from narrows.study.page import draw_page
from narrows.study.record import Figure, Record
from narrows.study.schema import Drawing, Run, Study, validate_study
from narrows.study.trained import DataSplit, Trained, read_split

FEW = 200  # steps, in which hardly anything is learnt
Obtain = Callable[[Run, ImageModel, DataSplit, Path], Trained]
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
    resume: bool = False,
    minutes: float = MINUTES,
    say: Say = lambda words: None,
) -> Record:
    """Run a study into a folder: models, histories, figures and the page.

    data: replaces the study's set. changes: to every run (such as epochs, device, random_state). log: a tracker that
    is told of every epoch, see `model.log`. reuse: take over runs that the folder already holds, if nothing that made
    them has changed. resume: the same, and go on with the one that was broken off. minutes: between two states of a
    training within an epoch. The folder is this process's alone as long: `OutputError` where it is another's. Of
    several ranks the first does all this; the others train along, and get an empty record.
    """
    faults = Faults(study.title)
    validate_study(study, faults)
    faults.stop(DataError)
    if log is not None:
        tracker(log)  # refuses one that is not there, before anything is read
    obtain = partial(obtain_run, log=log, reuse=reuse, resume=resume, minutes=minutes, say=say)
    common, models = study.data if data is None else data, _models(study, changes or {})
    if not is_first_rank():
        train_along(models, _reader(common, say), folder, resume, minutes)
        return Record(study.title, study.question)
    with locked(folder, folder=True):
        return _run(study, folder, common, models, obtain, say)


def _run(
    study: Study, folder: Path, common: Any, models: list[tuple[Run, ImageModel]], obtain: Obtain, say: Say
) -> Record:
    """Read the data, obtain the runs, and tell of them. common: the data of runs that have none of their own."""
    start, read = time.perf_counter(), _reader(common, say)
    sets = {run.name: read(run.data) for run in study.runs}  # all, before the first is trained
    record, done = Record(study.title, study.question, [*study.text], origin=origin.started(study, common)), {}
    for run, model in models:
        place = folder if len(models) == 1 else folder / "runs" / run.name
        done[run.name] = trained = obtain(run, model, sets[run.name], place)
        _note(record, run, trained, say)
    faults = Faults(f"{study.title}: the page is drawn, but")
    measured = _tell(study, record, done, faults)
    record.origin["runs"] = origin.provenance_of_runs(study, done, measured, folder)
    for drawing in study.figures or STANDARD:
        say(f"figure: {drawing.title}")
        with faults.catch():  # what was trained is kept, and shown, whatever is wrong with the study's wishes
            record.figures += _figures(drawing, done)
    _tell_apart(record.figures)
    spared = sum(run.seconds for run in done.values() if run.reused)
    record.facts = origin.facts(record.origin, done, time.perf_counter() - start + spared)
    record.save(folder)
    with faults.catch():
        draw_page(record, folder)
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
        model.set_params(**{name: merge_spec(own[name], value) for name, value in changes.items() if name in own})
    return models


def _reader(common: Any, say: Say) -> Callable[[Any], DataSplit]:
    """A function that reads a run's data, or the study's where it has none of its own, each once."""
    found: dict[str, DataSplit] = {}

    def read(own: Any) -> DataSplit:
        data = common if own is None else own
        name = json.dumps(data, sort_keys=True, default=str)
        if name not in found:
            found[name] = read_split(data)
            for file, reason in dict.fromkeys(found[name].train.skipped + found[name].test.skipped):
                say(f"skipped {file}: {reason}")
        return found[name]

    return read


def _tell(study: Study, record: Record, done: dict[str, Trained], faults: Faults) -> dict[str, dict[str, float]]:
    """The tables of the page: published numbers, last epochs, measures, bytes. Returns the measures of each run."""
    measured = {
        name: evaluate(run.model, *run.shown.test.pair, measure_scale=study.measure_scale)
        for name, run in done.items()
    }
    published = []
    for number in study.numbers:
        with faults.catch():
            published += numbers.published_rows(number, done[number.run], measured[number.run])
    record.tables = tables.tables(published, done, measured, study.measure_scale)
    return measured


def _figures(drawing: Drawing, done: dict[str, Trained]) -> list[Figure]:
    """The figures of one section."""
    runs = [done[name] for name in drawing.runs or done]
    try:
        found = list(STUDY_FIGURES[drawing.kind](runs, **drawing.options))
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
        "options": store.options_as_json(model),
    }


def _slug(text: str) -> str:
    return "-".join("".join(c if c.isalnum() or c == "." else " " for c in text.lower()).split())
