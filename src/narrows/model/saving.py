"""Never lose a run: the state of a training in a file, from which it goes on as if nothing had happened.

    Autoencoder(epochs=100).fit(X, saving=Saving("last.safetensors", minutes=10, resume=True))

The state (`narrows.model.state`) is written after each epoch and every so many minutes, aside, synced and renamed, so
that a run that is killed at any moment leaves a whole one. SIGINT and SIGTERM are waited for until the step is done;
then the state is written too, and the training ends with `Interrupted`. A file is that of one training at a time,
which holds a lock that dies with its process.

What a state belongs to is written beside it: the options, the images, the version. A training goes on from it where
all these are the same; only `epochs` may have grown.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import narrows
from narrows.errors import BuildError, DataError, Interrupted, expect
from narrows.files import locked, write
from narrows.model.contents import FORMAT, packed, read, whole
from narrows.model.state import restore, state
from narrows.model.train import Training

SIGNALS = (signal.SIGINT, signal.SIGTERM)
Save = Callable[[], None]


class Saving:
    """Where the state of a training is kept, and how often.

    path: of the file, `last.safetensors` in a run folder. minutes: between two states within an epoch; None writes
    them after epochs alone. resume: go on from what the file holds; where it holds no whole state, start over and
    `say` so. about: what else the state belongs to, plain values by name, such as a fingerprint of the files.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        minutes: float | None = None,
        resume: bool = False,
        about: Mapping[str, Any] | None = None,
        say: Callable[[str], None] = lambda words: None,
    ):
        expect(minutes is None or minutes > 0, "minutes", minutes, "a number > 0, or None")
        self.path, self.minutes, self.resume, self.about, self.say = (
            Path(path),
            minutes,
            resume,
            dict(about or {}),
            say,
        )
        self.asked: signal.Signals | None = None
        self.when = time.monotonic()

    @contextmanager
    def of(self, training: Training, options: Mapping[str, Any]) -> Iterator[Save]:
        """The block is a training, with a function that writes its state; it goes on from the file if so asked.

        options: flat and plain, `epochs` among them. Raises `BuildError` where the state is another training's.
        """
        fixed = "a whole number: a training without it draws other numbers each time"
        expect(options["random_state"] is not None, "random_state", None, fixed)
        settings = {**options, **self.about, "images": training.pixels.fingerprint(), "narrows": narrows.__version__}
        with locked(self.path), self._listening():
            if self.resume:
                self._go_on(training, settings)

            def save() -> None:
                tensors, numbers = state(training)
                write(self.path, packed({"format": FORMAT, "settings": settings, "numbers": numbers}, tensors))
                self.when = time.monotonic()

            training.between = lambda: self._between(training, save)
            yield save

    def _between(self, training: Training, save: Save) -> None:
        """After each step: save where it is time, and end where that was asked for."""
        late = self.minutes is not None and time.monotonic() - self.when > 60 * self.minutes
        if late or self.asked:
            save()
        if self.asked:
            raise Interrupted(
                f"stopped by {self.asked.name} in epoch {training.epoch + 1}, after batch {training.done} of "
                f"{training.steps_an_epoch}; the state is in {self.path}: the same command with --resume "
                "(resume=True) goes on from there"
            )

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Note signals that ask to end, in place of ending; a second one ends at once."""
        if threading.current_thread() is not threading.main_thread():  # where Python lets nobody listen
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

    def _go_on(self, training: Training, settings: dict[str, Any]) -> None:
        """Restore the training from the file, or say why it starts over."""
        if not self.path.exists():
            self.say(f"there is no state {self.path}: the training starts over")
            return
        try:
            header, tensors = read(self.path)
            with whole(self.path):
                saved, numbers = header["settings"], header["numbers"]
        except DataError as error:
            self.say(f"{error}: the training starts over")
            return
        self._same(saved, settings)
        with whole(self.path):
            restore(training, tensors, numbers)
        self.say(f"going on from epoch {training.epoch + 1}, batch {training.done + 1}")

    def _same(self, saved: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        """Refuse a state of other settings; more epochs are allowed."""
        names = [name for name in (*saved, *(set(settings) - set(saved))) if name != "epochs"]
        told = [(n, saved.get(n, "nothing"), settings.get(n, "nothing")) for n in names]
        changed = [f"{n} was {a!r}, now {b!r}" for n, a, b in told if a != b]
        if settings["epochs"] < saved["epochs"]:
            changed.append(f"epochs was {saved['epochs']}, now {settings['epochs']}")
        if changed:
            raise BuildError(
                f"{self.path} is the state of another training: {'; '.join(changed)}. Only more epochs may be asked "
                "for: use the settings that it had, or start over without --resume (resume=False)"
            )
