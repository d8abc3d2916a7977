"""A compiled training is the same training: the same random numbers and, up to rounding, the same
losses.
"""

import copy
import shutil
from typing import Any, cast

import numpy as np
import pytest
import torch

import narrows as nw
from narrows.errors import BuildError
from narrows.model.training import compiled as module

# hardly anything is learnt
pytestmark = pytest.mark.filterwarnings("ignore:the model predicts a constant")
PARTS = {
    "noisy": {
        "corruption": "gaussian",
        "body": {"kind": "mlp", "widths": [16], "dropout": 0.3, "batch_norm": True},
    },
    "variational": {
        "bottleneck": {"kind": "variational", "size": 4, "warmup": 2},
        "likelihood": "bernoulli",
    },
    "conv": {
        "body": {"kind": "conv", "channels": [4, 8]},
        "corruption": {"kind": "masking", "only_hidden": True},
    },
    "topk": {"bottleneck": {"kind": "topk", "size": 16, "k": 3}, "up": "tied"},
    "a scale for each image": {"corruption": "gaussian", "scale": "each"},
}


def losses(digits, compile, given=None, **changes):
    options = {"body": {"kind": "mlp", "widths": [16]}, "epochs": 3, "batch_size": 32, **changes}
    model = nw.Autoencoder(**options, training={"compile": compile}).fit(digits, **(given or {}))
    return model.steps_["loss"]


@pytest.fixture
def traced(monkeypatch):
    """torch.compile without the compiler: it traces, and runs what it traced."""
    real = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda f, **options: real(f, backend="eager", dynamic=False)
    )
    torch._dynamo.reset()


@pytest.mark.parametrize("name", PARTS)
def test_the_numbers_drawn_beforehand_are_those_drawn_on_the_way(name, digits, traced):
    assert losses(digits, True, **PARTS[name]) == pytest.approx(
        losses(digits, False, **PARTS[name]), rel=1e-4
    )


def test_weights_and_pairs_go_into_the_program(digits, traced):
    given = {
        "sample_weight": np.random.default_rng(0).uniform(0, 2, len(digits)),
        "noisy": 255 - digits,
    }
    slow, fast = (losses(digits, compile, given, corruption="pairs") for compile in (False, True))
    assert fast == pytest.approx(slow, rel=1e-4)
    for other in ({"sample_weight": None}, {"noisy": digits}):
        assert losses(digits, True, {**given, **other}, corruption="pairs") != pytest.approx(
            slow, rel=1e-3
        )


def test_a_step_is_traced_once_though_its_epoch_counts_on(digits, traced):
    with torch._dynamo.config.patch(error_on_recompile=True):
        losses(digits, True, **PARTS["variational"])


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="there is no C++ compiler")
def test_compiled_programs_come_to_the_same_losses(digits):
    changes = PARTS["noisy"]
    assert losses(digits, True, **changes) == pytest.approx(
        losses(digits, False, **changes), rel=1e-3
    )


def test_the_rehearsal_leaves_no_trace(digits):
    model = nw.Autoencoder(**PARTS["noisy"], epochs=1)
    training = model._prepare(digits)
    before = copy.deepcopy(training.network.state_dict())
    step = module.Compiled(training._term_sums, 32, torch.device("cpu"))
    random = module.KeyedRandom(1, 2, 3, total=32)
    orders = step._rehearse(training.network, training.images.batch(slice(0, 32)), random)
    assert [purpose for _, purpose, _ in orders] == ["noise", "dropout", "dropout"]
    assert not random.streams
    for name, value in training.network.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_penalty_on_gradients_is_not_compiled(digits):
    model = nw.Autoencoder(penalties=["contractive"], training={"compile": True})
    with pytest.raises(BuildError, match="second derivatives"):
        model.fit(digits)


@pytest.mark.parametrize(("epochs", "compiled"), [(4, False), (5, True)])
def test_auto_compiles_where_the_steps_repay_it(epochs, compiled, digits, monkeypatch):
    monkeypatch.setitem(module.REPAYS, "cpu", 35)  # of 7 steps an epoch
    training = nw.Autoencoder(epochs=epochs, batch_size=32, training={"compile": "auto"})._prepare(
        digits
    )
    assert isinstance(training.distribution.step.sums, module.Compiled) == compiled
    assert not module.repays(10**9, torch.device("mps"))


@pytest.mark.parametrize(("device", "mode"), [("cpu", None), ("cuda", "reduce-overhead")])
def test_programs_are_made_for_one_shape_and_captured_as_graphs_on_a_gpu(device, mode, monkeypatch):
    options = {}
    monkeypatch.setattr(torch, "compile", lambda f, **given: options.update(given))
    module.Compiled(lambda *batch: {}, 32, torch.device(device))
    assert options == {"mode": mode, "dynamic": False}


def test_a_last_batch_of_another_size_is_not_compiled(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda f, **options: f)
    kinds = []
    step = module.Compiled(
        lambda network, x, random, weights: kinds.append(type(random)) or {},
        32,
        torch.device("cpu"),
    )
    step.requests = []  # nothing random is requested
    for total in (32, 8):
        step(cast(Any, None), torch.zeros(total, 1), module.KeyedRandom(0, total=total))
    assert kinds == [module.DrawnRandom, module.KeyedRandom]
