"""The command line: verbs that parse, call and print. What they do is done below.

Exit codes: 0 done, 1 failed, 2 wrong use. Errors are one plain sentence; `--debug` shows where they come from.
"""

import os
import signal
import sys
from collections.abc import Sequence

from narrows.cli.lazy import put_off


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    # threads that wait for each other by spinning for long are slower than one, where a core is shared; not to spin
    # at all is slower still, where none is
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # what torch says of ranks is for those who build it
    put_off("scipy.stats")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what is being written is whole or gone
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    from cyclopts import CycloptsError

    from narrows.cli.app import app
    from narrows.cli.output import code_of, complain, plain_warnings
    from narrows.errors import NarrowsError

    debug = "--debug" in arguments
    try:
        with plain_warnings():
            app([a for a in arguments if a != "--debug"], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        complain(f"{str(error).removeprefix('Invalid value for ')}\nSee: narrows --help, or narrows VERB --help")
        return 2
    except KeyboardInterrupt as error:
        complain(str(error) or "interrupted")
        return 1
    except BrokenPipeError:
        return 1
    except Exception as error:
        if debug:
            raise
        known = isinstance(error, NarrowsError)
        complain(str(error) if known else f"{type(error).__name__}: {error} (--debug shows where)")
        return code_of(error)
    return 0
