"""The loop: what a loss is, what is kept, what is refused."""

from contextlib import contextmanager
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

import narrows as nw
from narrows.errors import BuildError, TrainingError, UnknownName
from narrows.model.training import training as training_module
from narrows.parts.objective import Elbo
from narrows.randomness import KeyedRandom, keyed_generator
from small_models import BETA, CONSTANT, NOISY, SMALL, STILL, model, same, weights

# -- what a loss is --------------------------------------------------------------------------------


def test_loss_is_summed_over_an_image_and_averaged_over_images_with_a_last_batch_of_another_size(
    digits,
):
    m = model(optimiser=STILL, epochs=1, batch_size=150).fit(digits)
    assert m.history_["loss"] == pytest.approx([-m.score(digits)], rel=1e-5)
    firsts = m.steps_["loss"]
    assert len(firsts) == 2
    assert m.history_["loss"][0] == pytest.approx((150 * firsts[0] + 50 * firsts[1]) / 200)
    assert m.history_["loss"][0] != pytest.approx(firsts.mean(), rel=1e-6)


def test_terms_add_up_to_the_loss(digits):
    h = model(**NOISY, penalties=["contractive"], validation=0.2).fit(digits).history_
    for prefix in ("", "val_"):
        terms = [h[prefix + name] for name in ("nll", "kl", "contractive")]
        np.testing.assert_allclose(h[prefix + "loss"], np.sum(terms, axis=0), rtol=1e-5)


def test_validation_is_without_dropout(digits):
    body = {**SMALL, "dropout": 0.9}
    m = model(body=body, optimiser=STILL, epochs=1, validation=digits[:70]).fit(digits[70:])
    assert m.history_["val_loss"] == pytest.approx([-m.score(digits[:70])], rel=1e-5)
    assert m.history_["loss"][0] != pytest.approx(-m.score(digits[70:]), rel=1e-3)


def test_validation_has_the_final_weight_of_a_cost_and_training_its_warm_up(digits):
    m = model(bottleneck=BETA, optimiser=STILL, epochs=1, batch_size=200, validation=digits).fit(
        digits
    )
    posterior = m.network_.encode(torch.from_numpy(digits[:, None] / 255).float())[0].posterior
    q = torch.distributions.Normal(posterior.mean, (posterior.log_variance / 2).exp())
    kl = (
        torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0))
        .sum(1)
        .mean()
        .item()
    )
    assert m.history_["val_kl"] == pytest.approx([4 * kl], rel=1e-4)
    assert m.history_["kl"] == [0.0]


@pytest.mark.filterwarnings(CONSTANT)
def test_warm_up_grows_in_proportion_over_its_epochs(digits):
    bottleneck = {"kind": "sparse", "size": 8, "weight": 1.0, "warmup": 2}
    m = model(bottleneck=bottleneck, optimiser=STILL, epochs=4, batch_size=200).fit(digits)
    whole = m.transform(digits).sum(1).mean()
    np.testing.assert_allclose(m.history_["l1"], [0, whole / 2, whole, whole], rtol=1e-5)


def test_validation_images_may_be_of_another_type_than_the_training_images(digits):
    floats = (digits / 255).astype(np.float32)
    for held, X in ((digits, floats), (floats, digits)):
        m = model(validation=held[:50], optimiser=STILL, epochs=1).fit(X)
        assert m.history_["val_loss"] == pytest.approx([-m.score(floats[:50])], rel=1e-4)


def test_measures_of_the_validation_images_are_those_of_the_reconstructions(digits):
    measures = {"measures": ["mse", "psnr", "snr", "ssim"], "keep": "last"}
    m = model(training=measures, validation=digits[:60]).fit(digits[60:])
    clean = (digits[:60] / 255).astype(np.float32)
    put_out = m.reconstruct(digits[:60], exact=True)
    for name in ("mse", "psnr", "snr", "ssim"):
        found = getattr(nw.measure, name)(clean, put_out).mean()
        assert m.history_[f"val_{name}"][-1] == pytest.approx(found, rel=1e-4)


