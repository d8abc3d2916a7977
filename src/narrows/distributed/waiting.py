"""Waiting for a condition that other processes bring about, until a deadline."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], deadline: Callable[[], float]) -> bool:
    """Poll a condition until it holds, or until a deadline, which a signal may move. Returns it."""
    while True:
        holds = condition()
        if holds or time.monotonic() >= deadline():
            return holds
        time.sleep(0.02)


def seconds_from_now(seconds: float) -> Callable[[], float]:
    """A fixed deadline, in this many seconds."""
    end = time.monotonic() + seconds
    return lambda: end
