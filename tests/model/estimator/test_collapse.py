"""Collapse: what is noticed while a model is trained, how often it is told, and when it is not."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch

from narrows.errors import NarrowsWarning
from narrows.image_batches import ImageBatches
from narrows.measure import collapsed_units, constant_units, dead_units
from narrows.model.estimator import collapse
from narrows.model.estimator.collapse import CodeReport, RunningVariance, constant, dead, idle
from narrows.model.training.state import restore, state_of
from small_models import model

HEAVY = {"kind": "variational", "size": 6, "beta": 100.0}


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Look from the first step on."""
    monkeypatch.setattr(collapse, "STEPS", 0)


def heard(m, X, **options):
    """What a fit warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        m.fit(X, **options)
    return [str(w.message) for w in caught if issubclass(w.category, NarrowsWarning)]


# -- what is seen ---------------------------------------------------------------------------------------------


def test_a_variance_in_batches_is_that_of_the_whole():
    x = torch.randn(100, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 1e-3 + 7
    spread = RunningVariance()
    for some in x.split(30):
        spread.add(some)
    assert spread.variance == pytest.approx(x.double().var(0, correction=0).sum().item(), rel=1e-4)


@pytest.mark.filterwarnings("ignore::narrows.errors.NarrowsWarning")
@pytest.mark.parametrize(
    ("bottleneck", "kind"),
    [("plain", "plain"), ("relu", "rectified"), ("sparse", "rectified"), ("variational", "variational")],
)
def test_a_glance_at_all_images_sees_what_the_measures_say(digits, bottleneck, kind):
    m = model(bottleneck=bottleneck, optimiser={"kind": "adam", "rate": 1e-2}).fit(digits)
    pixels = ImageBatches(digits, m.layout_, m.scale_)
    seen = m._glance(pixels, len(digits))
    code = m.network_.encode(pixels.batch(slice(0, 200)))[0]
    q: Any = code.posterior
    empty = {
        "plain": lambda: constant_units(code.z),
        "rectified": lambda: dead_units(code.z),
        "variational": lambda: collapsed_units(q.mean, q.log_variance),
    }
    assert seen.kind == kind
    np.testing.assert_array_equal(seen.empty, empty[kind]())
    put_out = m.reconstruct(digits, exact=True)
    assert seen.share == pytest.approx(put_out.var(0).sum() / (digits / 255).var(0).sum(), rel=1e-3)


@pytest.mark.parametrize(
    ("sign", "kind", "count", "share", "words"),
    [
        (
            dead,
            "rectified",
            20,
            1.0,
            "the code is dead: 20 of its 20 units are active for no image; lower the weight",
        ),
        (dead, "rectified", 19, 1.0, ""),
        (dead, "variational", 20, 1.0, ""),
        (idle, "rectified", 11, 1.0, "half of the code is idle: 11 of its 20 units are active for no image"),
        (
            idle,
            "variational",
            17,
            1.0,
            "half of the code is idle: 17 of its 20 units have a KL below 0.01 nats; lower β",
        ),
        (idle, "variational", 10, 1.0, ""),
        (idle, "plain", 15, 1.0, "half of the code is idle: 15 of its 20 units are the same for every image"),
        (constant, "plain", 0, 1e-4, "the model predicts a constant: its output does not depend on the image"),
        (constant, "variational", 19, 1e-4, "the model predicts a constant: its output does not depend on the image"),
        (constant, "variational", 20, 1e-4, "the model predicts a constant: 20 of its 20 units have a KL below"),
        (constant, "plain", 20, 0.1, ""),
    ],
)
def test_a_sign_has_its_words(sign, kind, count, share, words):
    said = sign(CodeReport(kind, np.arange(20) < count, share))
    assert said.startswith(words)
    assert bool(said) == bool(words)


# -- when it is told ------------------------------------------------------------------------------------------


def test_a_collapse_is_told_once_when_it_has_held_for_two_epochs(digits):
    said = heard(model(bottleneck=HEAVY, epochs=6), digits)
    assert len(said) == 1
    assert said[0].startswith("the model predicts a constant: ")
    assert "(seen after epochs 1 and 2)" in said[0]


def test_it_is_told_while_the_model_is_trained(digits):
    epochs = model(bottleneck=HEAVY, epochs=6).fit_epochs(digits)
    next(epochs)
    with pytest.warns(NarrowsWarning, match="constant"):
        next(epochs)


def test_units_without_a_word_are_counted(digits):
    bottleneck = {"kind": "variational", "size": 16, "beta": 0.6}
    m = model(bottleneck=bottleneck, epochs=20, optimiser={"kind": "adam", "rate": 1e-2})
    said = heard(m, digits)
    assert [words.split(":")[0] for words in said] == ["half of the code is idle"]
    assert "lower β" in said[0]


def test_a_healthy_model_is_told_nothing(digits):
    assert heard(model(epochs=15, optimiser={"kind": "adam", "rate": 1e-2}), digits) == []


def test_before_so_many_steps_and_while_a_cost_warms_up_nothing_is_told(digits, monkeypatch):
    noticed = []
    monkeypatch.setattr(collapse, "_say", noticed.append)
    epochs = model(bottleneck={**HEAVY, "warmup": 3}, epochs=5).fit_epochs(digits)
    for m in epochs:
        assert len(noticed) == (m.epochs_ >= 5)
    monkeypatch.setattr(collapse, "STEPS", 21)  # of 7 an epoch
    noticed.clear()
    epochs = model(bottleneck=HEAVY, epochs=5).fit_epochs(digits)
    for m in epochs:
        assert len(noticed) == (m.epochs_ >= 4)


def test_a_training_that_is_resumed_tells_the_same(digits):
    m = model(bottleneck=HEAVY, epochs=6)
    whole = heard(m, digits)
    for pause in (1, 3):
        first, second = (m._prepare(digits) for _ in range(2))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(pause):
                first.run_epoch()
                m._notice(first)
        tensors, numbers = state_of(first)
        restore(second, tensors, numbers)
        assert (second.progress.sign, second.progress.warnings) == (first.progress.sign, first.progress.warnings)
        m._prepare = lambda *arguments, training=second: training  # type: ignore[method-assign]
        assert heard(m, digits) == whole
        del m._prepare


@pytest.mark.parametrize("images", [1, 5])
def test_of_equal_images_nothing_is_expected(digits, images):
    assert heard(model(bottleneck=HEAVY, epochs=4), digits[:1].repeat(images, axis=0)) == []
