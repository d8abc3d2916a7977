"""Several processes for one command: real ones, of `--devices` and of torchrun."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from small_ranks import free_port

pytestmark = pytest.mark.slow
NARROWS = [sys.executable, "-m", "narrows"]
TRAIN = ["train", "ae-mlp", "--data", "digits", "--batch-size", "60", "--set", "body.widths=[16]"]
TORCHRUN = [
    sys.executable,
    "-m",
    "torch.distributed.run",
    "--nnodes",
    "2",
    "--nproc-per-node",
    "1",
    "--max-restarts",
    "1",
]
EPOCHS = "6"
LONG = 150  # seconds, on a machine that does much else


def start(command, **here):
    ours = {"OMP_NUM_THREADS": "1", **here}
    return subprocess.Popen(
        command,
        env={**os.environ, **ours},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process):
    out, err = process.communicate(timeout=LONG)
    return process.returncode, out, err


def process_of(rank: int, folder: Path) -> int:
    """The process that is that rank of a run into this folder."""
    for entry in Path("/proc").iterdir():
        try:
            variables, command = (
                (entry / name).read_bytes().split(b"\0") for name in ("environ", "cmdline")
            )
        except (OSError, ValueError):
            continue
        if f"RANK={rank}".encode() in variables and str(folder).encode() in command:
            return int(entry.name)
    raise AssertionError(f"there is no rank {rank}")


def wait_for(path: Path, process) -> None:
    end = time.monotonic() + LONG
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, f"{path} does not come"
        time.sleep(0.05)


def same_run(one: Path, other: Path) -> bool:
    a, b = (load_file(folder / "model.safetensors") for folder in (one, other))
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def history(folder: Path) -> np.ndarray:
    # without wall times
    return np.loadtxt(folder / "history.csv", delimiter=",", skiprows=1)[:, :3]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A run of 2 processes that nothing disturbed, and what it printed."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    return folder, ended(
        start([*NARROWS, *TRAIN, "--epochs", EPOCHS, "-o", str(folder), "--devices", "2"])
    )


def test_devices_start_processes_of_which_only_the_first_prints(undisturbed, tmp_path):
    folder, (code, out, err) = undisturbed
    assert code == 0, err
    alone, printed, _ = ended(
        start([*NARROWS, *TRAIN, "--epochs", EPOCHS, "-o", str(tmp_path / "run")])
    )
    assert alone == 0
    assert [line.split()[:1] for line in out.splitlines()] == [
        line.split()[:1] for line in printed.splitlines()
    ]
    assert err.count("training Autoencoder on 1,437 images") == err.count("The report: ") == 1
    assert "Warning" not in err
    np.testing.assert_allclose(history(folder), history(tmp_path / "run"), rtol=1e-5)
    assert {path.name for path in folder.iterdir()} == {
        path.name for path in (tmp_path / "run").iterdir()
    }


def test_an_error_of_several_processes_is_reported_once(tmp_path):
    (tmp_path / "there.txt").write_text("mine")
    code, out, err = ended(start([*NARROWS, *TRAIN, "-o", str(tmp_path), "--devices", "2"]))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "exists already" in err


def test_a_signal_stops_all_processes_with_a_checkpoint(tmp_path):
    folder = tmp_path / "run"
    process = start([*NARROWS, *TRAIN, "--epochs", "400", "-o", str(folder), "--devices", "2"])
    wait_for(folder / "last.safetensors", process)
    process.send_signal(signal.SIGTERM)
    code, _, err = ended(process)
    told = [line for line in err.splitlines() if line.startswith("narrows: ")]
    assert (code, len(told)) == (1, 1), err
    assert told[0].startswith("narrows: stopped by SIGTERM ")
    assert "--resume" in told[0]


def test_two_machines_resume_after_a_rank_is_lost(undisturbed, tmp_path):
    """Each agent of torchrun stands for a machine; they restart the ranks from the last checkpoint."""
    folder, at = tmp_path / "run", f"127.0.0.1:{free_port()}"
    meet = ["--rdzv-backend", "c10d", "--rdzv-id", "test", "--rdzv-endpoint", at]
    train = ["-m", "narrows", *TRAIN, "--epochs", EPOCHS, "-o", str(folder)]
    agents = [start([*TORCHRUN, "--node-rank", str(k), *meet, *train]) for k in range(2)]
    wait_for(folder / "last.safetensors", agents[0])
    os.kill(process_of(1, folder), signal.SIGKILL)
    codes, _, told = zip(*[ended(agent) for agent in agents])
    assert codes == (0, 0), told
    words = "".join(told)
    assert "narrows: rank 1 of 2 was lost: " in words
    assert "going on from epoch " in words or "ends" in words
    assert same_run(folder, undisturbed[0])
    assert np.array_equal(history(folder), history(undisturbed[0]))