def test_measures_on_the_symmetric_scale_have_a_range_of_two(digits):
    options = {"validation": digits[:60], "scale": "symmetric"}
    on_unit = model(**options, training={"measures": ["mse", "psnr"]}).fit(digits).history_
    on_both = model(
        **options, training={"measures": ["mse", "psnr"], "measure_scale": "symmetric"}
    ).fit(digits)
    np.testing.assert_allclose(
        on_both.history_["val_mse"], 4 * np.array(on_unit["val_mse"]), rtol=1e-5
    )
    np.testing.assert_allclose(on_both.history_["val_psnr"], on_unit["val_psnr"], rtol=1e-5)


def test_a_validation_share_is_held_out(digits):
    m = model(validation=0.25, optimiser=STILL, epochs=1).fit(digits)
    held = m.validation_index_
    assert len(held) == 50
    assert (np.diff(held) > 0).all()  # in the order of X
    assert m.history_["val_loss"] == pytest.approx([-m.score(digits[held])], rel=1e-5)
    rest = np.delete(digits, held, axis=0)
    assert m.history_["loss"] == pytest.approx([-m.score(rest)], rel=1e-5)


def test_bf16_is_near_to_fp32(digits):
    losses = [
        model(**NOISY, training={"precision": p}).fit(digits).history_["loss"]
        for p in ("fp32", "bf16")
    ]
    assert losses[0] != losses[1]
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.02)


def test_seconds_are_those_of_the_steps_and_of_the_validation_of_an_epoch(digits, monkeypatch):
    """By a clock that ticks whenever it is read: as an epoch starts, and after each of 7 steps."""
    monkeypatch.setattr(training_module, "time", SimpleNamespace(perf_counter=count().__next__))
    m = model(validation=digits[:50], epochs=2).fit(digits)
    assert m.history_["seconds"] == [7, 7]
    assert m.history_["val_seconds"] == [1, 1]


def test_the_progress_bar_counts_the_steps_done_before_it_resumes(digits, monkeypatch):
    counted = []

    @contextmanager
    def bar(name, total, done):
        counted.append((total, done))
        yield

    monkeypatch.setattr(training_module, "progress_bar", bar)
    training = model(epochs=3)._prepare(digits)  # of 7 steps an epoch
    training.progress.epoch, training.progress.step, training.progress.stopped = 2, 4, True
    assert not list(training)
    assert counted == [(21, 18)]


@pytest.mark.parametrize(
    ("device", "status"), [("cpu", "epoch 1  nll 5  kl -0.5"), ("cuda", "epoch 1")]
)
def test_the_progress_bar_shows_the_terms_if_they_are_known(digits, device, status):
    training = model()._prepare(digits)
    training.progress.start_epoch(["nll", "kl"], 2, torch.device("cpu"))
    training.progress.step_sums[:] = torch.tensor([[50.0, -5.0], [float("nan"), 0.0]])
    training.device = cast(Any, SimpleNamespace(type=device))
    assert training._status(10) == status


def test_the_progress_bar_shows_the_terms_of_each_step_that_was_just_taken(digits):
    training, shown = model()._prepare(digits), []
    training.run_epoch(lambda words: shown.append(words()))
    steps = training.progress.steps["nll"]
    assert [words.split("nll ")[1].split()[0] for words in shown] == [f"{v:.4g}" for v in steps]


def test_averages_that_have_all_but_vanished_are_flushed_to_0_now_and_then(digits, monkeypatch):
    monkeypatch.setattr(training_module, "FLUSH", 3)
    training = model()._prepare(digits)
    flush, flushed_after = training._flush, []
    training._flush = lambda: flushed_after.append(number)
    for number in range(8):
        training.step(number, torch.arange(32))
    assert flushed_after == [0, 3, 6]
    slots = training.optimiser.state[training.parameters[0]]
    slots["exp_avg"][0, :4] = torch.tensor([1e-31, -1e-31, 1e-29, -1e-29])
    others = slots["exp_avg"][1:].clone()
    flush()
    assert slots["exp_avg"][0, :4].tolist() == pytest.approx([0, 0, 1e-29, -1e-29], abs=1e-35)
    assert slots["step"] == 8
    unequal = slots["exp_avg"][1:] != others
    assert (others[unequal].abs() < training_module.TINY).all()


