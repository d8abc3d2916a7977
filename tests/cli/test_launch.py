"""Ranks on the command line: real processes, of `--devices` and of torchrun."""

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
LONG = 150  # seconds, on a machine that does much else


def start(command, **here):
    ours = {"OMP_NUM_THREADS": "1", **here}
    return subprocess.Popen(
        command, env={**os.environ, **ours}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ended(process):
    out, err = process.communicate(timeout=LONG)
    return process.returncode, out, err


def process_of(rank: int, folder: Path) -> int:
    """The process that is that rank of a run into this folder."""
    for entry in Path("/proc").iterdir():
        try:
            variables, command = ((entry / name).read_bytes().split(b"\0") for name in ("environ", "cmdline"))
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
    return np.loadtxt(folder / "history.csv", delimiter=",", skiprows=1)[:, :3]  # without wall times


@pytest.fixture(scope="module")
def spread(tmp_path_factory):
    """A run of 2 processes that nothing disturbed, and what it said."""
    folder = tmp_path_factory.mktemp("spread") / "run"
    return folder, ended(start([*NARROWS, *TRAIN, "--epochs", "12", "-o", str(folder), "--devices", "2"]))


def test_devices_are_so_many_processes_of_which_one_speaks(spread, tmp_path):
    folder, (code, out, err) = spread
    assert code == 0, err
    alone, said, _ = ended(start([*NARROWS, *TRAIN, "--epochs", "12", "-o", str(tmp_path / "run")]))
    assert alone == 0
    assert [line.split()[:1] for line in out.splitlines()] == [line.split()[:1] for line in said.splitlines()]
    assert err.count("training Autoencoder on 1,437 images") == err.count("The report: ") == 1
    assert "Warning" not in err
    np.testing.assert_allclose(history(folder), history(tmp_path / "run"), rtol=1e-5)
    assert {path.name for path in folder.iterdir()} == {path.name for path in (tmp_path / "run").iterdir()}


def test_a_fault_is_told_once(spread):
    code, out, err = ended(start([*NARROWS, *TRAIN, "-o", str(spread[0]), "--devices", "2"]))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "exists already" in err


def test_a_signal_ends_all_with_a_state(tmp_path):
    folder = tmp_path / "run"
    process = start([*NARROWS, *TRAIN, "--epochs", "400", "-o", str(folder), "--devices", "2"])
    wait_for(folder / "last.safetensors", process)
    process.send_signal(signal.SIGTERM)
    code, _, err = ended(process)
    told = [line for line in err.splitlines() if line.startswith("narrows: ")]
    assert (code, len(told)) == (1, 1), err
    assert told[0].startswith("narrows: stopped by SIGTERM ")
    assert "--resume" in told[0]


def test_two_machines_go_on_after_a_rank_is_lost(spread, tmp_path):
    """Each agent of torchrun is a machine: they meet at an address, and start the ranks again from the last state."""
    folder, at = tmp_path / "run", f"127.0.0.1:{free_port()}"
    meet = ["--rdzv-backend", "c10d", "--rdzv-id", "test", "--rdzv-endpoint", at]
    train = ["-m", "narrows", *TRAIN, "--epochs", "12", "-o", str(folder)]
    agents = [start([*TORCHRUN, "--node-rank", str(k), *meet, *train]) for k in range(2)]
    wait_for(folder / "last.safetensors", agents[0])
    os.kill(process_of(1, folder), signal.SIGKILL)
    codes, _, told = zip(*[ended(agent) for agent in agents])
    assert codes == (0, 0), told
    words = "".join(told)
    assert "narrows: rank 1 of 2 was lost: " in words
    assert "going on from epoch " in words or "ends" in words
    assert same_run(folder, spread[0])
    assert np.array_equal(history(folder), history(spread[0]))
