"""Threads that wait for one another, on a machine that other processes use too.

torch divides an operation among t threads. The first that is done waits for the others: it spins
for a while, which keeps its core busy, and then sleeps. On an idle machine spinning is right, since
the others need less time than waking up takes. If other processes use the cores, the thread that is
waited for may have none for milliseconds, and the spinning takes it from one that could compute.

    p / w < SHARE    p: processor time of all threads; w: time on the clock

shows this: on an idle machine one thread alone has p = w, and t threads have between w and t · w.

More threads than cores never help. The cores of a process are those that it may run on, which are
fewer than those of the machine in a container, in a job of a cluster, or under taskset.
"""

import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import ceil
from pathlib import Path

from narrows.errors import NarrowsWarning

SPIN = "1000"  # turns, about 0.05 ms; GNU's OpenMP has 300,000
# by which a user sets how threads wait
VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
SHARE = 0.8  # of the time of one core
ENOUGH = 1.0  # seconds that are watched
QUOTA = Path(
    "/sys/fs/cgroup/cpu.max"
)  # "max 100000", or microseconds of processor time in each 100000


def count_cores() -> int:
    """How many cores this process may use: those that it may run on, and no more than its control
    group (a container's limit) has processor time for.

    Reference: Linux, "Control Group v2", https://docs.kernel.org/admin-guide/cgroup-v2.html
    """
    has_affinity = hasattr(os, "sched_getaffinity")  # Linux alone
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    with suppress(OSError, ValueError):  # no limit, or another system
        quota, period = map(int, QUOTA.read_text().split())
        cores = min(cores, ceil(quota / period))
    return max(1, cores)


@contextmanager
def one_thread_a_product() -> Iterator[None]:
    """The block's matrix products of numpy use one thread each, if threadpoolctl is installed."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        yield
        return
    with threadpool_limits(1, user_api="blas"):
        yield


def spin_briefly() -> None:
    """Have threads that wait sleep soon, in this process and those that it starts.

    Torch's OpenMP reads the variable once, when torch is loaded: afterwards nothing is done. Nor is
    it if the user has said how threads wait.
    """
    if "torch" not in sys.modules and not _said_how_threads_wait():
        os.environ["GOMP_SPINCOUNT"] = SPIN


def _said_how_threads_wait() -> bool:
    return any(name in os.environ for name in VARIABLES)


def wait_for_cores(processor: float, wall: float, threads: int) -> bool:
    """Whether several threads together had less of the processor than one of them could use.

    processor, wall: seconds (see the module).
    """
    return threads > 1 and processor < SHARE * wall


class ThreadWatch:
    """Measures what is computed in its `with` blocks, without the first, and warns once if the
    threads wait for cores. Nothing in a block may wait for a disk or for other processes.
    """

    def __init__(self, threads: int):
        self.threads = threads
        self.processor = self.wall = 0.0
        self.blocks = 0

    def __enter__(self) -> None:
        self.before = time.process_time(), time.perf_counter()

    def __exit__(self, *error: object) -> None:
        processor, wall = self.before
        self.blocks += 1
        if self.blocks == 1 or self.wall >= ENOUGH:  # the first loads code from the disk
            return
        self.processor += time.process_time() - processor
        self.wall += time.perf_counter() - wall
        if self.wall >= ENOUGH and wait_for_cores(self.processor, self.wall, self.threads):
            warnings.warn(self._advice(), NarrowsWarning, stacklevel=3)

    def _advice(self) -> str:
        cure = "set the variable OMP_NUM_THREADS=1"
        if not _said_how_threads_wait():
            cure += ", or import narrows before torch, so that threads which wait sleep soon"
        return (
            f"other processes use the cores: {self.threads} threads had {self.processor:.1f} s of the "
            f"processor in {self.wall:.1f} s, and wait for one another; one thread is faster then: {cure}"
        )