def test_the_terms_of_a_step_keep_no_graph(digits):
    training = model()._prepare(digits)
    terms = training.step(0, torch.arange(32))
    assert [value.requires_grad for value in terms.values()] == [False]


# -- what is kept ----------------------------------------------------------------------------------


@pytest.fixture
def overfitted(digits):
    """A model and its weights after each epoch; trained on digits, validated on their negatives: it
    only worsens.
    """

    def fit(**options):
        m = model(
            epochs=5,
            validation=255 - digits[:50],
            optimiser={"kind": "adam", "rate": 0.01},
            **options,
        )
        seen = [weights(m) for _ in m.fit_epochs(digits)]
        return m, seen

    return fit


def without_prior(tensors):
    return {name: value for name, value in tensors.items() if not name.startswith("prior.")}


def test_best_weights_are_those_of_the_lowest_validation_loss(overfitted):
    m, seen = overfitted()
    best = int(np.argmin(m.history_["val_loss"]))
    assert best < 4
    assert same(without_prior(weights(m)), without_prior(seen[best]))


def test_last_keeps_the_last_weights(overfitted):
    m, seen = overfitted(training={"keep": "last"})
    assert same(without_prior(weights(m)), without_prior(seen[-1]))


def test_patience_stops_after_this_many_epochs_without_a_lower_loss(overfitted):
    whole, _ = overfitted()
    losses = whole.history_["val_loss"]
    best = int(np.argmin(losses))
    m, _ = overfitted(training={"patience": 2})
    assert m.epochs_ == len(m.history_["loss"]) == best + 3 < 5
    assert m.history_["val_loss"] == losses[: m.epochs_]


def test_of_equal_validation_losses_the_first_epoch_is_kept_and_patience_runs_out(digits):
    """Where nothing is learnt any more, the weights of the earliest of the best epochs are kept."""
    m = model(validation=digits[:50], epochs=9, batch_size=200, training={"patience": 2})
    training = m._prepare(digits)
    weights_of_epochs = []
    for epoch in range(3):
        training.progress.epoch = epoch + 1
        training.progress.add("val_loss", 1.0)
        training.network.body.layers[0].weight.data.fill_(epoch)
        training._select()
        weights_of_epochs.append(training.progress.best["body.layers.0.weight"].mean().item())
    assert weights_of_epochs == [0, 0, 0]
    assert (training.progress.waited, training.progress.stopped) == (2, True)


def test_patience_reads_the_training_loss_if_there_is_no_validation(digits):
    assert (
        model(optimiser=STILL, epochs=9, batch_size=200, training={"patience": 1})
        .fit(digits)
        .epochs_
        <= 4
    )


def test_the_average_of_the_weights_is_what_is_kept(digits):
    slow = model(
        training={"ema": 0.999999}, batch_size=200, optimiser={"kind": "adam", "rate": 0.01}
    ).fit(digits)
    still = model(optimiser=STILL).fit(digits)
    fast = model(batch_size=200, optimiser={"kind": "adam", "rate": 0.01}).fit(digits)
    assert slow.score(digits) == pytest.approx(still.score(digits), rel=1e-3)
    assert fast.score(digits) > 1.05 * still.score(digits)


def test_clipping_bounds_the_step(digits):
    norms = {}
    for clip in (None, 0.5):
        m = model(optimiser={"kind": "sgd", "rate": 1e-6, "momentum": 0.0}, training={"clip": clip})
        training = m._prepare(digits)
        training.step(0, torch.arange(32))
        norms[clip] = torch.stack([p.grad.norm() for p in m.network_.parameters()]).norm().item()
    assert norms[None] > 1
    assert norms[0.5] == pytest.approx(0.5, rel=1e-3)


# -- refusals --------------------------------------------------------------------------------------


def test_ssim_is_refused_for_images_smaller_than_its_window(digits):
    ssim = {"training": {"measures": ["ssim"]}, "validation": 0.2, "epochs": 1}
    assert len(model(**ssim).fit(digits[:, :7]).history_["val_ssim"]) == 1
    with pytest.raises(BuildError, match="no ssim for images smaller than its window, 7 x 7"):
        model(**ssim).fit(digits[:, :6])


