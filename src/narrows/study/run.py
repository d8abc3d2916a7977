"""Running a study: train each run, measure it, compare it with what was published, and collect the
figures.

All that trains goes through here: a lab, a study file, `train` (a study of one run) and `compare`
(of several).
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from narrows.distributed.process_group import is_first_rank
from narrows.errors import BuildError, DataError, Faults, unknown
from narrows.files import locked
from narrows.model.estimator.base import ImageModel
from narrows.model.estimator.option_values import validate_values
from narrows.model.files import store
from narrows.model.recipes import recipe
from narrows.model.trackers import tracker
from narrows.model.training.least_steps import merge_choice
from narrows.model.use.evaluate import evaluate
from narrows.study import provenance
from narrows.study.data_split import DataSplit, read_split
from narrows.study.drawings import draw_all
from narrows.study.obtain import MINUTES, Say, obtain_run, say_nothing
from narrows.study.other_ranks import train_along
from narrows.study.page import draw_page
from narrows.study.published import published_rows
from narrows.study.record import Record
from narrows.study.schema import Run, Study, validate_study
from narrows.study.tables import tables
from narrows.study.trained import Trained

FEW_STEPS = 200  # in which hardly anything is learnt
Read = Callable[[Any], DataSplit]  # the data of a run, or None -> its images


@dataclass
class _Job:
    """A study on its way: into which folder, with which models, and how data and trained runs are
    obtained.
    """

    study: Study
    folder: Path
    data: Any
    models: list[tuple[Run, ImageModel]]
    read: Read
    obtain: Callable[[Run, ImageModel, DataSplit, Path], Trained]
    say: Say

    def place(self, run: Run) -> Path:
        """The folder of a run."""
        if len(self.models) == 1:
            return self.folder
        return self.folder / "runs" / run.name


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
    say: Say = say_nothing,
) -> Record:
    """Run a study into a folder: models, histories, figures and the page.

    data: replaces the study's set. changes: to every run (such as epochs, device, random_state).
    log: a tracker that gets every epoch, see `narrows.model.trackers`. reuse: take over runs that
    the folder already holds, if nothing that made them has changed. resume: the same, and resume
    the one that was interrupted. minutes: between two checkpoints of a training within an epoch.
    The folder is locked for this process meanwhile: `OutputError` where another holds it. Of
    several ranks the first does all this; the others train along, and get an empty record.
    """
    _refuse_faulty(study)
    if log is not None:
        tracker(log)  # refuses one that is not installed, before anything is read
    obtain = partial(obtain_run, log=log, reuse=reuse, resume=resume, minutes=minutes, say=say)
    common = study.data if data is None else data
    models = _models(study, changes or {})
    job = _Job(study, folder, common, models, _reader(common, say), obtain, say)
    if not is_first_rank():
        train_along(models, job.read, folder, resume, minutes)
        return Record(study.title, study.question)
    with locked(folder, folder=True):
        return _run(job)


def _refuse_faulty(study: Study) -> None:
    faults = Faults(study.title)
    validate_study(study, faults)
    faults.stop(DataError)


def _run(job: _Job) -> Record:
    """Read the data, obtain the runs, and collect what the page shows."""
    start, study = time.perf_counter(), job.study
    # all, before the first is trained
    splits = {run.name: job.read(run.data) for run in study.runs}
    origin = provenance.started(study, job.data)
    record = Record(study.title, study.question, list(study.text), origin=origin)
    trained = _obtain_all(job, splits, record)
    faults = Faults(f"{study.title}: the page is drawn, but")
    measured = _measure(study, record, trained, faults)
    record.origin["runs"] = provenance.provenance_of_runs(study, trained, measured, job.folder)
    draw_all(study.figures, trained, record, job.say, faults)
    seconds = time.perf_counter() - start + _seconds_of_reused(trained)
    record.facts = provenance.facts(record.origin, trained, seconds)
    record.save(job.folder)
    with faults.catch():
        draw_page(record, job.folder)
    faults.stop(DataError)
    return record


def _seconds_of_reused(trained: dict[str, Trained]) -> float:
    """What the training of those runs took that were trained already."""
    return sum(run.seconds for run in trained.values() if run.reused)


def _obtain_all(job: _Job, splits: dict[str, DataSplit], record: Record) -> dict[str, Trained]:
    """The runs, one after another, each noted in the record."""
    trained: dict[str, Trained] = {}
    for run, model in job.models:
        trained[run.name] = job.obtain(run, model, splits[run.name], job.place(run))
        _note(record, run, trained[run.name], job.say)
    return trained


def _note(record: Record, run: Run, trained: Trained, say: Say) -> None:
    """What the record keeps of a run, and what is said of it."""
    record.models.append(_description(run, trained))
    if words := trained.model.choice_in_words_:
        record.text.append(f"{run.name}: {words}.")
        say(f"{run.name}: {words}")
    record.text += [f"Warning: {run.name}: {words}." for words in trained.warnings]
    if 0 < trained.steps < FEW_STEPS:
        say(
            f"{run.name}: only {trained.steps} steps were taken; a small set needs more epochs "
            f"or smaller batches"
        )


def _models(study: Study, changes: dict[str, Any]) -> list[tuple[Run, ImageModel]]:
    """The models, with the study's changes and the user's; a change goes to the runs that have such
    an option.

    Raises `UnknownName` for a change that no run has.
    """
    models = [(run, recipe(run.recipe, **run.changes)) for run in study.runs]
    known = {name for _, model in models for name in model.get_params(deep=False)}
    for name in set(changes) - known:
        raise unknown("option", name, known)
    for _, model in models:
        _change(model, changes)
    _check_values(models)
    return models


def _change(model: ImageModel, changes: dict[str, Any]) -> None:
    """Make the changes for which the model has an option."""
    options = model.get_params(deep=False)
    fitting = {name: change for name, change in changes.items() if name in options}
    model.set_params(**merge_choice(options, fitting))


def _check_values(models: Sequence[tuple[Run, ImageModel]]) -> None:
    """Refuse options that no images can make right, before any image is read."""
    runs_of: dict[str, dict[str, None]] = {}  # each fault once, with the runs that have it
    for run, model in models:
        faults = Faults(run.name)
        model.validate_options(faults)
        validate_values(model.get_params(deep=False), faults)
        for fault in faults.found:
            runs_of.setdefault(fault, {})[run.name] = None
    common = Faults("these options cannot be used")
    for fault, names in runs_of.items():
        common.add(fault if len(names) == len(models) else f"{', '.join(names)}: {fault}")
    common.stop(BuildError)


def _reader(common: Any, say: Say) -> Read:
    """A function that reads a run's data, or the study's where it has none of its own, each once."""
    splits: dict[str, DataSplit] = {}

    def read(data: Any) -> DataSplit:
        data = common if data is None else data
        name = json.dumps(data, sort_keys=True, default=str)
        if name not in splits:
            splits[name] = read_split(data)
            _say_of_reading(splits[name], say)
        return splits[name]

    return read


def _say_of_reading(split: DataSplit, say: Say) -> None:
    """Files that were skipped, and what else a person should know of the reading."""
    for file, reason in dict.fromkeys(split.train.skipped + split.test.skipped):
        say(f"skipped {file}: {reason}")
    for note in split.notes:
        say(f"note: {note}")


def _measure(
    study: Study, record: Record, trained: dict[str, Trained], faults: Faults
) -> dict[str, dict[str, float]]:
    """The tables of the page: published numbers, last epochs, measures, bytes. Returns the measures
    of each run.
    """
    scale, measured = study.measure_scale, {}
    for name, run in trained.items():
        measured[name] = evaluate(run.model, *run.split.test.pair, measure_scale=scale)
    published = []
    for number in study.numbers:
        with faults.catch():
            published += published_rows(number, trained[number.run], measured[number.run], scale)
    record.tables = tables(published, trained, measured, scale)
    return measured


def _description(run: Run, trained: Trained) -> dict[str, Any]:
    model = trained.model
    return {
        "name": run.name,
        "recipe": run.recipe,
        "epochs": model.epochs_,
        "parameters": model.n_parameters_,
        "code size": model.code_size_,
        "side bits": model.side_bits_ or None,
        "training seconds": trained.seconds,
        "options": store.options_as_json(model),
    }
