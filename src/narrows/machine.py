"""The machine: device, precision of products, threads, denormal numbers and freed memory."""

import ctypes
import mmap
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from narrows.errors import NarrowsError, NarrowsWarning, UnknownName, unknown

DEVICES = ("auto", "cpu", "cuda", "mps")
Make = Callable[..., Tensor]  # (shape, generator, device) -> random numbers
GRAIN = 2**15  # values of an element-wise operation that torch gives to a thread at least
GROWTH = 128 << 20  # bytes of freed memory that are kept between batches of inference
_AFTER_TRIM: list[int] = [0]  # bytes of this process when freed memory was last given back
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def select_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" takes cuda, else mps, else cpu. Raises if this machine does
    not have it.
    """
    here = _devices_here()
    if name == "auto":
        return torch.device(here[0])
    kind = str(name).split(":")[0]
    if kind not in DEVICES:
        raise unknown("device", name, DEVICES)
    if kind not in here:
        known = ", ".join(here)
        raise NarrowsError(
            f"the device {name!r} is not on this machine; here: {known}; 'auto' takes the best"
        )
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise unknown("device", name, DEVICES) from error


def available_device(name: str) -> torch.device:
    """The device of that name if this machine has it, else the CPU, with a warning: a model file
    works anywhere.
    """
    try:
        device = select_device(name)
    except UnknownName:
        raise
    except NarrowsError as error:
        warnings.warn(f"{error}; the model is on the CPU", NarrowsWarning, stacklevel=3)
        return torch.device("cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        return torch.device("cuda")
    return device


def _devices_here() -> list[str]:
    """The kinds of device that this machine has, the fastest first."""
    has = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [kind for kind, is_here in has.items() if is_here]


def initialise_vector_library() -> None:
    """Call the functions of MKL's vector library once, on one thread, which this module does when
    it is imported.

    The library finds out at its first call which code fits the processor. Where two threads make
    that call together, one of them may compute it with code of a fifth of the digits: one run in
    ten then ended with other weights.
    """
    one = torch.ones(1)
    for function in (
        torch.tanh,
        torch.exp,
        torch.log,
        torch.erf,
        torch.expm1,
        torch.log1p,
        torch.sin,
        torch.cos,
    ):
        function(one)


@contextmanager
def flush_denormals() -> Iterator[None]:
    """Numbers below 1e-38 count as 0 in the block: a processor takes a hundred times longer over
    them, to no end.

    Weights that decay without a gradient, and Adam's averages of them, come to such numbers, and so
    do the gradients of an output that is all but black. Each thread has a flag of its own for it,
    and a new one takes that of the thread which starts it. So the flag is set in each thread that
    computes for this one, and put back afterwards, or the user's own tensors would be flushed too.
    Where that cannot be done (`_copy_environment`), it is set in this thread alone, once the others
    have been started without it.
    """
    before = _flushes()
    if not (_FORKED or _openmp_reaches_all(torch.get_num_threads())):
        _start_threads()
    _set_flush(True)
    try:
        yield
    finally:
        _set_flush(before)


def _flushes() -> bool:
    """Whether this thread counts denormal numbers as 0."""
    return bool(torch.tensor(1e-30) * 1e-10 == 0)


def _start_threads() -> None:
    """Have torch start the threads that compute for this one: with this many values each of them
    has a share.
    """
    torch.ones(torch.get_num_threads() * GRAIN).mul_(1)


def _set_flush(flush: bool) -> None:
    """Set the flag of this thread and, if that can be done, of those that compute for it."""
    torch.set_flush_denormal(flush)
    if not _FORKED and _openmp_reaches_all(torch.get_num_threads()):
        _copy_environment()


def _copy_environment() -> None:
    """Give this thread's floating-point flags to those that compute for it.

    On Linux torch's threads are those of GNU's OpenMP, in each of which the C library's `fesetenv`
    can be run.
    """
    process = ctypes.CDLL(None)
    environment = ctypes.create_string_buffer(256)  # a fenv_t: 32 bytes on x86, 8 on ARM
    process.fegetenv(environment)
    function = ctypes.cast(process.fesetenv, ctypes.c_void_p)
    process.GOMP_parallel(function, environment, torch.get_num_threads(), 0)


@cache
def _openmp_reaches_all(threads: int) -> bool:
    """Whether `_copy_environment` works here: tried once, on numbers whose halves are 0 or not."""
    numbers = torch.full((threads * GRAIN,), 1 << 16, dtype=torch.int32).view(torch.float32)
    before, reached = _flushes(), []
    try:
        for flush in (True, False, before):
            torch.set_flush_denormal(flush)
            _copy_environment()
            halves = (numbers * 0.5).view(torch.int32)
            reached.append(bool((halves == 0).all() if flush else (halves != 0).all()))
    except (OSError, AttributeError, TypeError):  # another C library, or another OpenMP
        torch.set_flush_denormal(before)
        return False
    return all(reached)


# not empty in a forked child, in which OpenMP's threads do not exist: to ask for them hangs
_FORKED: list[bool] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _FORKED.append(True))


@contextmanager
def matmul_precision(precision: str, device: torch.device) -> Iterator[None]:
    """Whether a GPU may round the factors of products to 10 bits ("tf32", else not), whatever this
    process allows.
    """
    if device.type != "cuda":
        yield
        return
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


@cache
def keep_freed_memory() -> None:
    """Have the C library keep up to 512 MB that was freed, for the next step, in place of giving it
    back each time.

    What was given back comes again as pages that the system must clear: then a step of lab F takes
    1.4 times as long, one of lab E6 1.35 times. For glibc; elsewhere nothing is done.
    """
    with suppress(OSError, AttributeError):
        tune = ctypes.CDLL(None).mallopt
        tune(M_TRIM_THRESHOLD, 2**29)
        tune(M_MMAP_THRESHOLD, 2**25)


def give_back_freed_memory() -> None:
    """Have the C library give back what it keeps, if this process has grown since that was done.

    To be called between batches whose results are kept. Those are small, and lie among blocks of
    some MB that the next batch finds too small by a few bytes, so that each batch takes new memory:
    of 10,000 images of 128 x 128, 1.8 GB. For Linux with glibc; elsewhere nothing is done.
    """
    with suppress(OSError, AttributeError):
        own = _own_memory()
        _AFTER_TRIM[0] = min(_AFTER_TRIM[0], own)
        if own > _AFTER_TRIM[0] + GROWTH:
            ctypes.CDLL(None).malloc_trim(0)
            _AFTER_TRIM[0] = _own_memory()


def _own_memory() -> int:
    """Bytes of this process, without pages of files."""
    resident, shared = Path("/proc/self/statm").read_text().split()[1:3]
    return (int(resident) - int(shared)) * mmap.PAGESIZE


initialise_vector_library()
