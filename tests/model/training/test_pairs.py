"""Pairs of clean and noisy images: the noisy ones are seen, the clean ones are the aim, in every
way to train.
"""

import numpy as np
import pytest
import torch

import narrows as nw
from narrows.errors import BuildError, ImageError, NarrowsError
from narrows.model.training.checkpoint import Checkpoint
from narrows.model.training.pairs import is_paired
from narrows.model.use.baselines import compare_denoisers
from narrows.model.use.evaluate import evaluate, image_rows
from narrows.parts.corruptions import CORRUPTIONS
from small_models import CONSTANT, STILL, model, timeless, weights

pytestmark = pytest.mark.filterwarnings(CONSTANT)
PAIRS = {"corruption": "pairs"}


def streaked(X: np.ndarray) -> np.ndarray:
    """White lines across, which no corruption of ours makes."""
    noisy = X.copy()
    for k, image in enumerate(noisy):
        image[k % len(image)] = 255 if X.dtype == np.uint8 else 1
    return noisy


@pytest.fixture(scope="module")
def noisy(digits):
    return streaked(digits)


@pytest.fixture(scope="module")
def denoiser(digits, noisy):
    return model(**PAIRS, body={"kind": "mlp", "widths": [64]}, epochs=40).fit(digits, noisy=noisy)


# -- what is learnt --------------------------------------------------------------------------------


def test_the_network_sees_the_noisy_and_is_judged_by_the_clean(digits, noisy):
    m = model(**PAIRS, optimiser=STILL, epochs=1).fit(digits, noisy=noisy)
    put_out = m.reconstruct(noisy / 255, exact=True)
    expected = np.square(put_out - digits / 255).sum((1, 2)).mean()
    assert m.history_["loss"][0] == pytest.approx(expected, rel=1e-5)


def test_pairs_of_equal_images_are_a_training_without_noise(digits):
    plain, equal = model().fit(digits), model(**PAIRS).fit(digits, noisy=digits)
    assert timeless(equal.history_) == timeless(plain.history_)
    assert all(torch.equal(value, weights(plain)[name]) for name, value in weights(equal).items())


def test_noise_of_no_known_kind_is_taken_out(digits, noisy, denoiser):
    before, after = (
        nw.measure.psnr(digits, noisy).mean(),
        nw.measure.psnr(digits, denoiser.denoise(noisy)).mean(),
    )
    assert after > before + 3
    assert denoiser.wants_pairs
    assert not model().wants_pairs


@pytest.mark.parametrize(
    ("form", "factor"), [("float32", 1 / 255), ("float64", 1 / 255), ("uint16", 257)]
)
def test_noisy_images_may_be_of_another_type(digits, noisy, form, factor):
    given = (noisy.astype(float) * factor).astype(form)
    m = model(**PAIRS, epochs=1).fit(digits, noisy=given)
    assert m.history_["loss"] == pytest.approx(
        model(**PAIRS, epochs=1).fit(digits, noisy=noisy).history_["loss"]
    )
    assert np.isfinite(evaluate(m, digits, noisy=given)["denoised_psnr"])


def test_noise_need_not_be_clipped(digits):
    loud = digits / 255 + np.random.default_rng(0).normal(size=digits.shape)
    assert model(**PAIRS, epochs=1).fit(digits, noisy=loud).history_["loss"][0] > 0


def test_flat_images_and_tables_have_pairs_too(digits, noisy, table):
    flat = model(**PAIRS, image_shape=(8, 8)).fit(
        digits.reshape(-1, 64), noisy=noisy.reshape(-1, 64)
    )
    assert timeless(flat.history_) == timeless(model(**PAIRS).fit(digits, noisy=noisy).history_)
    assert model(**PAIRS).fit(table, noisy=table + 1).history_["loss"][0] > 0


# -- every way to train ----------------------------------------------------------------------------


def test_a_share_held_back_takes_its_pairs_along(digits, noisy):
    m = model(**PAIRS, validation=0.2, training={"keep": "last"}).fit(digits, noisy=noisy)
    held = m.validation_index_
    put_out = m.reconstruct(noisy[held] / 255, exact=True)
    assert m.history_["val_loss"][-1] == pytest.approx(
        np.square(put_out - digits[held] / 255).sum((1, 2)).mean()
    )


def test_images_to_validate_with_are_clean_and_noisy(digits, noisy):
    last = {"training": {"keep": "last"}}
    m = model(**PAIRS, **last, validation=(digits[:30], noisy[:30])).fit(digits, noisy=noisy)
    put_out = m.reconstruct(noisy[:30] / 255, exact=True)
    assert m.history_["val_loss"][-1] == pytest.approx(
        np.square(put_out - digits[:30] / 255).sum((1, 2)).mean()
    )


def test_parts_take_pairs(digits, noisy):
    whole, parts = model(**PAIRS, epochs=2).fit(digits, noisy=noisy), model(**PAIRS, epochs=2)
    for _ in range(2):
        parts.partial_fit(digits, noisy=noisy)
    assert timeless(parts.history_) == timeless(whole.history_)


