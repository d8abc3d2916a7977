"""Ranks: processes that train one model together, each on its rows of every batch.

    torchrun --nproc-per-node 4 -m narrows train ...      rank r of w has the rows n·r // w up to n·(r + 1) // w of n

All that training needs of a batch is a sum over its images: the gradient, the figures of a loss, the mean and the
variance of a batch norm. A sum over the batch is the sum over ranks of the sums over their rows, so that w processes
compute what one does, up to the order of the additions. A rank may have no rows (a last batch of 2 images among 4);
it takes part in every sum all the same, since a sum waits for all.

    added(t)       Σ over ranks, of figures
    summed(t)      Σ over ranks, through which gradients flow
    gathered(t)    the rows of all ranks in order, through which gradients flow: for costs of the batch as a whole
    of_first(f)    what f gives at rank 0;  of_all(value)  every rank's

Alone, a process is rank 0 of 1, and all of these give back what they were given. torch's own engine is what joins
processes (https://docs.pytorch.org/docs/stable/distributed.html): gloo for a CPU, nccl for a GPU, one process each.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from math import inf
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

from narrows.errors import NarrowsError, several
from narrows.machine import rank, share

PATIENCE = float(os.environ.get("NARROWS_PATIENCE", "25"))  # seconds that a rank waits for another in a sum
JOINING = 60.0  # seconds in which all must come: they begin together, but load what they need at their own pace
ROLL = 2.0  # seconds in which ranks that are there say so
LOSS = ("gloo", "NCCL", "pair closure", "Connection closed", "Timed out waiting")  # in what torch says of it
T = TypeVar("T")

_store: list[Any] = []  # where ranks leave words for each other


def first() -> bool:
    """Whether this is the rank that speaks and writes."""
    return rank()[0] == 0


def started() -> bool:
    """Whether torchrun, or what speaks its language, has started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


# -- sums and what follows from them ------------------------------------------------------------------------------


def added(figures: Tensor) -> Tensor:
    """The sum over ranks, without gradients."""
    if rank()[1] > 1:
        figures = figures.detach().clone()
        dist.all_reduce(figures)
    return figures


def summed(values: Tensor) -> Tensor:
    """The sum over ranks. Gradients flow through it, since each rank's loss is a part of the loss of all."""
    return values if rank()[1] == 1 else _Sum.apply(values)


