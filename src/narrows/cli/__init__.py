"""The command line: verbs that parse, call and print; the work itself is done in the packages
below.

Exit codes: 0 done, 1 failed, 2 wrong use. Errors are one plain sentence; `--debug` shows where they
come from.

app             the table of verbs
options         options that verbs share; `--set part.option=value`
output          what is printed, and where; exit codes
inputs          the images that a verb works on, and files that cannot be read
lazy            modules that are imported when they are first used
train           train, compare
run_study       what the verbs that train share
studies         demo, lab, study, report
images          reconstruct, sample, decode, interpolate
denoise         denoise
image_work      images in, the same images out: the work of reconstruct and denoise
score           encode, score
anomalies       scores, and how well they find anomalies
thresholds      the thresholds of scores
score_report    the page of score --report
error_maps      pictures of errors, and how well these find anomalous pixels
sharded_job     the work of one verb, or a share of it
merge           merge, which joins shares
archives        compress, decompress
codec           codec train
archive_images  the images that compress reads
packs           pack, verify
patches         patches; --patches of the verbs that train
model_files     info, export
lists           labs, recipes, parts
bench           bench speed, bench profile, bench scale, bench anomaly
bench_codec     bench codec
bench_denoise   bench denoise
evaluate        evaluate; `no_reference` has --no-reference
bench_checks    what these are asked for, checked
launch          several processes: torchrun, and `--devices`
"""

import os
import signal
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from narrows.cli.lazy import put_off
from narrows.errors import ESCAPED
from narrows.signals import ending_signals, interrupt


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    # messages about ranks are for developers of torch
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    put_off("scipy.stats")
    for stream in (sys.stdout, sys.stderr):  # names of files may not be UTF-8
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=ESCAPED)
    for number in ending_signals():
        signal.signal(number, interrupt)
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    from cyclopts import CycloptsError

    from narrows.cli.app import app
    from narrows.cli.output import code_of, complain, plain_warnings

    debug = "--debug" in arguments
    try:
        with plain_warnings():
            app([a for a in arguments if a != "--debug"], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        complain(
            f"{str(error).removeprefix('Invalid value for ')}\nSee: narrows --help, or narrows VERB --help"
        )
        return 2
    except KeyboardInterrupt as error:
        complain(str(error) or "interrupted")
        return 1
    except BrokenPipeError:
        return 1
    except Exception as error:
        if debug:
            raise
        complain(_in_words(error))
        return code_of(error)
    return 0


def _in_words(error: Exception) -> str:
    from narrows.errors import NarrowsError
    from narrows.reading import shortage_of

    if isinstance(error, NarrowsError):
        return str(error)
    if shortage := shortage_of(error):
        return str(shortage)
    return f"{type(error).__name__}: {error} (--debug shows where)"