@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_a_nan_loss_stops_with_a_reason_and_keeps_finite_weights(digits, epochs, optimiser):
    m = model(optimiser={"kind": optimiser, "rate": 1e30}, epochs=epochs, batch_size=50)
    with pytest.raises(
        TrainingError,
        match=r"epoch 1, batch \d, in the term 'nll'.* lower learning rate \(now 1e\+30\)",
    ):
        m.fit(digits)
    assert all(torch.isfinite(value).all() for value in weights(m).values())
    assert not m.network_.training


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("validation", [None, 0.2])
def test_nan_after_the_last_step_is_reported_too(digits, optimiser, validation):
    m = model(
        optimiser={"kind": optimiser, "rate": 1e30}, epochs=1, batch_size=500, validation=validation
    )
    with pytest.raises(TrainingError, match=r"lower (learning )?rate"):
        m.fit(digits)


@pytest.mark.filterwarnings(CONSTANT)
def test_a_diverging_term_is_named(digits):
    bottleneck = {"kind": "sparse", "weight": 1e38}
    with pytest.raises(
        TrainingError, match=r"became inf in epoch 1, batch 1, in the term 'l1', .*the start"
    ):
        model(bottleneck=bottleneck).fit(digits)


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("keep", "first", "keep: got 'first', expected 'best' or 'last'"),
        ("patience", 0, "patience: got 0, expected an integer of epochs"),
        ("clip", -1, "clip: got -1, expected a number > 0"),
        ("ema", 1.0, r"ema: got 1.0, expected a decay in \(0, 1\)"),
        ("ema", 0, r"ema: got 0, expected a decay in \(0, 1\)"),
        ("precision", "fp16", "precision: got 'fp16', expected one of fp32, bf16"),
        ("precision", "tf32", "precision: got 'tf32', expected one of fp32, bf16"),
        ("compile", "always", "compile: got 'always', expected True, False or 'auto'"),
        ("measure_scale", "standard", "measure_scale: got 'standard'"),
        ("measures", ["pnsr"], "no measure called 'pnsr'; did you mean 'psnr'"),
        ("patience", 1.5, "patience: got 1.5, expected an integer of epochs"),
        ("patience", "3", "wrong type"),
    ],
)
def test_wrong_options_are_refused(digits, option, value, reason):
    with pytest.raises((BuildError, UnknownName), match=reason):
        model(training={option: value}, validation=0.2).fit(digits)


@pytest.mark.filterwarnings(CONSTANT)
@pytest.mark.parametrize(
    "batch_norm", [{"kind": "mlp", "widths": [8]}, {"kind": "conv", "channels": [4, 8, 8]}]
)
def test_a_last_batch_of_one_image_can_be_normalised(digits, batch_norm):
    m = model(body={**batch_norm, "batch_norm": True}, batch_size=40, epochs=4).fit(digits[:81])
    assert all(torch.isfinite(value).all() for value in weights(m).values())
    assert len(m.steps_["loss"]) == 12


def test_a_step_may_be_of_one_image(digits):
    m = model(batch_size=1, epochs=1, optimiser=STILL).fit(digits[:5])
    assert m.steps_["loss"].shape == (5,)
    assert m.history_["loss"] == pytest.approx([-m.score(digits[:5])], rel=1e-5)


def test_for_a_batch_of_one_image_only_batch_norms_are_as_in_inference(digits):
    body = {**SMALL, "batch_norm": True, "dropout": 0.5}
    training = model(body=body)._prepare(digits)
    for size in (1, 2):
        training.distribution.network.train()
        training.step(0, torch.arange(size))
        inference = {type(m) for m in training.network.modules() if not m.training}
        assert inference == ({torch.nn.BatchNorm1d} if size == 1 else set())


def test_the_objective_of_a_step_is_the_objective_of_its_key(digits):
    m = model(**NOISY, batch_size=200, optimiser=STILL, epochs=1)
    training = m._prepare(digits)
    training.run_epoch()
    m.network_.train()
    order = torch.randperm(200, generator=keyed_generator(0, 0, "order"))
    terms, _ = Elbo()(m.network_, training.images.batch(order), KeyedRandom(0, 0, 0))
    assert training.progress.history["nll"] == pytest.approx([terms["nll"].mean().item()], rel=1e-5)
