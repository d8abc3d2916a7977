import math
from itertools import pairwise

import pytest
import torch

import narrows as nw
from narrows.choose import choose
from narrows.errors import BuildError, UnknownName
from narrows.model.training.checkpoint import Checkpoint
from narrows.model.training.optimise import OPTIMISERS, SCHEDULES

RATE, DECAY, W, G = 0.1, 0.5, 2.0, 3.0


def after_one_step(kind, weight=W, **options):
    """Where a weight that stood at W goes, by a gradient of G."""
    w = torch.nn.Parameter(torch.tensor([weight]))
    optimiser = choose(
        "optimiser", OPTIMISERS, {"kind": kind, "lr": RATE, **options}, parameters=[w]
    )
    w.grad = torch.tensor([G])
    optimiser.step()
    return w.item()


def test_a_step_in_closed_form():
    # m / √v is the gradient's sign at first
    assert after_one_step("adam") == pytest.approx(W - RATE)
    assert after_one_step("sgd") == pytest.approx(W - RATE * G)


def test_coupled_decay_joins_the_gradient_and_decoupled_decay_shrinks_the_weight():
    assert after_one_step("sgd", weight_decay=DECAY) == pytest.approx(W - RATE * (G + DECAY * W))
    # the sign has not changed
    assert after_one_step("adam", weight_decay=DECAY) == pytest.approx(W - RATE)
    decoupled = after_one_step("adam", weight_decay=DECAY, decoupled=True)
    assert decoupled == pytest.approx(W * (1 - RATE * DECAY) - RATE)
    far = -10 * W  # where a coupled decay outweighs the gradient, Adam's step turns round
    assert after_one_step("adam", far, weight_decay=DECAY) == pytest.approx(far + RATE)
    assert after_one_step("adam", far, weight_decay=DECAY, decoupled=True) == pytest.approx(
        far * 0.95 - RATE
    )


def test_eps_decides_where_a_gradient_is_small():
    # m / (√v + eps) with √v = eps
    assert after_one_step("adam", eps=G) == pytest.approx(W - RATE / 2)


def test_a_loss_times_784_takes_the_same_steps_where_eps_and_decay_are_times_784_too():
    random = torch.Generator().manual_seed(0)
    gradients = 10 ** (-12 * torch.rand(20, 50, generator=random)) * torch.randn(
        20, 50, generator=random
    )
    ends = []
    for values in (1, 784):
        w = torch.nn.Parameter(torch.linspace(-1, 1, 50))
        spec = {"kind": "adam", "lr": RATE, "eps": 1e-8 * values, "weight_decay": 1e-5 * values}
        optimiser = choose("optimiser", OPTIMISERS, spec, parameters=[w])
        for gradient in gradients:
            w.grad = gradient * values
            optimiser.step()
        ends.append(w.detach())
    torch.testing.assert_close(*ends, rtol=1e-4, atol=1e-5)


def test_momentum_continues_the_last_step():
    w = torch.nn.Parameter(torch.zeros(1))
    optimiser = choose(
        "optimiser", OPTIMISERS, {"kind": "sgd", "lr": 1.0, "momentum": 0.5}, parameters=[w]
    )
    for gradient in (1.0, 0.0, 0.0):
        w.grad = torch.tensor([gradient])
        optimiser.step()
    assert w.item() == pytest.approx(-(1 + 0.5 + 0.25))


@pytest.mark.parametrize(
    ("spec", "points"),
    [
        ("constant", {0.0: 1, 0.5: 1, 1.0: 1}),
        ("cosine", {0.0: 1, 0.5: 0.5, 1.0: 0}),
        (
            {"kind": "cosine", "warmup": 0.2, "final": 0.1},
            {0.0: 0, 0.1: 0.5, 0.2: 1, 0.6: 0.55, 1.0: 0.1},
        ),
        ("one-cycle", {0.0: 0.04, 0.15: 0.52, 0.3: 1, 1.0: 1e-4}),
        (
            {"kind": "one-cycle", "warmup": 0.5, "start": 0.2, "final": 0.0},
            {0.0: 0.2, 0.5: 1, 0.75: 0.5, 1.0: 0},
        ),
    ],
)
def test_schedules_at_their_turning_points(spec, points):
    factor = choose("schedule", SCHEDULES, spec)
    for t, value in points.items():
        assert factor(t) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_have_no_jump_and_stay_in_0_to_1(name):
    factor = choose("schedule", SCHEDULES, name)
    values = [factor(k / 1000) for k in range(1001)]
    assert all(0 <= value <= 1 and math.isfinite(value) for value in values)
    assert max(abs(a - b) for a, b in pairwise(values)) < 0.01
    assert max(values) == 1


