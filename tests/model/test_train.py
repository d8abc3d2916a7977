"""The loop: what a loss is, what is kept, and that nothing but the key moves a random number."""

import json
import random

import numpy as np
import pytest
import torch
from safetensors.torch import load as read
from safetensors.torch import save as serialise

import narrows as nw
from narrows.errors import BuildError, TrainingError, UnknownName
from narrows.machine import Draw
from narrows.model import train
from narrows.model.objective import elbo

STILL = {"kind": "adam", "rate": 1e-30}  # moves no weight
CONSTANT = "ignore:the model predicts a constant"  # as it does where hardly anything was learnt
SMALL = {"kind": "mlp", "widths": [16]}
BETA = {"kind": "variational", "size": 3, "beta": 4.0, "warmup": 10}
NOISY = {
    "body": {"kind": "mlp", "widths": [16], "dropout": 0.3},
    "bottleneck": {"kind": "variational", "size": 3},
    "corruption": {"kind": "gaussian", "sigma": 0.3},
}


def model(**options):
    return nw.Autoencoder(**{"body": SMALL, "epochs": 3, "batch_size": 32, **options})


def weights(model):
    return {name: value.clone() for name, value in model.network_.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def timeless(history):
    return {name: list(values) for name, values in history.items() if name != "seconds"}


# -- what a loss is -------------------------------------------------------------------------------------------


def test_loss_is_summed_over_an_image_and_averaged_over_images_with_a_last_batch_of_another_size(digits):
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
    m = model(bottleneck=BETA, optimiser=STILL, epochs=1, batch_size=200, validation=digits).fit(digits)
    posterior = m.network_.encode(torch.from_numpy(digits[:, None] / 255).float())[0].posterior
    q = torch.distributions.Normal(posterior.mean, (posterior.log_variance / 2).exp())
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1).mean().item()
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
    on_both = model(**options, training={"measures": ["mse", "psnr"], "measure_scale": "symmetric"}).fit(digits)
    np.testing.assert_allclose(on_both.history_["val_mse"], 4 * np.array(on_unit["val_mse"]), rtol=1e-5)
    np.testing.assert_allclose(on_both.history_["val_psnr"], on_unit["val_psnr"], rtol=1e-5)


def test_a_validation_share_is_held_out(digits):
    m = model(validation=0.25, optimiser=STILL, epochs=1).fit(digits)
    held = m.validation_index_
    assert len(held) == 50
    assert m.history_["val_loss"] == pytest.approx([-m.score(digits[held])], rel=1e-5)
    rest = np.delete(digits, held, axis=0)
    assert m.history_["loss"] == pytest.approx([-m.score(rest)], rel=1e-5)


def test_bf16_is_near_to_fp32(digits):
    losses = [model(**NOISY, training={"precision": p}).fit(digits).history_["loss"] for p in ("fp32", "bf16")]
    assert losses[0] != losses[1]
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.02)


# -- what is kept ---------------------------------------------------------------------------------------------


@pytest.fixture
def overfitted(digits):
    """A model and its weights after each epoch; trained on digits, validated on their negatives: it only worsens."""

    def fit(**options):
        m = model(epochs=5, validation=255 - digits[:50], optimiser={"kind": "adam", "rate": 0.01}, **options)
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


def test_patience_stops_after_so_many_epochs_without_a_lower_loss(overfitted):
    whole, _ = overfitted()
    losses = whole.history_["val_loss"]
    best = int(np.argmin(losses))
    m, _ = overfitted(training={"patience": 2})
    assert m.epochs_ == len(m.history_["loss"]) == best + 3 < 5
    assert m.history_["val_loss"] == losses[: m.epochs_]


def test_patience_reads_the_training_loss_where_there_is_no_validation(digits):
    assert model(optimiser=STILL, epochs=9, batch_size=200, training={"patience": 1}).fit(digits).epochs_ <= 4


def test_the_average_of_the_weights_is_what_is_kept(digits):
    slow = model(training={"ema": 0.999999}, batch_size=200, optimiser={"kind": "adam", "rate": 0.01}).fit(digits)
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


# -- randomness -----------------------------------------------------------------------------------------------


def test_one_seed_one_result_bit_for_bit(digits):
    one, two = (model(**NOISY, validation=0.2).fit(digits) for _ in range(2))
    other = model(**NOISY, validation=0.2, random_state=1).fit(digits)
    assert same(weights(one), weights(two))
    assert timeless(one.history_) == timeless(two.history_)
    assert not any(torch.equal(a, b) for a, b in zip(one.network_.parameters(), other.network_.parameters()))


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
    steps = model(corruption=NOISY["corruption"], optimiser=STILL, epochs=2, batch_size=100).fit(digits).steps_["nll"]
    assert len({round(float(value), 4) for value in steps}) == 4


