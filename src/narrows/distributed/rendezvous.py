"""Rendezvous: how processes that torchrun has started become ranks, how they wait for each other, and
how the loss of one is noticed.

    with process_group():           without torchrun the block is a process alone
        Autoencoder().fit(X)

torchrun gives each process its rank (RANK), the number of all (WORLD_SIZE), and the address of a
store in which they leave messages for each other. That store outlives them: when torchrun restarts
the ranks after one was lost, the messages of the dead are still there. So the first rank opens a
round with a new name, each other rank answers with a name of its own, and the round begins with the
list of these names: a rank that is on the list knows that this round is its own.

Reference: https://docs.pytorch.org/docs/stable/elastic/run.html.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from typing import Any
from uuid import uuid4

import torch
from torch import distributed as dist

from narrows.distributed.process_group import rank_and_size
from narrows.distributed.waiting import seconds_from_now, wait_until
from narrows.errors import NarrowsError, several

# seconds that a rank waits for another in a sum
TIMEOUT = float(os.environ.get("NARROWS_PATIENCE", "25"))
# seconds in which all ranks must come: they begin together, but load what they need at their own pace
RENDEZVOUS_TIMEOUT = 60.0
HEARTBEAT = 0.5  # seconds between two signs of life
ROLL_CALL = 3.0  # seconds in which a rank that is alive gives one
# what torch's errors say if another rank was lost
LOSS_MESSAGES = ("gloo", "NCCL", "pair closure", "Connection closed", "Timed out waiting")

# public by torch's manual, but not by its type stubs
TCPStore, PrefixStore = (getattr(dist, name) for name in ("TCPStore", "PrefixStore"))


@dataclass
class _Round:
    """The round that this process is in. store: None outside of one. restarted: after a loss.

    beats: the thread that gives signs of life, until `left`.
    """

    store: Any = None
    restarted: bool = False
    beats: threading.Thread | None = None
    left = threading.Event()


_round = _Round()


def was_launched() -> bool:
    """Whether torchrun, or another launcher with its variables, started this process as a rank."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


def was_restarted() -> bool:
    """Whether torchrun has restarted the ranks after one was lost."""
    return _round.restarted


@contextmanager
def process_group() -> Iterator[None]:
    """The block is one rank of those that torchrun has started; without torchrun a process alone.

    Raises `NarrowsError` if ranks do not come, or if one is lost: the sums of the others then end
    within `NARROWS_PATIENCE` seconds (25), and at once if its process has died.
    """
    if not was_launched() or rank_and_size()[1] > 1:
        yield
        return
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    try:
        _join(rank, world)
        yield
    except RuntimeError as error:
        if not _is_loss(error):
            raise
        # torchrun ends the other ranks, and this one has yet to say why
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise NarrowsError(_loss_message(rank, world)) from error
    finally:
        _leave(rank, world)


def barrier() -> None:
    """Wait until all ranks are here, however long it takes: to read images, to write a checkpoint.

    A sum would time out. If a rank is lost, torchrun asks the others to end; then this wait times
    out, too.
    """
    store = _round.store
    if not store:
        return
    rank, world = rank_and_size()
    turn = store.add(f"turns of {rank}", 1)
    store.set(f"{turn}/{rank}", "")
    keys = [f"{turn}/{k}" for k in range(world)]
    with _until_sigterm() as deadline:
        all_here = wait_until(lambda: store.check(keys), deadline)
    if not all_here:
        raise dist.DistError("Timed out waiting for the other ranks")


def claims_report() -> bool:
    """Whether this rank, of those with an error, is the first to ask: an error is reported once."""
    rank = os.environ.get("RANK", "0")
    if not _round.store:
        return True
    with suppress(RuntimeError):
        return _round.store.compare_set("reported", "", rank) == rank.encode()
    return rank == "0"


def _is_loss(error: RuntimeError) -> bool:
    """Whether torch raises this error if another rank is lost."""
    message = str(error)
    return isinstance(error, dist.DistError) or any(words in message for words in LOSS_MESSAGES)


def _join(rank: int, world: int) -> None:
    """Meet the other ranks, and set up torch's process group. Raises `NarrowsError`."""
    _select_gpu()
    address = os.environ.get("MASTER_ADDR", "127.0.0.1")
    port = int(os.environ.get("MASTER_PORT", "29500"))
    missing, cause = ["rank 0"], None
    try:
        store = _connect(address, port, rank, world)
        if rank == 0:
            missing = _open_round(store, world)
        else:
            missing = _answer(store, rank)
        if not missing:
            _start_group(rank, world)
    except RuntimeError as error:
        cause = error
    if missing or cause:
        raise NarrowsError(
            f"rank {rank} of {world} has waited at {address}:{port} in vain: "
            f"{several(missing)} did not come; start as many processes as WORLD_SIZE says "
            "(torchrun does), where each of them reaches that address"
        ) from cause


def _select_gpu() -> None:
    """Take the GPU of this rank's place on the machine, if it has one."""
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    if torch.cuda.is_available() and local_rank < torch.cuda.device_count():
        torch.cuda.set_device(local_rank)