def test_the_rate_of_a_training_follows_its_schedule(digits):
    schedule = {"kind": "cosine", "warmup": 0.5}
    training = nw.Autoencoder(epochs=2, batch_size=50, schedule=schedule)._prepare(digits)
    rates = []
    for epoch in range(2):
        training.progress.epoch = epoch
        for step in range(4):
            training.step(step, torch.arange(50))
            rates.append(training.optimiser.param_groups[0]["lr"])
    factor = choose("schedule", SCHEDULES, schedule)
    assert rates == pytest.approx([1e-3 * factor(k / 8) for k in range(8)])


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"kind": "adam", "lr": 0}, "lr: got 0, expected a number > 0"),
        ({"kind": "adam", "weight_decay": -1}, "weight_decay: got -1, expected a number ≥ 0"),
        (
            {"kind": "adam", "betas": (2, 0.9)},
            r"betas: got \(2, 0.9\), expected two numbers in \[0, 1\)",
        ),
        ({"kind": "adam", "betas": (0.9,)}, "betas"),
        ({"kind": "adam", "eps": 0}, "eps: got 0, expected a number > 0"),
        ({"kind": "adam", "lr": "fast"}, "wrong type"),
        ({"kind": "sgd", "momentum": 1}, r"momentum: got 1, expected a number in \[0, 1\)"),
        ({"kind": "sgd", "weight_decay": -1}, "weight_decay: got -1"),
        ({"kind": "sgd", "lr": 0}, "lr: got 0, expected a number > 0"),
        (
            {"kind": "adam", "learning_rate": 1},
            "no option 'learning_rate'; .*known: betas, decoupled, eps, lr",
        ),
        ({"kind": "adam", "lr": 1, "rate": 1}, "got both 'lr' and 'rate', its former name"),
        ("adamw", "no optimiser called 'adamw'; did you mean 'adam'"),
    ],
)
def test_wrong_optimisers_are_refused(spec, reason):
    with pytest.raises((BuildError, UnknownName), match=reason):
        choose("optimiser", OPTIMISERS, spec, parameters=[torch.nn.Parameter(torch.zeros(1))])


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"kind": "cosine", "warmup": 1}, r"warmup: got 1, expected a share in \[0, 1\)"),
        ({"kind": "one-cycle", "warmup": 0}, r"warmup: got 0, expected a share in \(0, 1\)"),
        ("linear", "no schedule called 'linear'"),
    ],
)
def test_wrong_schedules_are_refused(spec, reason):
    with pytest.raises((BuildError, UnknownName), match=reason):
        choose("schedule", SCHEDULES, spec)


@pytest.mark.filterwarnings("ignore:the model predicts a constant")
def test_the_former_name_rate_of_lr_is_read(digits):
    w = torch.nn.Parameter(torch.zeros(1))
    optimiser = choose("optimiser", OPTIMISERS, {"kind": "adam", "rate": 0.25}, parameters=[w])
    assert optimiser.param_groups[0]["lr"] == 0.25
    model = nw.recipe("ae-mlp", optimiser={"rate": 0.25})
    assert model.get_params()["optimiser"] == {"kind": "adam", "lr": 0.25}
    given = {"kind": "adam", "rate": 0.25}
    model = nw.Autoencoder(optimiser=given, epochs=1).fit(digits)
    assert model.optimiser is given  # as it was given, for scikit-learn's clone


@pytest.mark.filterwarnings("ignore:the model predicts a constant")
def test_a_resumed_training_may_call_its_learning_rate_by_either_name(digits, tmp_path):
    path = tmp_path / "last.safetensors"
    for epochs, name in enumerate(("rate", "lr", "rate"), start=1):
        optimiser = {"kind": "adam", name: 1e-3}
        model = nw.Autoencoder(optimiser=optimiser, epochs=epochs, batch_size=200)
        model.fit(digits, checkpoint=Checkpoint(path, resume=epochs > 1))
        assert len(model.history_["loss"]) == epochs


@pytest.mark.parametrize("name", ["cosine", "one-cycle"])
@pytest.mark.parametrize("final", [0.0, 0.3])
def test_a_schedule_stays_at_its_final_factor_after_its_end(name, final):
    """A training continues past its end in `partial_fit`, where a cosine would rise again."""
    factor = choose("schedule", SCHEDULES, {"kind": name, "final": final})
    assert [factor(t) for t in (1.0, 1.5, 2.0)] == pytest.approx([final] * 3)


@pytest.mark.parametrize(
    ("devices", "fused"), [(["cpu"], True), (["meta"], False), (["cpu", "meta"], False)]
)
def test_adam_is_fused_where_torch_has_it(devices, fused):
    weights = [torch.nn.Parameter(torch.zeros(3, device=device)) for device in devices]
    assert OPTIMISERS["adam"](weights).defaults["fused"] == fused


def test_the_defaults_of_sgd_are_those_of_its_documentation():
    defaults = OPTIMISERS["sgd"]([torch.nn.Parameter(torch.zeros(3))]).defaults
    assert (defaults["lr"], defaults["momentum"], defaults["weight_decay"]) == (0.01, 0.9, 0)
