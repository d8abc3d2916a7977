"""Several processes (ranks) for one command: those of torchrun, or new ones on this machine.

    torchrun --nproc-per-node 4 -m narrows train vae-mlp --data mnist -o run
    narrows train vae-mlp --data mnist -o run --devices 4                       the same

The first rank prints and writes; the others are silent. An error is reported once, by the first
rank that has it.
"""

import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from narrows.cli.output import code_of, complain
from narrows.errors import TrainingError, wrong
from narrows.threads import count_cores

GRACE = 3.0  # seconds in which the first rank can report an error that others have too


def is_first() -> bool:
    """Whether this process is alone, or the first of the ranks."""
    return os.environ.get("RANK", "0") == "0"


def is_restarted() -> bool:
    """Whether torchrun has restarted the ranks after one was lost: they continue from the last
    checkpoint.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return False
    from narrows.distributed.rendezvous import was_restarted

    return was_restarted()


@contextmanager
def together(devices: int = 1) -> Iterator[None]:
    """The block is one rank of several; if `devices` are asked for, it is run by that many new
    processes.

    Raises `SystemExit` then, with their exit code, and at ranks whose error another one reports.
    """
    if not (devices >= 1):
        raise wrong("--devices", devices, "an integer ≥ 1")
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        if devices > 1:
            raise SystemExit(launch(devices))
        yield
        return
    from narrows.distributed.rendezvous import process_group

    try:
        with process_group(), _muted():
            yield
    except (Exception, KeyboardInterrupt) as error:
        _leave(error)
        raise


def launch(devices: int) -> int:
    """This command line as several processes on this machine, under torch's agent; returns its exit
    code.
    """
    import logging

    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, count_cores() // devices)))
    logging.disable()  # its messages are replaced by those below
    config = LaunchConfig(
        1, 1, devices, run_id=f"narrows-{os.getpid()}", rdzv_backend="c10d", rdzv_endpoint="localhost:0",
        max_restarts=0,
    )  # fmt: skip
    try:
        elastic_launch(config, sys.executable)("-m", "narrows", *sys.argv[1:])
    except ChildFailedError as error:
        place, failure = error.get_first_failure()
        if failure.exitcode < 0:
            complain(
                f"rank {place} of {devices} was stopped by {signal.Signals(-failure.exitcode).name}"
            )
        return max(1, failure.exitcode)
    except SignalException:
        return 1
    return 0


@contextmanager
def _muted() -> Iterator[None]:
    """The block prints nothing, unless this is the first rank."""
    # DDP warns that 9 numbers are a little slow
    warnings.filterwarnings("ignore", "Grad strides do not match")
    if is_first():
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def _leave(error: BaseException) -> None:
    """Report an error, unless another rank does: then raise `SystemExit`. The first rank's is
    reported as usual.
    """
    from narrows.distributed.rendezvous import claims_report

    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun ends the others as soon as one is gone
    place = int(os.environ["RANK"])
    world = os.environ["WORLD_SIZE"]
    common = isinstance(error, (KeyboardInterrupt, TrainingError))  # which end all ranks together
    if place and not common:
        time.sleep(GRACE)
    if (place and common) or not claims_report():
        raise SystemExit(code_of(error)) from error
    if place:
        complain(f"rank {place} of {world}: {error}")
        raise SystemExit(code_of(error)) from error
