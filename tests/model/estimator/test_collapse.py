"""Collapse: what is reported while a model is trained, how often, and when nothing is."""

import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from msgspec import convert

from narrows.errors import NarrowsWarning
from narrows.image_batches import ImageBatches
from narrows.measure import collapsed_units, constant_units, dead_units
from narrows.model.estimator import collapse
from narrows.model.estimator.collapse import (
    CodeReport,
    CollapseMonitor,
    RunningVariance,
    constant,
    dead,
    idle,
    report_on,
)
from narrows.model.training.progress import ProgressHeader
from narrows.model.training.state import restore, state_of
from narrows.parts.bottlenecks import BOTTLENECKS
from small_models import model

HEAVY = {"kind": "variational", "size": 6, "beta": 100.0}


@pytest.fixture(autouse=True)
def from_the_first_step(monkeypatch):
    """Check from the first step on."""
    monkeypatch.setattr(collapse, "FIRST_STEPS", 0)


def heard(m, X, **options):
    """What a fit warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        m.fit(X, **options)
    return [str(w.message) for w in caught if issubclass(w.category, NarrowsWarning)]


# -- what is checked ------------------------------------------------------------------------------


def test_a_variance_in_batches_is_that_of_all_images():
    x = torch.randn(100, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 1e-3 + 7
    running = RunningVariance()
    for batch in x.split(30):
        running.add(batch)
    assert running.variance == pytest.approx(x.double().var(0, correction=0).sum().item(), rel=1e-4)


def unused_by_measure(code) -> dict[str, Any]:
    """Which units are unused, by `narrows.measure`, for each sort of bottleneck."""
    q: Any = code.posterior
    return {
        "plain": lambda: constant_units(code.z),
        "relu": lambda: dead_units(code.z),
        "sparse": lambda: dead_units(code.z),
        "variational": lambda: collapsed_units(q.mean, q.log_variance),
    }


@pytest.mark.filterwarnings("ignore::narrows.errors.NarrowsWarning")
@pytest.mark.parametrize("bottleneck", ["plain", "relu", "sparse", "variational"])
def test_a_report_on_all_images_agrees_with_the_measures(digits, bottleneck):
    m = model(bottleneck=bottleneck, optimiser={"kind": "adam", "rate": 1e-2}).fit(digits)
    images = ImageBatches(digits, m.layout_, m.scale_)
    report = report_on(m.network_, images, len(digits))
    code = m.network_.encode(images.batch(slice(0, 200)))[0]
    np.testing.assert_array_equal(report.unused, unused_by_measure(code)[bottleneck]())
    output = m.reconstruct(digits, exact=True)
    share = output.var(0).sum() / (digits / 255).var(0).sum()
    assert report.variance_share == pytest.approx(share, rel=1e-3)


def report(bottleneck: str, unused: int, share: float, **changes) -> CodeReport:
    """A report on a network of 20 units, of which that many are unused."""
    made = BOTTLENECKS[bottleneck]((20,), **{"size": 20, **changes})
    network: Any = SimpleNamespace(
        bottleneck=made,
        penalties=(),
        body=SimpleNamespace(gives=frozenset({"widths"}), batch_norm=False),
        likelihood=SimpleNamespace(is_squared_error_of_sigmoid=True),
    )
    return CodeReport(network, np.arange(20) < unused, share)


CONSTANT = "the model predicts a constant: its output does not depend on the image"


@pytest.mark.parametrize(
    ("sign", "bottleneck", "unused", "share", "words"),
    [
        (
            dead,
            "sparse",
            20,
            1.0,
            "the code is dead: 20 of its 20 units are active for no image; lower its weight",
        ),
        (
            dead,
            "relu",
            20,
            1.0,
            "the code is dead: 20 of its 20 units are active for no image; lower the learning",
        ),
        (dead, "sparse", 19, 1.0, ""),
        (dead, "variational", 20, 1.0, ""),
        (
            idle,
            "relu",
            11,
            1.0,
            "half of the code is idle: 11 of its 20 units are active for no image",
        ),
        (
            idle,
            "variational",
            17,
            1.0,
            "half of the code is idle: 17 of its 20 units have a KL below 0.01 nats; lower β",
        ),
        (idle, "variational", 10, 1.0, ""),
        (
            idle,
            "plain",
            15,
            1.0,
            "half of the code is idle: 15 of its 20 units are the same for every image",
        ),
        (constant, "plain", 0, 1e-4, CONSTANT),
        (constant, "variational", 19, 1e-4, CONSTANT),
        (
            constant,
            "variational",
            20,
            1e-4,
            "the model predicts a constant: 20 of its 20 units have a KL below",
        ),
        (constant, "plain", 20, 0.1, ""),
    ],
)
def test_a_sign_of_collapse_has_its_words(sign, bottleneck, unused, share, words):
    said = sign(report(bottleneck, unused, share))
    assert said.startswith(words)
    assert bool(said) == bool(words)


@pytest.mark.parametrize("bottleneck", BOTTLENECKS)
@pytest.mark.parametrize("sign", [idle, constant])
def test_advice_can_be_followed(bottleneck, sign):
    with_size, without = report(bottleneck, 20, 0.0), report(bottleneck, 20, 0.0, size=None)
    assert "size" not in sign(without), "a feature map has no size to make smaller"
    assert ("β" in sign(with_size)) == (bottleneck == "variational")
    assert "penalty" not in sign(with_size), "there is none"


def test_advice_on_a_constant_output_names_what_the_network_has():
    network: Any = report("plain", 0, 0.0).network
    assert "batch_norm" in collapse.constant_cure(network)
    assert "bernoulli" in collapse.constant_cure(network)
    network.body.batch_norm = True
    network.likelihood.is_squared_error_of_sigmoid = False
    network.penalties = (object(),)
    cure = collapse.constant_cure(network)
    assert "batch_norm" not in cure
    assert "bernoulli" not in cure
    assert "the weight of a penalty" in cure


# -- when it is reported --------------------------------------------------------------------------


def test_a_collapse_is_reported_once_when_it_has_held_for_two_epochs(digits):
    said = heard(model(bottleneck=HEAVY, epochs=6), digits)
    assert len(said) == 1
    assert said[0].startswith("the model predicts a constant: ")
    assert "(seen after epochs 1 and 2)" in said[0]


def test_a_collapse_is_reported_while_the_model_is_trained(digits):
    epochs = model(bottleneck=HEAVY, epochs=6).fit_epochs(digits)
    next(epochs)
    with pytest.warns(NarrowsWarning, match="constant"):
        next(epochs)


def test_idle_units_are_counted(digits):
    bottleneck = {"kind": "variational", "size": 16, "beta": 0.6}
    m = model(bottleneck=bottleneck, epochs=20, optimiser={"kind": "adam", "rate": 1e-2})
    said = heard(m, digits)
    assert [words.split(":")[0] for words in said] == ["half of the code is idle"]
    assert "lower β" in said[0]


def test_nothing_is_reported_of_a_healthy_model(digits):
    assert heard(model(epochs=15, optimiser={"kind": "adam", "rate": 1e-2}), digits) == []


def test_nothing_is_reported_in_the_first_steps_and_while_a_cost_warms_up(digits, monkeypatch):
    noticed = []
    monkeypatch.setattr(collapse, "_warn", noticed.append)
    epochs = model(bottleneck={**HEAVY, "warmup": 3}, epochs=5).fit_epochs(digits)
    for m in epochs:
        assert len(noticed) == (m.epochs_ >= 5)
    monkeypatch.setattr(collapse, "FIRST_STEPS", 21)  # of 7 an epoch
    noticed.clear()
    epochs = model(bottleneck=HEAVY, epochs=5).fit_epochs(digits)
    for m in epochs:
        assert len(noticed) == (m.epochs_ >= 4)


def test_a_training_that_is_resumed_reports_the_same_collapse(digits, monkeypatch):
    m = model(bottleneck=HEAVY, epochs=6)
    unbroken = heard(m, digits)
    for pause in (1, 3):
        first, second = (m._prepare(digits) for _ in range(2))
        monitor = CollapseMonitor(first)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(pause):
                first.run_epoch()
                monitor.after_epoch()
        tensors, numbers = state_of(first)
        restore(second, tensors, convert(numbers, ProgressHeader))
        assert second.progress.sign == first.progress.sign
        assert second.progress.warnings == first.progress.warnings
        with monkeypatch.context() as patch:
            patch.setattr(m, "_prepare", lambda *arguments, training=second, **others: training)
            assert heard(m, digits) == unbroken


@pytest.mark.parametrize("images", [1, 5])
def test_of_equal_images_nothing_is_expected(digits, images):
    assert heard(model(bottleneck=HEAVY, epochs=4), digits[:1].repeat(images, axis=0)) == []
