"""Processes that work on blocks: each has the pixel model, and its own interpreter.

A step of a pixel model is some hundred operations of microseconds, for which the threads of one interpreter
wait for one another. So a worker is `python -m narrows.codec.workers`, and through its pipes go pickles:

    to it       the bytes of the model, then for each item (function of a module, item)
    from it     for each item (True, what the function made of it) or (False, the exception)

A worker imports numpy alone, in a fifth of a second, and ends when its pipe is closed, also if the process
that started it was killed.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

from narrows.codec.pixel_model import PixelModel, read_model
from narrows.errors import NarrowsError

ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
PACKAGES = Path(__file__).parents[2]
Work = Callable[[Any, PixelModel], Any]


class Worker:
    """A process that has a pixel model. It gets one item at a time."""

    def __init__(self, model: PixelModel):
        paths = os.pathsep.join([str(PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "narrows.codec.workers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": paths},
            start_new_session=True,  # an interrupt is for the process that started it
        )
        self.start = model.to_bytes()

    def __call__(self, work: Work, item: Any) -> Any:
        """What `work(item, model)` gives or raises. Raises `NarrowsError` if the process has ended."""
        try:
            if self.start:
                _send(self.process.stdin, self.start)
                self.start = b""
            _send(self.process.stdin, (work, item))
            is_done, result = pickle.load(self.process.stdout)  # type: ignore[arg-type]
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            self.process.kill()  # if it has not ended, it cannot be waited for
            raise NarrowsError(
                f"a process that works on blocks of images has ended (code {self.process.wait()}), "
                f"perhaps for want of memory"
            ) from error
        if not is_done:
            raise result
        return result

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def workers(model: PixelModel, count: int) -> Iterator[Callable[[Work, Any], Any]]:
    """A function that has one of `count` processes do `work(item, model)`, for as many threads; they are
    stopped at the end.
    """
    every: list[Worker] = []
    idle: SimpleQueue[Worker] = SimpleQueue()

    def done(work: Work, item: Any) -> Any:
        worker = idle.get()
        try:
            return worker(work, item)
        finally:
            idle.put(worker)

    try:
        for _ in range(count):
            every.append(Worker(model))
            idle.put(every[-1])
        yield done
    finally:
        for worker in every:
            worker.stop()


def _send(sink: IO[bytes] | None, value: Any) -> None:
    assert sink
    pickle.dump(value, sink, protocol=pickle.HIGHEST_PROTOCOL)
    sink.flush()


def serve(source: IO[bytes], sink: IO[bytes]) -> None:
    """The work of such a process, until its pipe is closed."""
    model: PixelModel | None = None
    while True:
        try:
            value = pickle.load(source)
        except EOFError:
            return
        if model is None:
            model = read_model(value)
            continue
        work, item = value
        try:
            answer = True, work(item, model)
        except Exception as error:  # whatever it is, the other process raises it
            answer = False, error
        _send(sink, answer)


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints does not go among the answers
    serve(sys.stdin.buffer, answers)
