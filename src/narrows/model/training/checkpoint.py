"""Never lose a run: the state of a training in a file, from which it goes on as if nothing had
happened.

    Autoencoder(epochs=100).fit(X, checkpoint=Checkpoint("last.safetensors", minutes=10,
    resume=True))

The state (`narrows.model.training.state`) is written as the training starts, after each epoch and
every few minutes (`minutes`): under a temporary name, synced and renamed, so that a run that is
killed at any moment leaves a complete one. After SIGINT or SIGTERM the step is finished; then the
state is written too, and the training ends with
`Interrupted`. A file belongs to one training at a time, which holds a lock that ends with its process.

Over ranks the first one writes and reads the file, for all: a state belongs to the whole, whatever
their number, and any number goes on from it. What one of them is asked by a signal, all do, within
`OFTEN` steps.

What a state belongs to is written with it: the options, the images, the version. A training goes on
from it where all these are the same; only `epochs` may have grown.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import narrows
from narrows.choose import RENAMED
from narrows.distributed.collectives import all_reduce_max, broadcast_from_first
from narrows.distributed.process_group import is_first_rank, rank_and_size
from narrows.distributed.rendezvous import barrier
from narrows.errors import BuildError, DataError, Interrupted, OutputError, wrong
from narrows.files import locked, write_file
from narrows.model.file_format import CHECKPOINT_KEY, FORMAT, as_data_error, read_file, to_bytes
from narrows.model.training.setup import TrainingSetup
from narrows.model.training.state import restore, state_of
from narrows.model.training.training import Training

SIGNALS = (signal.SIGINT, signal.SIGTERM)
WALL = ("seconds", "val_seconds")
OFTEN = 10  # steps after which ranks ask each other, which takes a sum over all of them
AGAIN = "the same command with --resume (resume=True) goes on from there"
Save = Callable[[], None]


class Checkpoint:
    """Where the state of a training is kept, and how often.

    path: of the file, `last.safetensors` in a run folder. minutes: between two states within an
    epoch; None writes them after epochs alone. resume: go on from what the file holds; where it
    holds no whole state, start over and
    `say` so. about: what else the state belongs to, plain values by name, such as a fingerprint of the files.

    Filled in: seconds, what the training had taken when it went on.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        minutes: float | None = None,
        resume: bool = False,
        about: Mapping[str, Any] | None = None,
        say: Callable[[str], None] = lambda words: None,
    ):
        if not (minutes is None or minutes > 0):
            raise wrong("minutes", minutes, "a number > 0, or None")
        self.path, self.minutes, self.resume = Path(path), minutes, resume
        self.about, self.say = dict(about or {}), say
        self.asked: signal.Signals | None = None  # by a signal
        self.ends: signal.Signals | None = None  # since some rank was asked
        self.when, self.seconds = 0.0, 0.0
        self.save: Save | None = None  # while a training runs

    @contextmanager
    def of(self, training: Training, options: Mapping[str, Any]) -> Iterator[Save]:
        """The block is a training, with a function that writes its state; it goes on from the file
        if so asked.

        options: flat and plain, `epochs` among them. Raises `BuildError` where the state is another
        training's,
        `OutputError` where none can be written, and `Interrupted`.
        """
        fixed = "an integer: a training without it draws other numbers each time"
        if options["random_state"] is None:
            raise wrong("random_state", None, fixed)
        fixed_settings = {**options, **self.about, "narrows": narrows.__version__}
        settings = broadcast_from_first(
            lambda: {**fixed_settings, "images": training.images.fingerprint()}
        )
        with locked(self.path) if is_first_rank() else nullcontext(), self._listening():
            if self.resume:
                self._go_on(training, settings)

            def save() -> None:
                self._write(training, settings)
                self._agreed()
                if self.ends:  # with the weights of the last whole epoch, or the best
                    training.network.load_state_dict(training.progress.best)
                    self._end(training)

            save()  # now, so that a disk that takes none is known of before anything is trained
            self.save = save
            yield save
            self._agreed()
            if self.ends:
                self._end(training)

    def after_step(self, training: TrainingSetup) -> None:
        """Save if it is time, or if the training has been asked to end: the `after_step` of a
        `Training`.
        """
        if (
            self.save
            and (rank_and_size()[1] == 1 or training.progress.step % OFTEN == 0)
            and self._agreed()
        ):
            self.save()

    def _agreed(self) -> bool:
        """Whether to save: what one rank has to do, all do."""
        late = self.minutes is not None and time.monotonic() - self.when > 60 * self.minutes
        asked, late = (
            all_reduce_max(self.asked or 0, late) if rank_and_size()[1] > 1 else (self.asked, late)
        )
        self.ends = signal.Signals(int(asked)) if asked else None
        return bool(late or self.ends)

    def _write(self, training: Training, settings: Mapping[str, Any]) -> None:
        tensors, numbers = state_of(training)
        self.when = time.monotonic()
        if not is_first_rank():
            barrier()  # however long the first one writes
            return
        header = {"format": FORMAT, CHECKPOINT_KEY: {"settings": settings, "numbers": numbers}}
        try:
            write_file(self.path, to_bytes(header, tensors))
        except OutputError as error:
            cure = f"; once there is room, {AGAIN}" if self.path.exists() else ""
            raise OutputError(f"{error}{cure}") from error
        barrier()

    def _end(self, training: Training) -> None:
        """End as a signal has asked for."""
        assert self.ends
        progress, epochs = training.progress, training.epochs
        where = f"after {progress.epoch} of {epochs} epochs"
        if progress.step:
            batch = f"batch {progress.step} of {training.steps_per_epoch}"
            where = f"in epoch {progress.epoch + 1} of {epochs}, after {batch}"
        raise Interrupted(
            f"stopped by {self.ends.name} {where}; the state is in {self.path}: {AGAIN}"
        )

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Note signals that ask to end, in place of ending; a second one ends at once."""
        # where Python lets nobody listen
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, frame: Any) -> None:
            if self.asked:
                raise KeyboardInterrupt
            self.asked = signal.Signals(number)

        before = {number: signal.signal(number, note) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _go_on(self, training: Training, settings: Mapping[str, Any]) -> None:
        """Restore the training from the file, or say why it starts over."""
        if (found := broadcast_from_first(self._read)) is None:
            return
        saved, numbers, tensors = found
        self._same(saved, settings)
        with as_data_error(self.path):
            restore(training, tensors, numbers)
        epochs = [sum(training.progress.history.get(name, [])) for name in WALL]
        self.seconds = training.progress.seconds + sum(epochs)
        self.say(_where(training, saved, settings))

    def _read(self) -> tuple[Any, ...] | None:
        """What the file holds: settings, numbers, tensors; None, and a word, where there is no
        whole one.
        """
        if not self.path.exists():
            self.say(
                f"there is no state {self.path} to go on from: the training starts at the start"
            )
            return None
        try:
            header, tensors = read_file(self.path)
            with as_data_error(self.path):
                return (
                    header[CHECKPOINT_KEY]["settings"],
                    header[CHECKPOINT_KEY]["numbers"],
                    tensors,
                )
        except DataError as error:
            self.say(f"{error}: the training starts over")
            return None

    def _same(self, saved: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        """Refuse a state of other settings; more epochs are allowed."""
        saved, settings = _with_present_names(saved), _with_present_names(settings)
        names = [name for name in dict.fromkeys([*saved, *settings]) if name != "epochs"]
        values = [(n, saved.get(n), settings.get(n)) for n in names]
        changed = [f"{n} was {a!r}, now {b!r}" for n, a, b in values if a != b]
        if settings["epochs"] < saved["epochs"]:
            changed.append(f"epochs was {saved['epochs']}, now {settings['epochs']}")
        if changed:
            raise BuildError(
                f"{self.path} is the state of another training: {'; '.join(changed)}. Only more "
                f"epochs may be asked "
                "for: use the settings that it had, or start over with --force, not --resume (resume=False)"
            )


def _with_present_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in which renamed options have their present names: `optimiser.rate` is `optimiser.lr`."""
    present = {
        f"{part}.{old}": f"{part}.{new}"
        for part, names in RENAMED.items()
        for old, new in names.items()
    }
    return {present.get(name, name): value for name, value in settings.items()}


def _where(training: Training, saved: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """In words, where a training goes on."""
    epochs, progress = training.epochs, training.progress
    if progress.epoch >= epochs or progress.stopped:
        return f"its {progress.epoch} epochs are done already"
    words = f"going on from epoch {progress.epoch + 1} of {epochs}, batch {progress.step + 1}"
    if saved["epochs"] == epochs or settings["schedule"] == "constant":
        return words
    before = f"the schedule was that of {saved['epochs']} epochs so far, and is that of {epochs} from here"
    return f"{words}; {before}: with {epochs} from the start the rates had been others"
