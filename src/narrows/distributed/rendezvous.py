"""Joining: how processes that torchrun has started become ranks, how they meet, and how one that is
lost is noticed.

    with joined():                  elsewhere than under torchrun the block is a process alone
        Autoencoder().fit(X)

torchrun gives each process its place (RANK), the number of all (WORLD_SIZE), and the address of a
store where they leave words for each other. That store outlives them: when torchrun starts ranks
again after one was lost, the words of the dead are still there. So the first rank opens a round
with a new name, each other one answers with a name of its own, and the round begins with the list
of these names: who finds himself on it knows that it is this one.

Reference: https://docs.pytorch.org/docs/stable/elastic/run.html.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from math import inf
from typing import Any
from uuid import uuid4

import torch
from torch import distributed as dist

from narrows.distributed.process_group import rank_and_size
from narrows.errors import NarrowsError, several

# seconds that a rank waits for another in a sum
TIMEOUT = float(os.environ.get("NARROWS_PATIENCE", "25"))
RENDEZVOUS_TIMEOUT = (
    # seconds in which all must come: they begin together, but load what they need at their own pace
    60.0
)
HEARTBEAT, ROLL_CALL = 0.5, 3.0  # seconds between two signs of life, and in which one must come
# in what torch says of it
LOSS_TIMEOUT = ("gloo", "NCCL", "pair closure", "Connection closed", "Timed out waiting")

# public, by its manual
TCPStore, PrefixStore = (getattr(dist, name) for name in ("TCPStore", "PrefixStore"))

_store: list[Any] = []  # of this round
_again: list[bool] = [False]


def was_launched() -> bool:
    """Whether torchrun, or what speaks its language, has started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


def was_restarted() -> bool:
    """Whether torchrun has started the ranks again, after one was lost."""
    return _again[0]


@contextmanager
def process_group() -> Iterator[None]:
    """The block is one rank of those that torchrun has started; elsewhere it is a process alone.

    Raises `NarrowsError` where ranks do not come, or one is lost: the sums of the others then end
    within
    `NARROWS_PATIENCE` seconds (25), and at once where its process has died.
    """
    if not was_launched() or rank_and_size()[1] > 1:
        yield
        return
    place, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    try:
        _join(place, world)
        yield
    except RuntimeError as error:
        if not (
            isinstance(error, dist.DistError) or any(word in str(error) for word in LOSS_TIMEOUT)
        ):
            raise
        # torchrun ends the others, who have yet to say why
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise NarrowsError(_lost(place, world)) from error
    finally:
        _leave(place, world)


def barrier() -> None:
    """Wait until all ranks are here, however long it takes: to read images, to write a state.

    A sum would lose its patience. Where one is lost torchrun asks the others to end; then patience
    is lost here, too.
    """
    if _store:
        place, world = rank_and_size()
        turn = _store[0].add(f"turns of {place}", 1)
        _store[0].set(f"{turn}/{place}", "")
        with _until_asked() as end:
            all_here = _wait(lambda: _store[0].check([f"{turn}/{k}" for k in range(world)]), end)
        if not all_here:
            raise dist.DistError("Timed out waiting for the other ranks")


def claims_report() -> bool:
    """Whether this rank is the first to ask, of those that have an error to report: it is reported
    once.
    """
    place = os.environ.get("RANK", "0")
    with suppress(RuntimeError):
        return not _store or _store[0].compare_set("told", "", place) == place.encode()
    return place == "0"


def _join(place: int, world: int) -> None:
    here = os.environ
    if torch.cuda.is_available() and int(here.get("LOCAL_RANK", "0")) < torch.cuda.device_count():
        torch.cuda.set_device(int(here.get("LOCAL_RANK", "0")))
    leads = place == 0 and here.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    address, port = here.get("MASTER_ADDR", "127.0.0.1"), int(here.get("MASTER_PORT", "29500"))
    missing, why = ["rank 0"], None
    try:
        store = TCPStore(
            address,
            port,
            world,
            leads,
            timedelta(seconds=RENDEZVOUS_TIMEOUT),
            wait_for_workers=False,
        )
        missing = (_open if place == 0 else _answer)(store, place, world)
        if not missing:
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            patience = timedelta(seconds=TIMEOUT)
            dist.init_process_group(
                backend, store=_store[0], rank=place, world_size=world, timeout=patience
            )
            threading.Thread(target=_beat, args=(_store[0], place), daemon=True).start()
    except RuntimeError as error:
        why = error
    if missing or why:
        raise NarrowsError(
            f"rank {place} of {world} has waited at {address}:{port} in vain: "
            f"{several(missing)} did not come; start "
            "as many processes as WORLD_SIZE says (torchrun does), where each of them reaches that address"
        ) from why