class _Sum(torch.autograd.Function):
    """s = Σ_r t_r. Each t_r adds to the losses of all ranks, L = Σ_q L_q: ∂L/∂t_r = Σ_q ∂L_q/∂s, a sum again."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return added(values.contiguous())

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        return summed(slopes[0])


def gathered(rows: Tensor, total: int) -> Tensor:
    """A global batch `(total, ...)`, of which each rank gives its share in `rows`. Gradients flow through it."""
    mine = share(total)
    before, after = (rows.new_zeros((count, *rows.shape[1:])) for count in (mine.start, total - mine.stop))
    return summed(torch.cat([before, rows, after]))


def of_first(make: Callable[[], T]) -> T:
    """What `make` gives at rank 0, at every rank; there its `NarrowsError` is raised, too."""
    found: list[Any] = [None, None]
    if first():
        try:
            found[0] = make()
        except NarrowsError as error:
            found[1] = error
    if rank()[1] > 1:
        meet()
        dist.broadcast_object_list(found)
    if found[1] is not None:
        raise found[1]
    return found[0]


def of_all(value: T) -> list[T]:
    """What each rank gives, in their order."""
    found: list[Any] = [value] * rank()[1]
    if len(found) > 1:
        dist.all_gather_object(found, value)
    return found


def highest(*figures: float) -> list[float]:
    """Of each figure the highest that any rank has."""
    found = torch.tensor(figures, dtype=torch.float64)
    if rank()[1] > 1:
        dist.all_reduce(found, dist.ReduceOp.MAX)
    return found.tolist()


# -- coming and going ---------------------------------------------------------------------------------------------


@contextmanager
def joined() -> Iterator[None]:
    """The block is one rank of those that torchrun has started; elsewhere it is a process alone.

    Raises `NarrowsError` where ranks do not come, or one is lost: the sums of the others then end within
    `NARROWS_PATIENCE` seconds (25), and at once where its process has died.
    """
    if not started() or rank()[1] > 1:
        yield
        return
    try:
        _join(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
        yield
    except RuntimeError as error:
        if not _is_loss(error):
            raise
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun ends the others, who have yet to say why
        raise NarrowsError(_lost()) from error
    finally:
        _leave(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))


def meet() -> None:
    """Wait until all ranks are here, however long it takes: to read images, to write a state.

    A sum would lose its patience. Where one is lost torchrun ends the others.
    """
    if _store:
        _all_here(*rank(), inf)


def speaks() -> bool:
    """Whether this rank is the first to ask, of those that have an error to tell: it is told once."""
    place = os.environ.get("RANK", "0")
    with suppress(RuntimeError):
        return not _store or _store[0].compare_set("told", "", place) == place.encode()
    return place == "0"


def _join(place: int, world: int) -> None:
    patience, here = timedelta(seconds=PATIENCE), os.environ
    if torch.cuda.is_available() and int(here.get("LOCAL_RANK", "0")) < torch.cuda.device_count():
        torch.cuda.set_device(int(here.get("LOCAL_RANK", "0")))
    leads = place == 0 and here.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    address, port = here.get("MASTER_ADDR", "127.0.0.1"), int(here.get("MASTER_PORT", "29500"))
    missing, why = ["rank 0"], None
    try:
        store = dist.TCPStore(address, port, world, leads, timedelta(seconds=JOINING), wait_for_workers=False)
        ours = dist.PrefixStore(f"narrows/{here.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
        _store[:] = [dist.PrefixStore("words", ours)]
        missing = _all_here(place, world, JOINING)
        if not missing:
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            dist.init_process_group(backend, store=ours, rank=place, world_size=world, timeout=patience)
    except RuntimeError as error:
        why = error
    if missing or why:
        raise NarrowsError(
            f"rank {place} of {world} has waited at {address}:{port} in vain: {several(missing)} did not come; start "
            "as many processes as WORLD_SIZE says (torchrun does), where each of them reaches that address"
        ) from why


def _leave(place: int, world: int) -> None:
    """Leave the others; the first, whose store may be this process's, lets them leave before it."""
    with suppress(RuntimeError):
        _store[0].set(f"left/{place}", "")
        end = time.monotonic() + ROLL * (place == 0)
        while time.monotonic() < end and not _store[0].check([f"left/{k}" for k in range(world)]):
            time.sleep(0.02)
    if dist.is_initialized():
        with suppress(RuntimeError):
            dist.destroy_process_group()


def _all_here(place: int, world: int, limit: float) -> list[str]:
    """Wait for the others to come here too, so many seconds; returns who has not."""
    turn, start = _store[0].add(f"turns of {place}", 1), time.monotonic()
    _store[0].set(f"{turn}/{place}", "")
    while True:
        missing = [f"rank {k}" for k in range(world) if not _store[0].check([f"{turn}/{k}"])]
        if not missing or time.monotonic() - start > limit:
            return missing
        time.sleep(0.02)


def _is_loss(error: RuntimeError) -> bool:
    """Whether a sum has failed, since one of the ranks did not take part."""
    return isinstance(error, dist.DistError) or any(word in str(error) for word in LOSS)


def _lost() -> str:
    """Call the roll; returns in words who is missing."""
    place, world = rank()
    missing = "one of the ranks"
    with suppress(RuntimeError):
        _store[0].set(f"left/{place}", "")
        time.sleep(ROLL)
        gone = [k for k in range(world) if not _store[0].check([f"left/{k}"])]
        missing = " and ".join(f"rank {k}" for k in gone) or missing
    return (
        f"{missing} of {world} was lost: its process has ended, or has not answered for {PATIENCE:g} s. The state of "
        "the training is that of the last epoch, or of the last minutes: the same command with --resume goes on from "
        "there (torchrun --max-restarts does so by itself)"
    )
