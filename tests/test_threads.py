"""Laws of threads that wait: how long they spin, and when a training says that cores are missing."""

import os
import subprocess
import sys
import warnings
from itertools import count

import numpy as np
import pytest
import torch

import narrows as nw
from narrows import threads
from narrows.errors import NarrowsWarning
from narrows.threads import ThreadWatch, wait_for_cores

ECHO = "import os; print(os.environ.get('GOMP_SPINCOUNT'))"


def spin_after(program: str, **variables: str) -> str:
    """GOMP_SPINCOUNT after a program that runs in a process of its own, with these variables."""
    environment = {k: v for k, v in os.environ.items() if k not in threads.VARIABLES}
    command = [sys.executable, "-c", f"{program}; {ECHO}"]
    output = subprocess.run(
        command, env=environment | variables, capture_output=True, text=True, check=True
    )
    return output.stdout.strip()


def test_an_import_sets_a_short_spin():
    assert spin_after("import narrows") == threads.SPIN
    assert spin_after("import narrows.cli") == threads.SPIN


def test_nothing_is_set_where_torch_has_read_the_spin_already():
    assert spin_after("import sys; sys.modules['torch'] = sys; import narrows") == "None"


@pytest.mark.parametrize("value", ["7", "300000"])
def test_the_spin_that_a_user_sets_is_kept(value):
    assert spin_after("import narrows", GOMP_SPINCOUNT=value) == value


def test_no_spin_is_set_where_the_user_has_set_the_policy_of_waiting():
    assert spin_after("import narrows", OMP_WAIT_POLICY="ACTIVE") == "None"


def test_threads_wait_for_cores_if_together_they_have_less_than_one():
    assert wait_for_cores(processor=0.5, wall=1, threads=2)
    assert not wait_for_cores(processor=1, wall=1, threads=2)
    assert not wait_for_cores(processor=2, wall=1, threads=2)


def test_one_thread_never_waits_for_another():
    assert not wait_for_cores(processor=0.1, wall=1, threads=1)


def test_the_criterion_of_waiting_threads_is_a_ratio():
    for share in (0.1, 0.79, 0.81, 3):
        answers = {wait_for_cores(share * wall, wall, 4) for wall in (0.01, 1, 1000)}
        assert answers == {share < threads.SHARE}


@pytest.fixture
def clock(monkeypatch):
    """A clock on which each look is 0.3 s later; the processor's goes at the share in the list."""
    share = [1.0]
    wall, processor = count(step=0.3), count(step=0.3)
    monkeypatch.setattr(threads.time, "perf_counter", lambda: next(wall))
    monkeypatch.setattr(threads.time, "process_time", lambda: share[0] * next(processor))
    return share


def warnings_of(watch: ThreadWatch, blocks: int) -> list[str]:
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        for _ in range(blocks):
            with watch:
                pass
    assert all(issubclass(warning.category, NarrowsWarning) for warning in given)
    return [str(warning.message) for warning in given]


def test_threads_that_wait_are_reported_once_with_what_would_help(clock):
    clock[0] = 0.3
    (message,) = warnings_of(ThreadWatch(2), blocks=50)
    assert "OMP_NUM_THREADS=1" in message


@pytest.mark.parametrize(("number", "share"), [(1, 0.3), (2, 1.0), (2, 2.0)])
def test_threads_that_do_not_wait_are_not_reported(clock, number, share):
    clock[0] = share
    assert not warnings_of(ThreadWatch(number), blocks=50)


def test_the_first_block_is_not_watched_nor_what_comes_after_the_first_second(clock):
    watch = ThreadWatch(2)
    clock[0] = 0.01
    assert not warnings_of(watch, blocks=1)
    clock[0] = 1.0
    assert not warnings_of(watch, blocks=10)
    clock[0] = 0.01
    assert not warnings_of(watch, blocks=50)


def test_the_cure_names_the_order_of_imports_only_where_no_variable_is_set(clock, monkeypatch):
    clock[0] = 0.3
    for name in threads.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert "before torch" in warnings_of(ThreadWatch(2), blocks=9)[0]
    monkeypatch.setenv("GOMP_SPINCOUNT", "9")
    assert "before torch" not in warnings_of(ThreadWatch(2), blocks=9)[0]


def test_a_training_reports_threads_that_wait(clock, monkeypatch):
    clock[0] = 0.3
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    X = np.random.default_rng(0).random((64, 4, 4), np.float32)
    model = nw.Autoencoder(epochs=2, batch_size=8, bottleneck={"kind": "plain", "size": 2})
    with pytest.warns(NarrowsWarning, match="wait for one another"):
        model.fit(X)


@pytest.mark.parametrize(
    ("allowed", "quota", "cores"),
    [
        (8, None, 8),
        (8, "max 100000", 8),
        (8, "150000 100000", 2),
        (2, "600000 100000", 2),
        (3, "20000 100000", 1),
    ],
)
def test_cores_are_those_that_affinity_and_the_control_group_leave(
    tmp_path, monkeypatch, allowed, quota, cores
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(allowed)), raising=False)
    monkeypatch.setattr(threads, "QUOTA", tmp_path / "cpu.max")
    if quota is not None:
        threads.QUOTA.write_text(quota + "\n")
    assert threads.count_cores() == cores


def test_cores_of_a_system_without_affinity_are_those_of_the_machine(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(threads, "QUOTA", tmp_path / "cpu.max")
    assert threads.count_cores() == os.cpu_count()
