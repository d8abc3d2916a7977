"""Training the runs of a study: each is taken over, resumed, or trained from the start.

All that a run has reached is in its folder while it trains, so that an interruption costs a few
steps at most:

    snapshots.npz       its pictures, written after each epoch that has one
    last.safetensors    the checkpoint of its training, written after the pictures of an epoch

So a run that resumes from there ends with the files of an uninterrupted one, to the byte.
"""

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from narrows.distributed.collectives import broadcast_from_first
from narrows.errors import Interrupted, NarrowsWarning, OutputError, TrainingError, several, wrong
from narrows.model.estimator.base import ImageModel
from narrows.model.file_format import CHECKPOINT_NAME
from narrows.model.trackers import start_logger
from narrows.model.training.checkpoint import Checkpoint
from narrows.model.use.cost import cost_in_words
from narrows.model.use.evaluate import image_rows
from narrows.study.data_split import DataSplit
from narrows.study.run_folder import keep, keep_snapshots, settings_in_words, snapshots_in, take_up
from narrows.study.schema import Run
from narrows.study.trained import Trained

SNAPSHOT_IMAGES = 8  # in a picture that is taken during training
MINUTES = 10.0  # between two checkpoints within an epoch
CHECKPOINT_PLACES = (".", "runs/*", "*", "*/runs/*")  # in the folder of a study, or of several
Say = Callable[[str], None]


def say_nothing(words: str) -> None:
    """Drop what is said of the work."""


def obtain_run(
    run: Run,
    model: ImageModel,
    split: DataSplit,
    place: Path,
    *,
    log: str | None = None,
    reuse: bool = False,
    resume: bool = False,
    minutes: float = MINUTES,
    say: Say = say_nothing,
) -> Trained:
    """The trained run. log: a tracker. reuse, resume: take over a complete one; resume: continue an
    interrupted one.

    minutes: between two checkpoints within an epoch.
    """
    say_of_run = _speaker(run, say)
    _take_levels(model, split)
    if run.watch:
        model.set_params(validation=split.validation_for(model))
    split = split.seen_by(model)
    kept = take_up(run, model, split, place) if reuse or resume else None
    if broadcast_from_first(lambda: kept is not None) and kept:
        say_of_run("already trained")
        return kept
    _announce(model, split, say_of_run)
    trained = Trained(run.name, model, split)
    settings = settings_in_words(run, split)
    checkpoint = Checkpoint(place / CHECKPOINT_NAME, minutes, resume, settings, say_of_run)
    with (
        _kept(run, trained, place),
        _noted_warnings(trained.warnings),
        _named_files(split.train.names),
    ):
        _fit(run, trained, place, log, checkpoint)
    trained.seconds += checkpoint.seconds
    return trained


def _take_levels(model: ImageModel, split: DataSplit) -> None:
    """Black and white are those that the files say, unless the user does."""
    levels = split.train.levels
    if split.test.levels != levels and split.test.images.dtype == split.train.images.dtype:
        raise wrong(
            "black and white of the test images", split.test.levels, f"{levels}, as of the others"
        )
    if levels is not None and model.get_params(deep=False).get("levels") is None:
        model.set_params(levels=tuple(levels))


def _speaker(run: Run, say: Say) -> Say:
    """Says what is said of a run, with its name in front."""

    def say_of_run(words: str) -> None:
        say(f"{run.name}: {words}")

    return say_of_run


def _announce(model: ImageModel, split: DataSplit, say: Say) -> None:
    say(f"training {type(model).__name__} on {len(split.train):,} images")
    if cost := cost_in_words(model, split.train.images):
        say(cost)


