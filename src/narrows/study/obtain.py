"""Training the runs of a study: each is taken over, gone on with, or trained from the start.

All that a run has come to lies in its folder while it is trained, so that nobody can kill more than a few steps:

    snapshots.npz       the pictures of it, written after each epoch that has one
    last.safetensors    the state of its training, written after the pictures of an epoch

So a run that goes on from there ends with the files of an unbroken one, to the byte.
"""

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from narrows.distributed.collectives import broadcast_from_first
from narrows.errors import Interrupted, NarrowsWarning, OutputError, TrainingError, several
from narrows.model.estimator.autoencoder import Autoencoder
from narrows.model.estimator.base import ImageModel
from narrows.model.file_format import CHECKPOINT_NAME
from narrows.model.trackers import start_logger as start_log
from narrows.model.training.checkpoint import Checkpoint
from narrows.model.use.evaluate import image_rows
from narrows.study.run_folder import keep, keep_snapshots, settings_of, snapshots_in, take_up
from narrows.study.schema import Run
from narrows.study.trained import DataSplit, Trained

SNAPSHOT = 8  # images in a picture taken on the way
MINUTES = 10.0  # between two states within an epoch
Say = Callable[[str], None]


def obtain_run(
    run: Run,
    model: ImageModel,
    shown: DataSplit,
    place: Path,
    *,
    log: str | None = None,
    reuse: bool = False,
    resume: bool = False,
    minutes: float = MINUTES,
    say: Say = lambda words: None,
) -> Trained:
    """The run. log: a tracker. reuse, resume: take over what is whole; resume: go on with what was broken off.

    minutes: between two states within an epoch.
    """
    if run.watch:
        model.set_params(validation=shown.watched(model))
    found = take_up(run, model, shown, place) if reuse or resume else None
    if broadcast_from_first(lambda: found is not None) and found:
        say(f"{run.name}: already trained")
        return found
    say(f"{run.name}: training {type(model).__name__} on {len(shown.train):,} images")
    trained, logger = Trained(run.name, model, shown), start_log(log, place, run.name) if log else None
    about, tell = settings_of(run, shown), lambda words: say(f"{run.name}: {words}")
    checkpoint = Checkpoint(place / CHECKPOINT_NAME, minutes, resume, about, tell)
    with _kept(run, trained, place), _heard(trained.warnings), _named(shown.train.names):
        if isinstance(model, Autoencoder):
            _fit(run, trained, place, logger, checkpoint)
        else:
            model.fit(shown.train.images, logger=logger)
    trained.seconds += checkpoint.seconds
    return trained


def checkpoints_in(folder: Path) -> list[Path]:
    """The states of trainings in the folder of a study, or of several studies."""
    return [
        path for within in (".", "runs/*", "*", "*/runs/*") for path in folder.glob(f"{within}/{CHECKPOINT_NAME}")
    ]


def _fit(run: Run, trained: Trained, place: Path, logger: Any, checkpoint: Checkpoint) -> None:
    """Train an autoencoder, taking pictures on the way."""
    model: Any = trained.model
    draws_anew = model.random_state is None and not checkpoint.resume  # so that no state of it is of use
    if checkpoint.resume:
        trained.snapshots = snapshots_in(place)
    shown, kept = trained.shown, None if draws_anew else checkpoint
    for _ in model.fit_epochs(shown.train.images, **shown.beside(model), logger=logger, checkpoint=kept):
        _picture(run, trained, place)
    if lost := [str(e) for e in run.snapshots if e <= model.epochs_ and e not in trained.snapshots]:
        words = f"the pictures taken after epoch {', '.join(lost)} are lost: snapshots.npz was removed or damaged"
        warnings.warn(words, NarrowsWarning, stacklevel=2)


def _picture(run: Run, trained: Trained, place: Path) -> None:
    """A picture of the model as it now is, if the run asks for one after this epoch."""
    epoch = len(trained.history["loss"])
    # pictures may be ahead of the state that the training went on from, or another run's
    trained.snapshots = {e: found for e, found in trained.snapshots.items() if e in run.snapshots and e < epoch}
    if epoch in run.snapshots:
        chosen = {"on": "validation", "count": SNAPSHOT}
        images, noisy = trained.of("validation")[0][:SNAPSHOT], trained.pick_noisy(chosen)
        trained.snapshots[epoch] = image_rows(trained.model, images, seed=epoch, noisy=noisy)
        keep_snapshots(trained.snapshots, place)


@contextmanager
def _kept(run: Run, trained: Trained, place: Path) -> Iterator[None]:
    """Keep what the block trains, whatever happens; where there is no room for its state, there is none for it."""
    start, worth = time.perf_counter(), True
    try:
        yield
        trained.whole = True
    except OutputError:
        worth = False
        raise
    except (Interrupted, RuntimeError):  # the latter where another rank was lost
        worth = bool(trained.history.get("loss"))
        raise
    finally:
        trained.seconds = time.perf_counter() - start
        trained.batches = getattr(trained.model, "steps_", {})
        if worth and trained.model.__sklearn_is_fitted__():
            keep(run, trained, place)


@contextmanager
def _named(names: Sequence[str] | None) -> Iterator[None]:
    """Name the files where a training fails over images that are files."""
    try:
        yield
    except TrainingError as error:
        if not names or not error.images:
            raise
        files = several([names[place] for place in error.images])
        raise TrainingError(f"{error}. These images are the files {files}", error.images) from error


@contextmanager
def _heard(found: list[str]) -> Iterator[None]:
    """Note our own warnings as they come, and pass all of them on."""
    tell, filters = warnings.showwarning, [*warnings.filters]

    def note(message: Any, category: type[Warning], filename: str, line: int, *more: Any) -> None:
        if issubclass(category, NarrowsWarning):
            found.append(str(message))
        with warnings.catch_warnings():
            warnings.filters[:], warnings.showwarning = filters, tell  # type: ignore[index]
            warnings.warn_explicit(message, category, filename, line)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = note
        yield
