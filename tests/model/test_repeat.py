"""Randomness: nothing but the key moves a number, whether a run resumes or is spread over ranks."""

import json
import random

import numpy as np
import pytest
import torch
from msgspec import convert
from safetensors.torch import load as read
from safetensors.torch import save as serialise

import narrows as nw
from narrows.model.training import training as train
from narrows.model.training.progress import ProgressHeader
from narrows.model.training.state import restore, state_of
from small_models import BETA, CONSTANT, NOISY, SMALL, STILL, model, same, timeless, weights

# -- randomness ------------------------------------------------------------------------------------


def test_one_seed_one_result_bit_for_bit(digits):
    one, two = (model(**NOISY, validation=0.2).fit(digits) for _ in range(2))
    other = model(**NOISY, validation=0.2, random_state=1).fit(digits)
    assert same(weights(one), weights(two))
    assert timeless(one.history_) == timeless(two.history_)
    assert not any(
        torch.equal(a, b) for a, b in zip(one.network_.parameters(), other.network_.parameters())
    )


@pytest.mark.filterwarnings(CONSTANT)
@pytest.mark.parametrize("seed", [0, None])
def test_the_global_random_states_are_neither_moved_nor_read(digits, seed):
    def state():
        numbers = np.random.get_state()
        return torch.get_rng_state().tolist(), numbers[1].tolist(), numbers[2:], random.getstate()

    before = state()
    m = model(**NOISY, epochs=1, random_state=seed, prior="gaussian").fit(digits)
    m.transform(digits), m.sample(3), m.score_samples(digits, samples=2), m.anomaly_score(digits)
    nw.evaluate(m, digits[:10]), nw.perturb(m, digits[:2])
    nw.PCA(2, random_state=seed).fit(digits).sample(2)
    assert state() == before


def test_the_global_seed_changes_nothing(digits):
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        results.append(weights(model(**NOISY).fit(digits)))
    assert same(*results)


def test_what_is_done_between_epochs_changes_nothing(digits):
    body = {**NOISY["body"], "batch_norm": True}
    whole = model(**{**NOISY, "body": body}).fit(digits)
    looked_at = model(**{**NOISY, "body": body})
    for m in looked_at.fit_epochs(digits):
        m.sample(4), m.score(digits), m.transform(digits), nw.evaluate(m, digits[:20])
    assert same(weights(whole), weights(looked_at))
    assert timeless(whole.history_) == timeless(looked_at.history_)


def test_a_model_is_usable_between_epochs(digits, tmp_path):
    for m in model().fit_epochs(digits):
        again = nw.load(nw.save(m, tmp_path / "m.safetensors"))
        np.testing.assert_array_equal(m.transform(digits), again.transform(digits))
        assert len(m.history_["loss"]) == m.epochs_


def test_each_epoch_has_its_own_order_and_noise(digits):
    steps = (
        model(corruption=NOISY["corruption"], optimiser=STILL, epochs=2, batch_size=100)
        .fit(digits)
        .steps_["nll"]
    )
    assert len({round(float(value), 4) for value in steps}) == 4


# -- resuming --------------------------------------------------------------------------------------

RESUMED = {
    "plain": {},
    "sgd": {"optimiser": {"kind": "sgd", "rate": 1e-4}},
    "decoupled": {"optimiser": {"kind": "adam", "weight_decay": 0.1, "decoupled": True}},
    "dropout": {"body": {**SMALL, "dropout": 0.3}, "schedule": "cosine"},
    "conv": {"body": {"kind": "conv", "channels": [4, 8], "batch_norm": True, "dropout": 0.1}},
    "variational": {**NOISY, "bottleneck": BETA, "schedule": "one-cycle", "validation": 0.2},
    "average": {
        **NOISY,
        "validation": 0.2,
        "training": {"ema": 0.9, "patience": 2, "clip": 1.0, "measures": ["psnr"]},
    },
    "masking": {"corruption": "masking", "penalties": ["contractive"], "training": {"ema": 0.9}},
}


@pytest.mark.parametrize("options", RESUMED.values(), ids=RESUMED.keys())
@pytest.mark.parametrize("done", [1, 3])
def test_a_resumed_run_equals_an_unbroken_one_bit_for_bit(digits, options, done):
    whole = model(**options, epochs=4)._prepare(digits)
    for _ in whole:
        pass
    broken = model(**options, epochs=4)._prepare(digits)
    for _ in range(done):
        broken.run_epoch()
    tensors, numbers = state_of(broken)
    broken.run_epoch()  # what was told is a copy
    tensors, numbers = read(serialise(tensors)), json.loads(json.dumps(numbers))
    resumed = model(**options, epochs=4)._prepare(digits)
    restore(resumed, tensors, convert(numbers, ProgressHeader))
    for _ in resumed:
        pass
    (a, whole_numbers), (b, numbers) = state_of(whole), state_of(resumed)
    assert same(a, b)
    for found in (whole_numbers, numbers):
        found["history"] = timeless(found["history"])
    assert numbers == whole_numbers
    assert resumed.progress.epoch == len(resumed.progress.history["loss"]) == 4


# -- ranks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [32, 7])
def test_the_gradients_of_two_ranks_add_up_to_the_whole_batch(digits, monkeypatch, count):
    def gradients(share):
        monkeypatch.setattr(train, "rank_slice", share)
        m = model(**NOISY, penalties=[{"kind": "contractive", "exact": False}])
        training = m._prepare(digits)
        m.network_.train()
        terms = training.step(3, torch.arange(count))
        return terms, [p.grad.clone() for p in m.network_.parameters()]

    terms, whole = gradients(lambda total: slice(0, total))
    (a, one), (b, two) = (
        gradients(lambda total, r=r: slice(total * r // 2, total * (r + 1) // 2)) for r in range(2)
    )
    for name, value in terms.items():
        torch.testing.assert_close(a[name] + b[name], value)
    for g, part, other in zip(whole, one, two):
        torch.testing.assert_close(part + other, g, rtol=1e-4, atol=1e-5)
        assert part.abs().sum() > 0


# -- random_state ----------------------------------------------------------------------------------


@pytest.mark.filterwarnings(CONSTANT)
def test_random_state_may_be_a_generator_or_none(digits):
    def code(random_state):
        return nw.Autoencoder(epochs=1, random_state=random_state).fit(digits).transform(digits[:1])

    np.testing.assert_array_equal(code(np.random.RandomState(3)), code(np.random.RandomState(3)))
    np.testing.assert_array_equal(code(np.int64(3)), code(3))
    assert (code(None) != code(None)).any()
