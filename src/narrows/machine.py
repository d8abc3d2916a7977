"""The machine: device, precision of products, threads, denormal numbers and freed memory."""

import ctypes
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache

import torch
from torch import Tensor

from narrows.errors import NarrowsError, NarrowsWarning, UnknownName, unknown

DEVICES = ("auto", "cpu", "cuda", "mps")
Make = Callable[..., Tensor]  # (shape, generator, device) -> random numbers
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def select_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" takes cuda, else mps, else cpu. Raises if this machine does not have it."""
    here = _devices_here()
    if name == "auto":
        return torch.device(here[0])
    kind = str(name).split(":")[0]
    if kind not in DEVICES:
        raise unknown("device", name, DEVICES)
    if kind not in here:
        known = ", ".join(here)
        raise NarrowsError(f"the device {name!r} is not on this machine; here: {known}; 'auto' takes the best")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise unknown("device", name, DEVICES) from error


def available_device(name: str) -> torch.device:
    """The device of that name if this machine has it, else the CPU, with a warning: a model file works anywhere."""
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
    """Call the functions of MKL's vector library once, on one thread, which this module does when it is imported.

    The library finds out at its first call which code fits the processor. Where two threads make that call together,
    one of them may compute it with code of a fifth of the digits: one run in ten then ended with other weights.
    """
    one = torch.ones(1)
    for function in (torch.tanh, torch.exp, torch.log, torch.erf, torch.expm1, torch.log1p, torch.sin, torch.cos):
        function(one)


@contextmanager
def flush_denormals() -> Iterator[None]:
    """Numbers below 1e-38 count as 0 in here: a processor takes a hundred times longer over them, to no end.

    Weights that decay without a gradient, and Adam's averages of them, come to such numbers: lab F's network, while
    all its output is black, took four times as long over a step. Holds for this thread and those that it starts, so
    the first large operation of a fit belongs in here: with it torch starts its other threads, and keeps them.
    """
    before = bool(torch.tensor(1e-30) * 1e-10 == 0)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


@contextmanager
def matmul_precision(precision: str, device: torch.device) -> Iterator[None]:
    """Whether a GPU may round the factors of products to 10 bits ("tf32", else not), whatever this process allows."""
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
    """Have the C library keep up to 512 MB that was freed, for the next step, in place of giving it back each time.

    What was given back comes again as pages that the system must clear: then a step of lab F takes 1.4 times as long,
    one of lab E6 1.35 times. For glibc; elsewhere nothing is done.
    """
    with suppress(OSError, AttributeError):
        tune = ctypes.CDLL(None).mallopt
        tune(M_TRIM_THRESHOLD, 2**29)
        tune(M_MMAP_THRESHOLD, 2**25)


initialise_vector_library()
