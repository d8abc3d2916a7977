"""Odd images: each kind of score against its formula, thresholds, and what a model file keeps of them."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sklearn.covariance import LedoitWolf

import narrows as nw
from narrows.errors import BuildError, DataError, NarrowsWarning, UnknownName
from narrows.model.density import CodeDensity
from narrows.model.estimator.anomaly import SCORES, patch
from narrows.model.outputs import Outputs
from small_models import UNCALIBRATED

pytestmark = pytest.mark.filterwarnings(UNCALIBRATED)
MODELS = ["ae", "vae", "pca", "pooled"]
KINDS = [(name, kind) for name in MODELS for kind in SCORES if name == "vae" or kind != "bound"]
CONSTANT = "ignore:the model predicts a constant"  # as it does where hardly anything was learnt


@pytest.fixture(params=MODELS)
def model(request):
    return request.getfixturevalue(request.param)


def distance(codes, training):
    """Mahalanobis' squared distance, by scikit-learn."""
    return LedoitWolf().fit(training.astype(np.float64)).mahalanobis(codes.astype(np.float64))


# -- the kinds -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_a_score_repeats_and_belongs_to_the_image(request, name, kind, digits):
    model = request.getfixturevalue(name)
    scores = model.anomaly_score(digits, kind)
    assert (scores.shape, scores.dtype) == ((len(digits),), np.float32)
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores, model.anomaly_score(digits, kind))
    np.testing.assert_allclose(model.anomaly_score(digits[50:57], kind), scores[50:57], rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "kind"), [one for one in KINDS if "code" not in one and "pooled" not in one]
)
def test_noise_is_odder_than_what_was_learnt(request, name, kind, digits):
    model = request.getfixturevalue(name)
    noise = np.random.default_rng(0).integers(0, 256, digits.shape, np.uint8)
    scores = np.concatenate([model.anomaly_score(X, kind) for X in (digits, noise)])
    assert nw.measure.auroc(scores, np.arange(len(scores)) >= len(digits)) > 0.9


def test_the_error_map_adds_up_to_the_error(model, digits):
    errors = model.error_map(digits)
    assert (errors.shape, errors.dtype) == (digits.shape, np.float32)
    by_hand = (model.reconstruct(digits, exact=True) - digits / 255) ** 2
    np.testing.assert_allclose(errors, by_hand, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(errors.sum((1, 2)), model.anomaly_score(digits, "error"), rtol=1e-4)


@pytest.mark.filterwarnings(CONSTANT)
def test_an_error_map_of_colours_is_their_sum(colour):
    model = nw.PCA(4, scale="symmetric").fit(colour)
    by_hand = ((model.reconstruct(colour, exact=True) - colour) ** 2).sum(-1)
    np.testing.assert_allclose(model.error_map(colour), by_hand, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 9, 14), (1, 4, 4), (2, 3, 20), (1, 1, 5)], ids=str)
