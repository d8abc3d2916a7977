"""Laws of the machine: numbers belong to a key, not to a history, a place or a neighbour."""

import mmap
import multiprocessing
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

from narrows import machine, randomness
from narrows.distributed import process_group
from narrows.distributed.process_group import rank_slice
from narrows.errors import NarrowsError, NarrowsWarning, UnknownName
from narrows.machine import select_device
from narrows.parts import register
from narrows.randomness import image_keys, key_of, keyed_generator, seeded_initialisation

KINDS = ["normal", "uniform", "half"]


class Keyed(randomness.KeyedRandom):
    """With a kind more, by the name of the others: true for about half of the values."""

    def half(self, purpose, like):
        return self.chance(purpose, like, 0.5)


class PerImage(randomness.PerImageRandom):
    def half(self, purpose, like):
        return self.chance(purpose, like, 0.5)


def some(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def state() -> tuple:
    """Of every generator that the whole process shares."""
    return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()


# -- keys ------------------------------------------------------------------------------------------


def test_a_key_is_a_positive_number_that_belongs_to_all_its_parts_in_order():
    keys = [
        key_of(),
        key_of(0),
        key_of(1),
        key_of(0, 1),
        key_of(1, 0),
        key_of("0"),
        key_of(0, "noise"),
        key_of(0, "code"),
        key_of(-1),
    ]
    assert len(set(keys)) == len(keys)
    assert all(0 <= k < 2**63 for k in keys)


def test_a_key_is_the_same_in_another_process():
    code = "from narrows.randomness import key_of; print(key_of(3, 'noise', 1.5))"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert int(told) == key_of(3, "noise", 1.5)


def test_a_number_of_numpy_is_that_number():
    assert key_of(np.int64(3), "a", np.float64(0.5)) == key_of(3, "a", 0.5)


def test_generators_of_one_key_agree_and_of_others_do_not():
    first, again, other = (
        torch.rand(5, generator=keyed_generator(*k)) for k in [(1, "a"), (1, "a"), (2, "a")]
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_chance_is_kept_to_one_part_in_65536():
    x = torch.empty(1, 3, 500, 501)  # of which 4 do not divide the number
    for chance in (0.1, 0.5, 0.8, 1.0):
        found = randomness.KeyedRandom(0).chance("dropout", x, chance)
        assert found.shape == x.shape
        assert found.double().mean().item() == pytest.approx(
            chance, abs=4 * (chance * (1 - chance) / x.numel()) ** 0.5
        )


# -- draws -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_key_draws_the_same_and_any_other_key_or_purpose_does_not(kind):
    x = some(6, 3, 4, 4)
    first = getattr(Keyed(0, 1, 2), kind)("noise", x)
    assert first.shape == x.shape
    assert torch.equal(first, getattr(Keyed(0, 1, 2), kind)("noise", x))
    for other in [(1, 1, 2), (0, 2, 2), (0, 1, 3)]:
        assert not torch.equal(first, getattr(Keyed(*other), kind)("noise", x))
    assert not torch.equal(first, getattr(Keyed(0, 1, 2), kind)("code", x))


@pytest.mark.parametrize("make", [lambda x: Keyed(0), lambda x: PerImage(x, 0)])
@pytest.mark.parametrize("kind", KINDS)
def test_one_purpose_continues_and_does_not_disturb_another(make, kind):
    x = some(6, 3, 4, 4)
    plain, mixed = make(x), make(x)
    first, second = (getattr(plain, kind)("noise", x) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(getattr(mixed, kind)("noise", x), first)
    mixed.uniform("code", x)
    assert torch.equal(getattr(mixed, kind)("noise", x), second)


@pytest.mark.parametrize("make", [lambda x: Keyed(0), lambda x: PerImage(x, 0)])
def test_numbers_are_standard_normal_and_uniform(make):
    x = some(400, 1, 20, 20)
    normal, uniform = make(x).normal("noise", x), make(x).uniform("noise", x)
    assert abs(normal.mean()) < 0.01
    assert abs(normal.std() - 1) < 0.01
    assert abs(normal.pow(4).mean() - 3) < 0.1
    assert 0 <= uniform.min() < 0.001 < 0.999 < uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.005
    assert abs(uniform.var() - 1 / 12) < 0.002
    rows = normal.flatten(1)
    assert (rows @ rows.T / 400 - torch.eye(400)).fill_diagonal_(0).abs().max() < 0.35, (
        "rows are independent"
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("world", [1, 2, 3, 7])
def test_the_rows_of_the_ranks_are_the_rows_of_the_whole(monkeypatch, kind, world):
    x = some(10, 2, 3, 3)
    whole = getattr(Keyed(0, 1, 2), kind)("noise", x)
    parts = []
    for place in range(world):
        monkeypatch.setattr(process_group, "rank_and_size", lambda place=place: (place, world))
        rows = rank_slice(10)
        parts.append(getattr(Keyed(0, 1, 2, rows=rows, total=10), kind)("noise", x[rows]))
    assert torch.equal(torch.cat(parts), whole)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_process_alone_is_the_whole():
    assert process_group.rank_and_size() == (0, 1)
    assert rank_slice(10) == slice(0, 10)


def test_outside_of_training_a_draw_is_infinitely_far_on():
    assert Keyed(0).progress == float("inf")


# -- draws of images -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_s_numbers_do_not_depend_on_its_place_or_its_neighbours(kind):
    x = some(8, 3, 5, 4)
    whole = getattr(PerImage(x, 7), kind)("code", some(8, 20))
    order = torch.tensor([5, 0, 7, 5])
    assert torch.equal(getattr(PerImage(x[order], 7), kind)("code", some(4, 20)), whole[order])
    assert torch.equal(getattr(PerImage(x[3:4], 7), kind)("code", some(1, 20)), whole[3:4])
    assert len(whole.unique(dim=0)) == 8, "other images, other numbers"


def test_an_image_s_numbers_depend_on_the_key_and_the_purpose():
    x = some(4, 1, 5, 5)
    draws = [
        PerImage(x, 0).normal("a", x),
        PerImage(x, 1).normal("a", x),
        PerImage(x, 0).normal("b", x),
    ]
    assert all(not torch.equal(draws[i], draws[j]) for i, j in [(0, 1), (0, 2), (1, 2)])


@pytest.mark.parametrize("peak", [255, 1])
def test_fingerprints_of_other_images_differ_and_last_bits_do_not_matter(peak):
    x = (some(500, 1, 6, 6) * peak).round() / peak
    prints = image_keys(x)
    assert len(set(prints)) == 500
    assert all(0 <= p < 2**63 for p in prints)
    assert len({p % 2**32 for p in prints}) == 500, "torch seeds with the low 32 bits"
    assert len({p % 2**10 for p in prints}) > 300, "even the lowest bits tell images apart"
    assert image_keys(x + 2e-7) == prints
    assert image_keys(x.flip(3)) != prints


def test_the_key_of_an_image_is_exactly_this_and_changes_with_any_pixel():
    """Scores and reconstructions draw by it: with other keys they give other numbers than before."""
    x = torch.linspace(-1, 1, 3 * 8).view(3, 1, 2, 4)
    known = [8713663144624688041, 8128764303354919346, 1314829834588202541]
    assert image_keys(x) == known
    for k in range(8):
        changed = x.clone()
        changed.view(3, 8)[1, k] += 1 / 4096
        first, second, third = image_keys(changed)
        assert (first, third) == (known[0], known[2])
        assert second != known[1]


# -- initialising ----------------------------------------------------------------------------------


def test_weights_belong_to_the_seed():
    def weights(seed):
        with seeded_initialisation(seed):
            return torch.nn.Linear(3, 3).weight

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_the_global_generators_are_never_read_or_moved():
    x = some(4, 1, 6, 6)
    before = state()
    with seeded_initialisation(5):
        torch.nn.Linear(4, 4)
    for draw in (Keyed(0), PerImage(x, 0)):
        first = draw.normal("a", x)
        draw.uniform("a", x)
    keyed_generator(1), image_keys(x)
    assert state() == before
    torch.manual_seed(99)
    assert torch.equal(PerImage(x, 0).normal("a", x), first)
    torch.set_rng_state(torch.tensor(before[0], dtype=torch.uint8))


def test_the_global_generator_is_put_back_after_an_exception():
    def fail():
        with seeded_initialisation(5):
            torch.rand(3)
            raise KeyError

    before = state()
    with pytest.raises(KeyError):
        fail()
    assert state() == before


def test_threads_that_initialise_at_once_get_the_weights_of_their_seed_and_move_no_generator():
    def weights(seed):
        with seeded_initialisation(seed):
            return torch.cat([torch.nn.Linear(50, 50).weight for _ in range(20)])

    before = state()
    expected = {seed: weights(seed) for seed in range(2)}
    with ThreadPoolExecutor(4) as pool:
        for seed, drawn in zip([0, 1] * 8, pool.map(weights, [0, 1] * 8)):
            assert torch.equal(drawn, expected[seed])
    assert state() == before


@pytest.mark.parametrize("device", ["cuda:1", "cuda"])
def test_the_global_generator_of_a_gpu_is_seeded_and_put_back(monkeypatch, device):
    generators = (torch.Generator().manual_seed(1), torch.Generator().manual_seed(2))
    monkeypatch.setattr(torch.cuda, "default_generators", generators)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    before = [generator.get_state() for generator in generators]

    def drawn(seed):
        with seeded_initialisation(seed, device):
            return torch.rand(3, generator=generators[1])

    assert torch.equal(drawn(5), drawn(5))
    assert not torch.equal(drawn(5), drawn(6))
    assert all(torch.equal(a, b.get_state()) for a, b in zip(before, generators))


def test_a_module_of_the_user_draws_from_the_generator_of_its_device(monkeypatch):
    devices = []

    def seeded(seed, device):
        devices.append(device)
        return nullcontext()

    monkeypatch.setattr(register, "seeded_initialisation", seeded)
    register._run_module(torch.nn.Identity(), "body", torch.empty(2, device="meta"), Keyed(0))
    assert devices == [torch.device("meta")]


# -- denormal numbers ------------------------------------------------------------------------------

# 9e-41, enough for all threads
DENORMAL = torch.full((200_000,), 1 << 16, dtype=torch.int32).view(torch.float32)


def share_of_zeros() -> float:
    """Of products that are denormal numbers."""
    return ((DENORMAL * 0.5).view(torch.int32) == 0).double().mean().item()


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("started", [True, False], ids=["threads of before", "new threads"])
def test_denormals_are_flushed_in_every_thread_of_a_block_and_kept_after_it(started):
    def shares():  # in a thread of its own, to which torch gives new threads
        before = [share_of_zeros()] if started else []
        with machine.flush_denormals():
            within = share_of_zeros()
        return [*before, within, share_of_zeros()]

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(shares).result() == ([0, 1, 0] if started else [1, 0])


@pytest.mark.usefixtures("two_threads")
def test_denormals_that_the_user_flushes_stay_flushed():
    def share():
        torch.set_flush_denormal(True)
        with machine.flush_denormals():
            pass
        return share_of_zeros()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(share).result() == 1


@pytest.mark.usefixtures("two_threads")
def test_denormals_of_the_user_are_kept_where_other_threads_cannot_be_reached(monkeypatch):
    monkeypatch.setattr(machine, "_openmp_reaches_all", lambda threads: False)

    def share():
        with machine.flush_denormals():
            share_of_zeros()
        return share_of_zeros()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(share).result() == 0


@pytest.mark.usefixtures("two_threads")
def test_a_forked_child_does_not_ask_for_the_threads_of_its_parent():
    share_of_zeros()
    child = multiprocessing.get_context("fork").Process(target=flush_nothing)
    child.start()
    child.join(20)
    if child.is_alive():
        child.kill()
    assert child.exitcode == 0


def flush_nothing():
    with machine.flush_denormals():
        pass


# -- devices ---------------------------------------------------------------------------------------


def test_the_cpu_is_always_there():
    assert select_device("cpu") == select_device(torch.device("cpu")) == torch.device("cpu")


def test_auto_takes_what_there_is():
    torch.zeros(1, device=select_device("auto"))


@pytest.mark.parametrize("there", ["cuda", "mps", None])
def test_auto_prefers_cuda_then_mps(monkeypatch, there):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there == "cuda")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: there in ("cuda", "mps"))
    assert select_device().type == (there or "cpu")


@pytest.mark.parametrize("name", ["cdua", None, "cpu:x", ""])
def test_an_unknown_device_is_refused(name):
    with pytest.raises(
        UnknownName, match=r"there is no device called .*; .*known: auto, cpu, cuda, mps"
    ):
        select_device(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "mps"])
def test_a_device_that_is_not_there_is_refused_with_what_is(monkeypatch, name):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(
        NarrowsError, match=f"'{name}' is not on this machine; here: cpu; 'auto' takes the best"
    ):
        select_device(name)


@pytest.mark.parametrize(
    ("precision", "asked"), [("fp32", ("highest", False)), ("tf32", ("high", True))]
)
def test_products_on_a_gpu_are_as_asked_and_the_process_is_left_as_it_was(precision, asked):
    def now():
        return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32

    before = now()
    with machine.matmul_precision(precision, torch.device("cuda")):
        assert now() == asked
    with pytest.raises(KeyError), machine.matmul_precision(precision, torch.device("cuda")):
        raise KeyError
    with machine.matmul_precision(precision, torch.device("cpu")):
        assert now() == before
    assert now() == before


def test_memory_is_kept_without_an_error_if_there_is_no_glibc(monkeypatch):
    def none(name):
        raise OSError

    monkeypatch.setattr(machine.ctypes, "CDLL", none)
    machine.keep_freed_memory.__wrapped__()


def test_a_model_file_is_read_on_a_machine_without_its_device():
    with pytest.warns(
        NarrowsWarning, match="'cuda' is not on this machine; .*; the model is on the CPU"
    ):
        assert machine.available_device("cuda") == torch.device("cpu")
    assert machine.available_device("cpu") == torch.device("cpu")
    with pytest.raises(UnknownName):
        machine.available_device("gpu")


def test_a_model_file_keeps_the_device_it_asks_for(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert machine.available_device("cuda:1") == torch.device("cuda:1")
    assert machine.available_device("cuda:7") == torch.device("cuda"), "another of its kind"


# -- freed memory ----------------------------------------------------------------------------------


@pytest.fixture
def library(monkeypatch):
    """A C library that counts how often memory is given back, of a process of `own` bytes, 100 of which
    are in use.
    """

    class Library:
        own, trims = 0, 0

        def malloc_trim(self, pad):
            self.trims += 1
            self.own = min(self.own, 100)

    library = Library()
    monkeypatch.setattr(machine, "GROWTH", 50)
    monkeypatch.setattr(machine, "_AFTER_TRIM", [0])
    monkeypatch.setattr(machine, "_own_memory", lambda: library.own)
    monkeypatch.setattr(machine.ctypes, "CDLL", lambda name: library)
    return library


def test_freed_memory_is_given_back_each_time_the_process_has_grown_by_so_much(library):
    largest = 0
    for _ in range(100):
        library.own += 20
        machine.give_back_freed_memory()
        largest = max(largest, library.own)
    assert largest <= 100 + 50
    assert library.trims > 1


def test_freed_memory_is_kept_while_the_process_does_not_grow(library):
    library.own = 140
    machine.give_back_freed_memory()
    for _ in range(10):
        library.own = 149
        machine.give_back_freed_memory()
    assert library.trims == 1


def test_growth_counts_from_the_least_since_memory_was_given_back(library):
    for own in (100, 10, 61):
        library.own = own
        machine.give_back_freed_memory()
    assert library.trims == 2


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="counted by Linux")
def test_a_process_grows_by_what_it_writes():
    size = 50_000_000
    before = machine._own_memory()
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    # new pages: an array may get some that were freed before
    with mmap.mmap(-1, size, flags=private) as block:
        for page in range(0, size, mmap.PAGESIZE):
            block[page] = 1
        assert machine._own_memory() - before > 0.9 * size