# -- resuming -------------------------------------------------------------------------------------------------

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
    tensors, numbers = broken.state()
    broken.run_epoch()  # what was told is a copy
    tensors, numbers = read(serialise(tensors)), json.loads(json.dumps(numbers))
    resumed = model(**options, epochs=4)._prepare(digits)
    resumed.restore(tensors, numbers)
    for _ in resumed:
        pass
    (a, whole_numbers), (b, numbers) = whole.state(), resumed.state()
    assert same(a, b)
    for found in (whole_numbers, numbers):
        found["history"] = timeless(found["history"])
    assert numbers == whole_numbers
    assert resumed.epoch == len(resumed.history["loss"]) == 4


# -- ranks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [32, 7])
def test_the_gradients_of_two_ranks_add_up_to_the_whole_batch(digits, monkeypatch, count):
    def gradients(share):
        monkeypatch.setattr(train, "share", share)
        m = model(**NOISY, penalties=[{"kind": "contractive", "exact": False}])
        training = m._prepare(digits)
        m.network_.train()
        terms = training.step(3, torch.arange(count))
        return terms, [p.grad.clone() for p in m.network_.parameters()]

    terms, whole = gradients(lambda total: slice(0, total))
    (a, one), (b, two) = (gradients(lambda total, r=r: slice(total * r // 2, total * (r + 1) // 2)) for r in range(2))
    for name, value in terms.items():
        torch.testing.assert_close(a[name] + b[name], value)
    for g, part, other in zip(whole, one, two):
        torch.testing.assert_close(part + other, g, rtol=1e-4, atol=1e-5)
        assert part.abs().sum() > 0


# -- refusals -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_a_loss_that_is_no_number_stops_with_a_reason_and_keeps_finite_weights(digits, epochs, optimiser):
    m = model(optimiser={"kind": optimiser, "rate": 1e30}, epochs=epochs, batch_size=50)
    with pytest.raises(TrainingError, match=r"epoch 1, batch \d, in the term 'nll'.* lower rate \(now 1e\+30\)"):
        m.fit(digits)
    assert all(torch.isfinite(value).all() for value in weights(m).values())
    assert not m.network_.training


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("validation", [None, 0.2])
def test_a_last_step_that_diverges_is_told_too(digits, optimiser, validation):
    m = model(optimiser={"kind": optimiser, "rate": 1e30}, epochs=1, batch_size=500, validation=validation)
    with pytest.raises(TrainingError, match="lower rate"):
        m.fit(digits)


@pytest.mark.filterwarnings(CONSTANT)
def test_a_diverging_term_is_named(digits):
    bottleneck = {"kind": "sparse", "weight": 1e38}
    with pytest.raises(TrainingError, match=r"became inf in epoch 1, batch 1, in the term 'l1'; .*the start"):
        model(bottleneck=bottleneck).fit(digits)


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("keep", "first", "keep: got 'first', expected 'best' or 'last'"),
        ("patience", 0, "patience: got 0, expected a whole number of epochs"),
        ("clip", -1, "clip: got -1, expected a number > 0"),
        ("ema", 1.0, r"ema: got 1.0, expected a decay in \(0, 1\)"),
        ("precision", "fp16", "precision: got 'fp16', expected one of fp32, bf16"),
        ("measure_scale", "standard", "measure_scale: got 'standard'"),
        ("measures", ["pnsr"], "no measure called 'pnsr'; did you mean 'psnr'"),
        ("patience", "3", "wrong type"),
    ],
)
def test_wrong_options_are_refused(digits, option, value, reason):
    with pytest.raises((BuildError, UnknownName), match=reason):
        model(training={option: value}, validation=0.2).fit(digits)


@pytest.mark.filterwarnings(CONSTANT)
@pytest.mark.parametrize("batch_norm", [{"kind": "mlp", "widths": [8]}, {"kind": "conv", "channels": [4, 8, 8]}])
def test_a_last_batch_of_one_image_can_be_normalised(digits, batch_norm):
    m = model(body={**batch_norm, "batch_norm": True}, batch_size=40, epochs=4).fit(digits[:81])
    assert all(torch.isfinite(value).all() for value in weights(m).values())
    assert len(m.steps_["loss"]) == 12


def test_the_objective_of_a_step_is_the_objective_of_its_key(digits):
    m = model(**NOISY, batch_size=200, optimiser=STILL, epochs=1)
    training = m._prepare(digits)
    training.run_epoch()
    m.network_.train()
    order = torch.randperm(200, generator=train.generator(0, 0, "order"))
    terms, _ = elbo(m.network_, training.pixels.batch(order), Draw(0, 0, 0))
    assert training.history["nll"] == pytest.approx([terms["nll"].mean().item()], rel=1e-5)