def _open(store: Any, place: int, world: int) -> list[str]:
    """Open a round, and begin it when all have answered; returns who has not."""
    name, others = uuid4().hex, range(1, world)
    _begin(store, name, store.add("narrows/rounds", 1))
    store.set("narrows/round", name)
    _wait(lambda: _store[0].check([f"answer/{k}" for k in others]), _after(RENDEZVOUS_TIMEOUT))
    missing = [f"rank {k}" for k in others if not _store[0].check([f"answer/{k}"])]
    if not missing:
        _store[0].set(
            "list",
            " ".join(
                [str(int(_again[0])), *(_store[0].get(f"answer/{k}").decode() for k in others)]
            ),
        )
    return missing


def _answer(store: Any, place: int, world: int) -> list[str]:
    """Answer in the round that is open, until one begins that this rank is in; returns who is missing."""
    mine = uuid4().hex

    def begun() -> bool:
        if not store.check(["narrows/round"]):
            return False
        _begin(store, store.get("narrows/round").decode())
        _store[0].set(f"answer/{place}", mine)
        return _store[0].check(["list"]) and mine in _store[0].get("list").decode()

    if not _wait(begun, _after(RENDEZVOUS_TIMEOUT)):
        return ["rank 0, or another one,"]
    _again[0] = _store[0].get("list").decode().startswith("1 ")
    return []


def _begin(store: Any, name: str, number: int = 1) -> None:
    _store[:], _again[:] = [PrefixStore(f"narrows/{name}", store)], [number > 1]


def _wait(there: Callable[[], bool], end: Callable[[], float]) -> bool:
    """Ask again and again whether something is there, until a time that may change: signals end it,
    too.
    """
    while not (found := there()) and time.monotonic() < end():
        time.sleep(0.02)
    return found


def _after(seconds: float) -> Callable[[], float]:
    """The time in this many seconds."""
    end = time.monotonic() + seconds
    return lambda: end


@contextmanager
def _until_asked() -> Iterator[Callable[[], float]]:
    """The time until which to wait in the block: for ever, until SIGTERM comes, which is passed on;
    then not long.
    """
    before, times = signal.getsignal(signal.SIGTERM), []

    def end() -> float:
        return times[0] + TIMEOUT if times else inf

    def note(*what: Any) -> None:
        times.append(time.monotonic())
        if callable(before):
            before(*what)

    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield end
        return
    signal.signal(signal.SIGTERM, note)
    try:
        yield end
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(place: int, world: int) -> None:
    """Leave the others; the first, whose process may hold the store, lets them leave before it."""
    with suppress(RuntimeError, IndexError):
        _store[0].set(f"left/{place}", "")
        _wait(
            lambda: _store[0].check([f"left/{k}" for k in range(world)]),
            _after(ROLL_CALL * (place == 0)),
        )
    if dist.is_initialized():
        with suppress(RuntimeError):
            dist.destroy_process_group()


def _beat(store: Any, place: int) -> None:
    """Give a sign of life now and then, also while this rank waits for others; ends with the store
    or the process.
    """
    with suppress(RuntimeError):
        while store in _store:
            store.add(f"beats of {place}", 1)
            time.sleep(HEARTBEAT)


def _beats(world: int) -> list[int]:
    return [_store[0].add(f"beats of {k}", 0) for k in range(world)]


def _lost(place: int, world: int) -> str:
    """Call the roll; returns in words who is missing: who has not left, and gives no sign of life."""
    missing = "one of the ranks"
    with suppress(RuntimeError):
        before = _beats(world)
        time.sleep(ROLL_CALL)
        still = [k for k, (a, b) in enumerate(zip(before, _beats(world))) if a == b and k != place]
        gone = [f"rank {k}" for k in still if not _store[0].check([f"left/{k}"])]
        missing = " and ".join(gone) or missing
    return (
        f"{missing} of {world} was lost: its process has ended, or has not answered for "
        f"{TIMEOUT:g} s. The state of "
        "the training is that of the last epoch, or of the last minutes: the same command with "
        "--resume goes on from "
        "there (torchrun --max-restarts does so by itself)"
    )