def test_the_worst_patch_is_the_largest_mean_of_all_windows(shape):
    errors = np.random.default_rng(0).uniform(size=(6, *shape)).astype(np.float32)
    side = max(1, min(shape[1:]) // 4)
    windows = np.lib.stride_tricks.sliding_window_view(errors.mean(1), (side, side), axis=(1, 2))
    np.testing.assert_allclose(
        patch(Outputs(torch.from_numpy(errors), torch.zeros(6, 1))),
        windows.mean((3, 4)).max((1, 2)),
        rtol=1e-5,
    )


def test_a_small_defect_drowns_in_a_sum_and_not_in_a_patch():
    random = np.random.default_rng(0)
    flat, strength = np.full((400, 32, 32), 0.5), np.linspace(0.02, 0.2, 400)[:, None, None]
    # some images are noisier than others
    X = flat + strength * random.normal(size=flat.shape).clip(-2, 2)
    X_odd = X[random.permutation(400)]
    X_odd[:, 10:18, 3:11] = X_odd[:, 10:18, 3:11] + 0.2
    model, odd = nw.PCA(1).fit(X.clip(0, 1)), np.arange(800) >= 400
    found = {
        k: nw.measure.auroc(model.anomaly_score(np.concatenate([X, X_odd]), k), odd)
        for k in ("error", "patch")
    }
    assert found["patch"] > found["error"] + 0.1


def test_the_distance_of_codes_is_that_of_scikit_learn(model, digits):
    codes = model.transform(digits)
    held_out = model.calibration_index_
    training = codes if held_out is None else np.delete(codes, held_out, axis=0)
    if model.code_size_ <= 256:
        np.testing.assert_allclose(
            model.anomaly_score(digits, "code"), distance(codes, training), rtol=2e-3
        )


@pytest.mark.parametrize("count", [1, 2, 5, 40])
@pytest.mark.parametrize("size", [1, 30, 400])
def test_a_few_codes_or_dead_units_give_finite_distances(count, size):
    codes = torch.randn(count, size, generator=torch.Generator().manual_seed(0))
    codes[:, size // 2 :] = 3.0  # units that never move
    density = CodeDensity.fit(codes)
    assert density.whitening.numel() == size or size <= 256
    assert torch.isfinite(density.distance(codes + 1)).all()
    if count == 40:  # the mean squared distance of the codes themselves is at most their size
        assert density.distance(codes).mean() < size + 1


def test_variances_alone_are_kept_of_a_large_code(digits):
    # some pixels never move
    z = torch.from_numpy(digits.reshape(len(digits), -1)).repeat(1, 5).float()
    density, variance = CodeDensity.fit(z), z.var(0, correction=0)
    assert density.whitening.shape == (320,)
    shrunk = (len(z) * variance + variance.mean()) / (len(z) + 1)
    np.testing.assert_allclose(
        density.distance(z), ((z - z.mean(0)).square() / shrunk).sum(1), rtol=1e-3
    )


# -- thresholds ------------------------------------------------------------------------------------


def test_without_a_kind_it_is_the_worst_patch(model, digits):
    np.testing.assert_array_equal(model.anomaly_score(digits), model.anomaly_score(digits, "patch"))
    np.testing.assert_array_equal(model.flag(digits), model.flag(digits, "patch"))
    assert model.threshold_ == model.thresholds_["patch"]


def test_a_threshold_of_ones_own_is_gone_by_and_kept(digits, tmp_path):
    model = nw.PCA(4).fit(digits)
    scores = model.anomaly_score(digits)
    model.threshold_ = float(np.median(scores))
    again = nw.load(nw.save(model, tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(again.flag(digits), scores > np.median(scores))


@pytest.mark.filterwarnings(CONSTANT)
def test_a_new_fit_forgets_the_old_thresholds(digits):
    model = nw.Autoencoder(bottleneck={"kind": "plain", "size": 4}, epochs=1).fit(digits)
    model.set_params(bottleneck={"kind": "plain", "size": 6})
    for seen in model.fit_epochs(digits):
        assert np.isfinite(seen.anomaly_score(digits)).all()
        for use in (lambda: seen.flag(digits), lambda: seen.anomaly_score(digits, "code")):  # noqa: B023
            with pytest.raises(BuildError, match=r"fit it again"):
                use()
    assert model.flag(digits, "code").shape == (len(digits),)


# -- refusals --------------------------------------------------------------------------------------


def test_a_kind_that_a_model_does_not_have_is_refused(ae, pca, digits, table):
    for model in (ae, pca):
        for use in (model.anomaly_score, model.flag):
            with pytest.raises(
                BuildError, match=r"'bound' needs a variational model; use the score 'error', or"
            ):
                use(digits, "bound")
    with pytest.raises(
        UnknownName, match=r"called 'pach'; did you mean 'patch'\? known: bound, code, error"
    ):
        pca.anomaly_score(digits, "pach")
    tables = nw.PCA(2).fit(table)
    with pytest.raises(
        BuildError, match=r"'patch' needs images, whose pixels have neighbours; use kind='error'"
    ):
        tables.anomaly_score(table, "patch")
    assert set(tables.thresholds_) == {"error", "code"}
    assert tables.threshold_ == tables.thresholds_["error"]
    assert tables.flag(table).shape == tables.flag(table, "code").shape == (len(table),)


# -- the model file --------------------------------------------------------------------------------


def rewrite(path, tensors, **facts):
    """The model file, in the format without a checksum, with other tensors and facts (an Ellipsis
    takes one away).
    """
    with safe_open(path, "pt") as opened:
        header = json.loads(opened.metadata()["narrows"])
    header["format"] = 1
    header["facts"] = {
        name: value for name, value in {**header["facts"], **facts}.items() if value is not ...
    }
    save_file(tensors, path, {"narrows": json.dumps(header)})
    return path


def test_scores_and_thresholds_repeat_after_reading(model, digits, tmp_path):
    again = nw.load(nw.save(model, tmp_path / "m.safetensors"))
    assert again.thresholds_ == model.thresholds_
    assert again.threshold_ == model.threshold_
    for kind in model.thresholds_:
        np.testing.assert_array_equal(
            again.anomaly_score(digits, kind), model.anomaly_score(digits, kind)
        )
        np.testing.assert_array_equal(again.flag(digits, kind), model.flag(digits, kind))


def test_files_from_before_the_kinds_are_read(model, digits, tmp_path):
    path = nw.save(model, tmp_path / "m.safetensors")
    later = ("cloud.", "calibration.")
    old = {name: value for name, value in load_file(path).items() if not name.startswith(later)}
    # what it was then, and a file keeps to it
    usual = "bound" if "bound" in model.thresholds_ else "error"
    facts = {"thresholds_": ..., "calibration_": ..., "threshold_": model.thresholds_[usual]}
    again = nw.load(rewrite(path, old, **facts))
    np.testing.assert_array_equal(again.anomaly_score(digits), model.anomaly_score(digits, usual))
    with pytest.warns(NarrowsWarning, match="does not say how its threshold was computed"):
        np.testing.assert_array_equal(again.flag(digits), model.flag(digits, usual))
    np.testing.assert_array_equal(
        again.anomaly_score(digits, "patch"), model.anomaly_score(digits, "patch")
    )
    with pytest.raises(BuildError, match="its file is older than this score"):
        again.anomaly_score(digits, "code")
    with pytest.raises(
        BuildError, match=r"compare anomaly_score\(X, kind='patch'\) with your own threshold"
    ):
        again.flag(digits, "patch")
    assert nw.load(nw.save(again, path)).thresholds_ == again.thresholds_


@pytest.mark.parametrize("wrong", [[1.0], {"error": "high"}, "error", 3])
def test_thresholds_that_are_nans_are_refused(pca, wrong, tmp_path):
    path = nw.save(pca, tmp_path / "m.safetensors")
    with pytest.raises(DataError, match=r"is not a complete model of Narrows"):
        nw.load(rewrite(path, load_file(path), thresholds_=wrong))


@pytest.mark.parametrize("name", ["cloud.mean", "cloud.white"])
def test_a_file_that_lacks_where_the_codes_lie_is_refused(pca, name, tmp_path):
    path = nw.save(pca, tmp_path / "m.safetensors")
    lacking = {
        kept: tensor for kept, tensor in load_file(path).items() if kept not in (name, "cloud.mean")
    }
    with pytest.raises(DataError, match=r"is not a complete model of Narrows: (.|\n)*cloud\.mean"):
        nw.load(rewrite(path, lacking))