def _fit(run: Run, trained: Trained, place: Path, log: str | None, checkpoint: Checkpoint) -> None:
    """Fit the model, in epochs if it has them. log: a tracker."""
    logger = start_logger(log, place, run.name) if log else None
    if trained.model.fits_in_epochs:
        _fit_in_epochs(run, trained, place, logger, checkpoint)
    else:
        trained.model.fit(trained.split.train.images, logger=logger)


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints of trainings in the folder of a study, or of several studies."""
    return [
        path for place in CHECKPOINT_PLACES for path in folder.glob(f"{place}/{CHECKPOINT_NAME}")
    ]


def _fit_in_epochs(
    run: Run, trained: Trained, place: Path, logger: Any, checkpoint: Checkpoint
) -> None:
    """Train a model epoch by epoch, and take its pictures."""
    model: Any = trained.model
    if checkpoint.resume:
        trained.snapshots = snapshots_in(place)
    options = trained.split.fit_options(model)
    # without a seed the next training draws another one, and has no use for a checkpoint
    if checkpoint.resume or model.random_state is not None:
        options["checkpoint"] = checkpoint
    for _ in model.fit_epochs(trained.split.train.images, logger=logger, **options):
        _take_picture(run, trained, place)
    _warn_of_lost_pictures(run, trained)


def _take_picture(run: Run, trained: Trained, place: Path) -> None:
    """Keep a picture of the model as it now is, if the run asks for one after this epoch."""
    epoch = len(trained.history["loss"])
    _drop_other_pictures(run, trained, epoch)
    if epoch in run.snapshots:
        images = trained.part("validation")[0][:SNAPSHOT_IMAGES]
        noisy = trained.pick_noisy({"on": "validation", "count": SNAPSHOT_IMAGES})
        trained.snapshots[epoch] = image_rows(trained.model, images, seed=epoch, noisy=noisy)
        keep_snapshots(trained.snapshots, place)


def _drop_other_pictures(run: Run, trained: Trained, epoch: int) -> None:
    """Keep the pictures of earlier epochs alone: others may be ahead of the checkpoint that the
    training resumed from, or another run's.
    """
    earlier = [e for e in trained.snapshots if e in run.snapshots and e < epoch]
    trained.snapshots = {e: trained.snapshots[e] for e in earlier}


def _warn_of_lost_pictures(run: Run, trained: Trained) -> None:
    epochs = len(trained.history["loss"])
    expected = [epoch for epoch in run.snapshots if epoch <= epochs]
    lost = [str(epoch) for epoch in expected if epoch not in trained.snapshots]
    if lost:
        words = (
            f"the pictures taken after epoch {', '.join(lost)} are lost: snapshots.npz was "
            f"removed or damaged"
        )
        warnings.warn(words, NarrowsWarning, stacklevel=3)


@contextmanager
def _kept(run: Run, trained: Trained, place: Path) -> Iterator[None]:
    """Keep what the block trains, whatever happens; nothing where even its checkpoint could not be
    written.
    """
    start, is_worth_keeping = time.perf_counter(), True
    try:
        yield
        trained.complete = True
    except OutputError:
        is_worth_keeping = False
        raise
    except (Interrupted, RuntimeError):  # a RuntimeError where another rank was lost
        is_worth_keeping = bool(trained.history.get("loss"))
        raise
    finally:
        trained.seconds = time.perf_counter() - start
        trained.step_terms = trained.model.steps_
        if is_worth_keeping and trained.model.__sklearn_is_fitted__():
            keep(run, trained, place)


@contextmanager
def _named_files(names: Sequence[str] | None) -> Iterator[None]:
    """Name the files where a training fails over images that are files."""
    try:
        yield
    except TrainingError as error:
        if not names or not error.images:
            raise
        files = several([names[place] for place in error.images])
        raise TrainingError(f"{error}. These images are the files {files}", error.images) from error


@contextmanager
def _noted_warnings(notes: list[str]) -> Iterator[None]:
    """Note the warnings of Narrows as they come, and pass all warnings on."""
    pass_on = _shown_as_now()

    def note(message: Any, category: type[Warning], filename: str, line: int, *more: Any) -> None:
        if issubclass(category, NarrowsWarning):
            notes.append(str(message))
        pass_on(message, category, filename, line)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = note
        yield


def _shown_as_now() -> Callable[..., None]:
    """A function that shows a warning as it would be shown now, whatever is set later."""
    show, filters = warnings.showwarning, [*warnings.filters]

    def pass_on(message: Any, category: type[Warning], filename: str, line: int) -> None:
        with warnings.catch_warnings():
            warnings.filters[:], warnings.showwarning = filters, show  # type: ignore[index]
            warnings.warn_explicit(message, category, filename, line)

    return pass_on
