"""Signals that ask a process to end: a terminal that is closed loses nothing."""

import os
import pty
import signal
import sys
import time

import pytest

from narrows.cli import main
from narrows.model.file_format import CHECKPOINT_NAME
from narrows.model.files.describe import describe_file
from narrows.signals import ending_signals, interrupt
from narrows.study.run_folder import MODEL_FILE

PATIENCE = 60  # seconds


@pytest.fixture
def hangup():
    """Whatever is set for SIGHUP in a test is undone."""
    handler = signal.getsignal(signal.SIGHUP)
    yield lambda wanted: signal.signal(signal.SIGHUP, wanted)
    signal.signal(signal.SIGHUP, handler)


def test_a_hangup_ends_a_process_unless_nohup_has_it_ignored(hangup):
    hangup(signal.SIG_DFL)
    assert ending_signals() == [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    hangup(signal.SIG_IGN)
    assert ending_signals() == [signal.SIGINT, signal.SIGTERM]


def test_a_hangup_interrupts_as_ctrl_c_does(hangup):
    hangup(interrupt)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGHUP)


def test_a_training_whose_terminal_is_closed_is_kept(tmp_path):
    """The progress bar writes to a terminal that is gone, and the step is finished and saved."""
    folder = tmp_path / "run"
    arguments = ["train", "vae-mlp", "--data", "digits", "--epochs", "100000", "-o", str(folder)]
    child, terminal = pty.fork()
    if not child:
        os.environ["TERM"] = "xterm"
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        os._exit(_code_of(lambda: main(arguments)))
    checkpoint = folder / CHECKPOINT_NAME
    _wait_for(lambda: checkpoint.exists() and describe_file(checkpoint)["epochs done"] > 0)
    os.close(terminal)
    before = describe_file(checkpoint)["epochs done"]
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 1
    assert describe_file(checkpoint)["epochs done"] >= before
    assert (folder / MODEL_FILE).exists()  # written after the checkpoint, as the process ends


def _wait_for(holds):
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def _code_of(function) -> int:
    """The exit code of a child's work; a child never returns to the tests, whatever is raised."""
    try:
        function()
    except SystemExit as error:
        return int(error.code or 0)
    except BaseException:
        return 70
    return 0
