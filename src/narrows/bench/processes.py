"""Measuring in processes of their own, which take turns.

    measuring process                          a process for each way
    started(module, order)          →          serve(prepare): prepares what the order names, and answers
    asked(process)                  →          runs a round, answers with its numbers and the peak memory

A process of its own has its own memory, and no threads of another way spin while it waits. What cannot be
measured answers `why`. This module imports nothing large, so that the memory is that of the way.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from narrows.errors import NarrowsError

STATUS = Path("/proc/self/status")
Order = dict[str, Any]
Round = Callable[[], dict[str, Any]]


@contextmanager
def started(
    module: str, order: Order, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen]:
    """A process that runs a module of this package, stopped at the end. environment: what is changed
    of this process's.
    """
    command = [sys.executable, "-m", module, json.dumps(order)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command,
        stdin=pipe,
        stdout=pipe,
        env={**os.environ, **(environment or {})},
        text=True,
        bufsize=1,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def asked(process: subprocess.Popen) -> dict[str, Any]:
    """The numbers of one round. Raises `NarrowsError` if it could not be run."""
    print(file=process.stdin, flush=True)
    answer = answer_of(process)
    if "why" in answer:
        raise NarrowsError(answer["why"])
    return answer


def answer_of(process: subprocess.Popen) -> dict[str, Any]:
    """The next answer. Raises `NarrowsError` if the process has ended."""
    line = process.stdout.readline()  # type: ignore[union-attr]
    if not line:
        raise NarrowsError(
            f"a timed process ended with code {process.wait()} before it answered; see above"
        )
    return json.loads(line)


def serve(prepare: Callable[[Order], tuple[dict[str, Any], Round]]) -> None:
    """The work of such a process: prepare what the order names, answer, and run a round for each line.

    prepare: from the order, what is answered when all is ready, and the round, which returns its
    numbers. A `NarrowsError` of either is the answer `why`.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # only answers go to the pipe

    def answer(**values: Any) -> None:
        print(json.dumps(values), file=answers)

    try:
        facts, run_round = prepare(json.loads(sys.argv[1]))
        answer(ready=True, **facts)
        for _ in sys.stdin:
            answer(**run_round(), memory=peak_memory())
    except NarrowsError as error:
        answer(why=str(error))


def peak_memory() -> float:
    """The peak memory of this process, MB."""
    # Linux; there getrusage would count the process that started this one, too
    with suppress(OSError):
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1e6 if sys.platform == "darwin" else 1e3
    )
