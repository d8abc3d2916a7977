"""Never lose a run: the state of a training in a file, from which it resumes as if nothing had
happened.

    checkpoint = Checkpoint("last.safetensors", minutes=10, resume=True)
    Autoencoder(epochs=100).fit(X, checkpoint=checkpoint)

The state (`narrows.model.training.state`) is written as the training starts, after each epoch (of
those that were asked for, if a small set is given more of them) and every few minutes (`minutes`):
under a temporary name, synced and renamed, so that a run that is killed at any moment leaves a
complete one. After SIGINT, SIGTERM or SIGHUP (its terminal was closed) the step is finished; then
the state is written too, and the training ends with `Interrupted`. A file belongs to one training
at a time, which holds a lock that ends with its process.

Of several ranks the first writes and reads the file, for all: the state is that of the complete
training, and any number of ranks can resume from it. If one rank gets a signal, all of them obey it,
within `OFTEN` steps.

What a state belongs to is written with it: the options, the images, the version. A training resumes
only if all these are the same; only `epochs` may have grown.
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
from narrows.model.file_format import (
    CHECKPOINT_KEY,
    FORMAT,
    as_data_error,
    parse_checkpoint,
    read_file,
    to_bytes,
    with_later_options,
)
from narrows.model.training.setup import TrainingSetup
from narrows.model.training.state import restore, state_of
from narrows.model.training.training import Training
from narrows.signals import drop_output_to_closed_terminal, ending_signals

TIMES = ("seconds", "val_seconds")  # columns of a history
OFTEN = 10  # steps after which ranks exchange their signals, which takes a reduction over all
AGAIN = "the same command with --resume (resume=True) goes on from there"
Save = Callable[[], None]


class Checkpoint:
    """Where the state of a training is kept, and how often.

    path: of the file, `last.safetensors` in a run folder.
    minutes: between two states within an epoch; None writes them after epochs alone.
    resume: continue from the state in the file; if it holds no complete one, start over and `say` so.
    about: what else the state belongs to, plain values by name, such as a fingerprint of the files.

    Filled in: seconds, how long the training had taken before it resumed.
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
        self.path = Path(path)
        self.minutes = minutes
        self.resume = resume
        self.about = dict(about or {})
        self.say = say
        self.received: signal.Signals | None = None  # by this process
        self.stop_signal: signal.Signals | None = None  # received by any rank, known to all
        self.written_at = 0.0
        self.seconds = 0.0
        self.save: Save | None = None  # while a training runs

    @contextmanager
    def of(self, training: Training, options: Mapping[str, Any]) -> Iterator[Save]:
        """The block is a training, which resumes from the file if `resume`; yields what saves it.

        options: flat and plain, `epochs` among them. Raises `BuildError` if the state is another
        training's, `OutputError` if none can be written, and `Interrupted`.
        """
        if options["random_state"] is None:
            expected = "an integer: a training without it draws other numbers each time"
            raise wrong("random_state", None, expected)
        own_settings = {**options, **self.about, "narrows": narrows.__version__}
        settings = broadcast_from_first(
            lambda: {**own_settings, "images": training.images.fingerprint()}
        )
        with locked(self.path) if is_first_rank() else nullcontext(), self._signals_noted():
            if self.resume:
                self._restore(training, settings)

            def save() -> None:
                self._write(training, settings)
                self._exchange()
                if self.stop_signal:  # with the weights of the last complete epoch, or the best
                    training.network.load_state_dict(training.progress.best)
                    self._interrupt(training, self.stop_signal)

            save()  # at once, so that a full disk is noticed before anything is trained
            self.save = save
            yield save
            self._exchange()
            if self.stop_signal:
                self._interrupt(training, self.stop_signal)

    def after_step(self, training: TrainingSetup) -> None:
        """Save if it is time, or after a signal: the `after_step` of a `Training`."""
        is_turn = rank_and_size()[1] == 1 or training.progress.step % OFTEN == 0
        if self.save and is_turn and self._exchange():
            self.save()

    def _exchange(self) -> bool:
        """Whether to save now, which all ranks decide together; sets `stop_signal`."""
        is_due = self.minutes is not None and time.monotonic() - self.written_at > 60 * self.minutes
        number, due = float(self.received or 0), float(is_due)
        if rank_and_size()[1] > 1:
            number, due = all_reduce_max(number, due)
        self.stop_signal = signal.Signals(int(number)) if number else None
        return bool(due or self.stop_signal)

    def _write(self, training: Training, settings: Mapping[str, Any]) -> None:
        tensors, numbers = state_of(training)
        self.written_at = time.monotonic()
        if not is_first_rank():
            barrier()  # however long the first rank writes
            return
        header = {"format": FORMAT, CHECKPOINT_KEY: {"settings": settings, "numbers": numbers}}
        try:
            write_file(self.path, to_bytes(header, tensors))
        except OutputError as error:
            cure = f"; once there is room, {AGAIN}" if self.path.exists() else ""
            raise OutputError(f"{error}{cure}") from error
        barrier()

    def _interrupt(self, training: Training, received: signal.Signals) -> None:
        """End the training after a signal."""
        progress, epochs = training.progress, training.epochs
        where = f"after {progress.epoch} of {epochs} epochs"
        if progress.step:
            batch = f"batch {progress.step} of {training.steps_per_epoch}"
            where = f"in epoch {progress.epoch + 1} of {epochs}, after {batch}"
        raise Interrupted(
            f"stopped by {received.name} {where}; the state is in {self.path}: {AGAIN}"
        )

    @contextmanager
    def _signals_noted(self) -> Iterator[None]:
        """In the block a signal that asks to end is noted; a second one ends at once."""
        # other threads cannot set handlers
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, frame: Any) -> None:
            if self.received:
                raise KeyboardInterrupt
            self.received = signal.Signals(number)
            drop_output_to_closed_terminal()

        before = {number: signal.signal(number, note) for number in ending_signals()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _restore(self, training: Training, settings: Mapping[str, Any]) -> None:
        """Restore the training from the file, or say why it starts over."""
        content = broadcast_from_first(self._read)
        if content is None:
            return
        saved, numbers, tensors = content
        self._validate_settings(saved, settings)
        with as_data_error(self.path):
            restore(training, tensors, numbers)
        progress = training.progress
        epochs = [sum(progress.history.get(name, [])) for name in TIMES]
        self.seconds = progress.seconds + sum(epochs)
        self.say(_where(training, saved, settings))

    def _read(self) -> tuple[Any, ...] | None:
        """Settings, numbers and tensors of the file; without a complete state says so, and None."""
        if not self.path.exists():
            self.say(
                f"there is no state {self.path} to go on from: the training starts at the start"
            )
            return None
        try:
            header, tensors = read_file(self.path)
            with as_data_error(self.path):
                state = parse_checkpoint(header)
                return state.settings, state.numbers, tensors
        except DataError as error:
            self.say(f"{error}: the training starts over")
            return None

    def _validate_settings(self, saved: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        """Refuse a state of other settings; more epochs are allowed."""
        saved, settings = _with_present_names(saved), _with_present_names(settings)
        saved = with_later_options(saved, settings)
        names = [name for name in dict.fromkeys([*saved, *settings]) if name != "epochs"]
        changed = []
        for name in names:
            before, now = saved.get(name), settings.get(name)
            if before != now:
                changed.append(f"{name} was {before!r}, now {now!r}")
        if settings["epochs"] < saved["epochs"]:
            changed.append(f"epochs was {saved['epochs']}, now {settings['epochs']}")
        if changed:
            raise BuildError(
                f"{self.path} is the state of another training: {'; '.join(changed)}. Only more "
                "epochs may be asked for: use the settings that it had, or start over with --force, "
                "not --resume (resume=False)"
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
    """In words, where a training resumes."""
    epochs, progress = training.epochs, training.progress
    if progress.epoch >= epochs or progress.stopped:
        return f"its {progress.epoch} epochs are done already"
    words = f"going on from epoch {progress.epoch + 1} of {epochs}, batch {progress.step + 1}"
    if saved["epochs"] == epochs or settings["schedule"] == "constant":
        return words
    return (
        f"{words}; the schedule was that of {saved['epochs']} epochs so far, and is that of {epochs} "
        f"from here: with {epochs} from the start the rates had been others"
    )