def _connect(address: str, port: int, rank: int, world: int) -> Any:
    """The store of all ranks; the first rank holds it, unless torchrun's agent does."""
    is_master = rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    timeout = timedelta(seconds=RENDEZVOUS_TIMEOUT)
    return TCPStore(address, port, world, is_master, timeout, wait_for_workers=False)


def _start_group(rank: int, world: int) -> None:
    """Torch's process group over the store of this round, and this rank's signs of life."""
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    store, timeout = _round.store, timedelta(seconds=TIMEOUT)
    dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=timeout)
    _round.left.clear()
    _round.beats = threading.Thread(target=_beat, args=(store, rank), daemon=True)
    _round.beats.start()


def _open_round(store: Any, world: int) -> list[str]:
    """Open a round, and begin it when all have answered; returns which ranks have not."""
    name = uuid4().hex
    rounds = store.add("narrows/rounds", 1)
    _enter(store, name, restarted=rounds > 1)
    store.set("narrows/round", name)
    answers = {f"rank {k}": f"answer/{k}" for k in range(1, world)}
    wait_until(
        lambda: _round.store.check(list(answers.values())), seconds_from_now(RENDEZVOUS_TIMEOUT)
    )
    missing = [rank for rank, key in answers.items() if not _round.store.check([key])]
    if not missing:
        names = [_round.store.get(key).decode() for key in answers.values()]
        _round.store.set("list", " ".join([str(int(_round.restarted)), *names]))
    return missing


def _answer(store: Any, rank: int) -> list[str]:
    """Answer in the open round until one begins that lists this rank; returns who is missing."""
    own_name = uuid4().hex

    def is_listed() -> bool:
        if not store.check(["narrows/round"]):
            return False
        _enter(store, store.get("narrows/round").decode())
        _round.store.set(f"answer/{rank}", own_name)
        return _round.store.check(["list"]) and own_name in _round.store.get("list").decode()

    if not wait_until(is_listed, seconds_from_now(RENDEZVOUS_TIMEOUT)):
        return ["rank 0, or another one,"]
    _round.restarted = _round.store.get("list").decode().startswith("1 ")
    return []


def _enter(store: Any, name: str, restarted: bool = False) -> None:
    """Enter the round of that name: its keys are kept apart from those of other rounds."""
    _round.store = PrefixStore(f"narrows/{name}", store)
    _round.restarted = restarted


@contextmanager
def _until_sigterm() -> Iterator[Callable[[], float]]:
    """A deadline for waits in the block: none until SIGTERM comes, `TIMEOUT` seconds after it.

    The signal is passed on to the handler that was there before.
    """
    handler = signal.getsignal(signal.SIGTERM)
    times: list[float] = []  # at which the signal came

    def deadline() -> float:
        return times[0] + TIMEOUT if times else inf

    def note(number: int, frame: Any) -> None:
        times.append(time.monotonic())
        if callable(handler):
            handler(number, frame)

    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield deadline
        return
    signal.signal(signal.SIGTERM, note)
    try:
        yield deadline
    finally:
        signal.signal(signal.SIGTERM, handler)


def _leave(rank: int, world: int) -> None:
    """Leave the others; the first, whose process may hold the store, lets them leave before it."""
    if _round.store:
        with suppress(RuntimeError):
            _round.store.set(f"left/{rank}", "")
            if rank == 0:
                keys = [f"left/{k}" for k in range(world)]
                wait_until(lambda: _round.store.check(keys), seconds_from_now(ROLL_CALL))
    _round.left.set()
    if _round.beats:  # a thread that is inside torch when the process ends would abort it
        _round.beats.join(ROLL_CALL)
    if dist.is_initialized():
        with suppress(RuntimeError):
            dist.destroy_process_group()


def _beat(store: Any, rank: int) -> None:
    """Give signs of life, also while this rank waits for others, until the round or process ends."""
    with suppress(RuntimeError):
        while store is _round.store:
            store.add(f"beats of {rank}", 1)
            if _round.left.wait(HEARTBEAT):
                return


def _heartbeats(world: int) -> list[int]:
    """How many signs of life each rank has given."""
    return [_round.store.add(f"beats of {k}", 0) for k in range(world)]


def _lost_ranks(rank: int, world: int) -> list[str]:
    """The ranks that have not left, and give no sign of life."""
    before = _heartbeats(world)
    time.sleep(ROLL_CALL)
    after = _heartbeats(world)
    silent = [k for k in range(world) if before[k] == after[k] and k != rank]
    return [f"rank {k}" for k in silent if not _round.store.check([f"left/{k}"])]


def _loss_message(rank: int, world: int) -> str:
    """In words, which ranks were lost, and what to do."""
    lost = []
    with suppress(RuntimeError):
        lost = _lost_ranks(rank, world)
    return (
        f"{' and '.join(lost) or 'one of the ranks'} of {world} was lost: its process has ended, or "
        f"has not answered for {TIMEOUT:g} s. The state of the training is that of the last epoch, "
        "or of the last minutes: the same command with --resume goes on from there (torchrun "
        "--max-restarts does so by itself)"
    )