def test_ranks_take_their_rows_of_both(digits, noisy, monkeypatch):
    training = model(**PAIRS, batch_size=50)._prepare(digits, np.arange(200), noisy)
    index = torch.randperm(50)
    whole = training.step(0, index)
    for name, value in whole.items():
        parts = []
        for rank in range(3):
            again = model(**PAIRS, batch_size=50)._prepare(digits, np.arange(200), noisy)
            mine = slice(50 * rank // 3, 50 * (rank + 1) // 3)
            monkeypatch.setattr(
                "narrows.model.training.training.rank_slice", lambda total, mine=mine: mine
            )
            parts.append(again.step(0, index)[name])
        assert sum(parts) == pytest.approx(value.item(), rel=1e-5)


def test_a_checkpoint_of_other_pairs_is_refused(digits, noisy, tmp_path):
    path = tmp_path / "last.safetensors"
    model(**PAIRS).fit(digits, noisy=noisy, checkpoint=Checkpoint(path))
    with pytest.raises(BuildError, match="images was"):
        model(**PAIRS).fit(digits, noisy=digits, checkpoint=Checkpoint(path, resume=True))


# -- afterwards ------------------------------------------------------------------------------------


def test_a_model_file_needs_no_noisy_images(digits, noisy, denoiser, tmp_path):
    again = nw.load(nw.save(denoiser, tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(again.denoise(noisy), denoiser.denoise(noisy))
    assert again.get_params()["corruption"] == "pairs"


def test_it_is_measured_on_the_pairs_that_are_given(digits, noisy, denoiser):
    found = evaluate(denoiser, digits, noisy=noisy)
    exact = denoiser.denoise(noisy / 255, exact=True)
    assert found["noisy_psnr"] == pytest.approx(nw.measure.psnr(digits, noisy).mean(), rel=1e-5)
    assert found["denoised_psnr"] == pytest.approx(
        nw.measure.psnr(digits / 255, exact).mean(), rel=1e-5
    )
    assert not [
        name for name in evaluate(denoiser, digits) if "noisy" in name or "denoised" in name
    ]
    assert list(image_rows(denoiser, digits[:3], noisy=noisy[:3])) == [
        "original",
        "noisy",
        "denoised",
    ]
    assert list(image_rows(denoiser, digits[:3])) == ["original", "reconstruction"]


@pytest.mark.parametrize("name", ["ae", "vae", "pca"])
def test_any_model_is_measured_on_pairs(request, name, digits, noisy):
    m = request.getfixturevalue(name)
    found = evaluate(m, digits, noisy=noisy)
    exact = m.reconstruct(noisy / 255, exact=True)
    assert found["denoised_psnr"] == pytest.approx(
        nw.measure.psnr(digits / 255, exact).mean(), rel=1e-5
    )


def test_given_pairs_are_in_the_place_of_drawn_noise(digits, noisy):
    m = model(corruption="gaussian").fit(digits)
    assert evaluate(m, digits, noisy=noisy)["noisy_psnr"] == pytest.approx(
        nw.measure.psnr(digits, noisy).mean()
    )
    assert evaluate(m, digits)["noisy_psnr"] != pytest.approx(
        nw.measure.psnr(digits, noisy).mean(), rel=1e-2
    )


def test_baselines_are_next_to_it_on_the_same_pairs(digits, noisy, denoiser):
    found = {
        row["denoiser"]: row
        for row in compare_denoisers(denoiser, digits, noisy=noisy, most=50, baselines=["median"])
    }
    assert found["this model"]["psnr"] > found["noisy"]["psnr"]
    with pytest.raises(BuildError, match="baselines: got 'a model that was trained on pairs'"):
        compare_denoisers(denoiser, digits)
    with pytest.raises(BuildError, match="score_field"):
        denoiser.score_field(digits)


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda y: None, BuildError, r"noisy: got None.*fit\(X, noisy=Y\)"),
        (lambda y: y[:-1], ImageError, "noisy: got 199 images for 200 clean ones"),
        (lambda y: y[:, 1:], ImageError, "they are 7 x 8 pixels"),
        (lambda y: np.stack([y] * 3, axis=-1), ImageError, "they have 3 channels"),
        (
            lambda y: y.astype(float),
            ImageError,
            "noisy: its pixels are .* on average and 1 is white; divide by 255",
        ),
        (lambda y: y - y.mean(), ImageError, "noisy: its pixels are .*; divide by 255"),
        (lambda y: y / 255 + np.nan, ImageError, "NaN"),
    ],
)
def test_noisy_images_that_are_no_counterpart_are_refused(digits, noisy, change, error, words):
    with pytest.raises(error, match=words):
        model(**PAIRS).fit(digits, noisy=change(noisy))
    m = model(**PAIRS, epochs=1).partial_fit(digits, noisy=noisy)
    with pytest.raises(error, match=words):
        m.partial_fit(digits, noisy=change(noisy))


def test_a_registered_corruption_that_says_nothing_of_pairs_takes_none(monkeypatch):
    monkeypatch.setitem(CORRUPTIONS, "smudge", lambda: None)
    kinds = {"smudge": False, "pairs": True, "none": False, "mistyped": False}
    assert {kind: is_paired(kind) for kind in kinds} == kinds


def test_noisy_images_under_another_corruption_are_refused(digits, noisy):
    with pytest.raises(
        BuildError,
        match="noisy: got 'ndarray', expected None under corruption 'none'; corruption='pairs'",
    ):
        model().fit(digits, noisy=noisy)


def test_faults_of_pairs_are_reported_with_the_others(digits):
    with pytest.raises(NarrowsError) as caught:
        model(**PAIRS, epochs=0).fit(digits, sample_weight=-np.ones(200))
    assert "for 3 reasons" in str(caught.value)


def test_validation_images_without_their_pairs_are_refused(digits, noisy):
    with pytest.raises(
        BuildError,
        match=r"validation: got 'a ndarray', expected None, a share, or \(clean, noisy\)",
    ):
        model(**PAIRS, validation=digits[:20]).fit(digits, noisy=noisy)
