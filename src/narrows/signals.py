"""Signals that ask a process to end: SIGINT (Ctrl-C), SIGTERM (`kill`), and SIGHUP (its terminal was
closed).
"""

import errno
import os
import signal
from typing import Any

STANDARD_OUTPUTS = (1, 2)  # file descriptors


def ending_signals() -> list[signal.Signals]:
    """The signals that ask this process to end; SIGHUP is not one of them under `nohup`."""
    signals = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)  # not on every system
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        signals.append(hangup)
    return signals


def interrupt(number: int, frame: Any) -> None:
    """A handler: what Ctrl-C does. Raises `KeyboardInterrupt`."""
    drop_output_to_closed_terminal()
    raise KeyboardInterrupt


def drop_output_to_closed_terminal() -> None:
    """If the terminal is gone, output to it goes nowhere, so that no message fails before all is
    saved.
    """
    for descriptor in STANDARD_OUTPUTS:
        if _is_closed_terminal(descriptor):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)


def _is_closed_terminal(descriptor: int) -> bool:
    try:
        os.tcgetpgrp(descriptor)
    except OSError as error:  # ENOTTY if it is not a terminal
        return error.errno == errno.EIO
    return False
