"""Sample weights: an image of weight 2 is two images, one of weight 0 is none, equal weights change
nothing.
"""

import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import narrows as nw
from narrows.errors import BuildError
from narrows.image_batches import ImageBatches
from narrows.image_inputs import as_images
from narrows.model.estimator import components
from narrows.model.training.checkpoint import Checkpoint
from narrows.model.training.sample_weight import validate_weights, weighted_stand_ins
from narrows.scale import choose_scale
from small_models import BETA, CONSTANT, NOISY, model, timeless, weights

pytestmark = pytest.mark.filterwarnings(CONSTANT)
PARTS = {
    "plain": {},
    "sparse": {"bottleneck": {"kind": "sparse", "size": 8}, "penalties": ["contractive"]},
    "bernoulli": {"likelihood": "bernoulli", "bottleneck": {"kind": "relu", "size": 8}},
}
# one step an epoch
WHOLE = {"batch_size": 1000, "epochs": 3, "optimiser": {"kind": "sgd", "rate": 1e-3}}
COUNTS = np.random.default_rng(0).integers(0, 4, 200)


def alike(a: nw.Autoencoder, b: nw.Autoencoder, atol: float = 1e-5) -> None:
    """The same weights, but for the density of codes, which counts images of any weight alike; the
    same losses.
    """
    for name in [name for name in weights(a) if not name.startswith("prior.")]:
        torch.testing.assert_close(weights(a)[name], weights(b)[name], rtol=0, atol=atol, msg=name)
    for name, column in timeless(a.history_).items():
        np.testing.assert_allclose(column, b.history_[name], rtol=1e-5, err_msg=name)


# -- weights that are all the same -----------------------------------------------------------------


@pytest.mark.parametrize(
    "parts", [NOISY, {"bottleneck": BETA, "body": {"kind": "mlp", "batch_norm": True}}]
)
@pytest.mark.parametrize("weight", [1, 3, 0.1])
def test_weights_that_are_the_same_change_not_a_bit(digits, parts, weight):
    options = {**parts, "validation": 0.2, "training": {"measures": ["psnr"]}}
    plain = model(**options).fit(digits)
    equal = model(**options).fit(digits, sample_weight=[weight] * len(digits))
    assert timeless(equal.history_) == timeless(plain.history_)
    assert all(torch.equal(value, weights(plain)[name]) for name, value in weights(equal).items())
    assert equal.thresholds_ == plain.thresholds_
    np.testing.assert_array_equal(equal.steps_["loss"], plain.steps_["loss"])


@pytest.mark.parametrize("weight", [1, 3, 0.1])
def test_weights_that_are_the_same_change_no_component(digits, weight):
    plain, equal = (
        nw.PCA(8).fit(digits),
        nw.PCA(8).fit(digits, sample_weight=np.full(len(digits), weight)),
    )
    np.testing.assert_allclose(equal.transform(digits), plain.transform(digits), atol=1e-5)
    n = len(digits) * (weight if weight == 3 else 1)
    variance = plain.explained_variance_ * (len(digits) - 1) / len(digits) * n / (n - 1)
    np.testing.assert_allclose(equal.explained_variance_, variance, rtol=1e-5)


# -- weights that count ----------------------------------------------------------------------------


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("scale", [1, 0.37])
def test_weights_are_repetitions_of_images(digits, parts, scale):
    repeated = model(**WHOLE, **parts).fit(digits.repeat(COUNTS, axis=0))
    weighted = model(**WHOLE, **parts).fit(digits, sample_weight=COUNTS * scale)
    alike(weighted, repeated)


def test_an_image_of_weight_0_is_left_out(digits):
    kept = COUNTS > 0
    without = model(**WHOLE).fit(digits[kept])
    weighted = model(**WHOLE).fit(digits, sample_weight=kept)
    alike(weighted, without)
    assert weighted.thresholds_ == pytest.approx(without.thresholds_, rel=1e-4)
    np.testing.assert_allclose(weighted.sample(4), without.sample(4), atol=1)


def test_a_table_is_standardised_by_its_weights(table):
    scale = choose_scale("standard", table.repeat(COUNTS, axis=0), as_images(table)[1])
    found = choose_scale(
        "standard", weighted_stand_ins(table, COUNTS.astype(float)), as_images(table)[1]
    )
    torch.testing.assert_close(found.offset, scale.offset)
    torch.testing.assert_close(found.gain, scale.gain)
    alike(
        model(**WHOLE).fit(table, sample_weight=COUNTS),
        model(**WHOLE).fit(table.repeat(COUNTS, axis=0)),
    )


def test_a_share_held_back_is_weighed_too(digits):
    weight = np.random.default_rng(1).uniform(0, 2, len(digits))
    m = model(validation=0.2, training={"keep": "last", "measures": ["mse"]}).fit(
        digits, sample_weight=weight
    )
    held, share = digits[m.validation_index_], weight[m.validation_index_]
    squared = -m.score_samples(held)
    assert m.history_["val_nll"][-1] == pytest.approx(np.average(squared, weights=share), rel=1e-4)
    assert m.history_["val_mse"][-1] == pytest.approx(
        np.average(squared, weights=share) / 64, rel=1e-4
    )
    assert abs(squared.mean() / np.average(squared, weights=share) - 1) > 1e-3  # the law can fail


def test_the_history_is_the_weighted_mean_over_the_epoch(digits):
    still = {"epochs": 1, "optimiser": {"kind": "adam", "rate": 1e-30}, "batch_size": 64}
    weight = np.random.default_rng(1).uniform(0, 2, len(digits))
    m = model(**still).fit(digits, sample_weight=weight)
    expected = np.average(-m.score_samples(digits), weights=weight)
    assert m.history_["loss"][0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("wide", [False, True])
def test_components_of_weighted_images_are_those_of_repeated_ones(digits, wide, monkeypatch):
    monkeypatch.setattr(components, "WIDEST_COVARIANCE", 10 if wide else 4096)
    repeated = nw.PCA(8).fit(digits.repeat(COUNTS, axis=0))
    weighted = nw.PCA(8).fit(digits, sample_weight=COUNTS)
    for name in ("mean_", "components_", "explained_variance_"):
        np.testing.assert_allclose(
            getattr(weighted, name), getattr(repeated, name), atol=2e-5, err_msg=name
        )
    np.testing.assert_allclose(weighted.transform(digits), repeated.transform(digits), atol=1e-4)


def test_components_of_weighted_images_are_numpys(digits):
    weight = np.random.default_rng(1).uniform(0.5, 2, len(digits))
    found, flat = nw.PCA(8).fit(digits, sample_weight=weight), digits.reshape(-1, 64) / 255
    n = len(digits)
    values, vectors = np.linalg.eigh(np.cov(flat.T, aweights=weight, ddof=0) * n / (n - 1))
    np.testing.assert_allclose(found.mean_, np.average(flat, axis=0, weights=weight), atol=1e-6)
    np.testing.assert_allclose(found.explained_variance_, values[::-1][:8], rtol=1e-4)
    np.testing.assert_allclose(
        np.abs(found.components_ @ vectors[:, ::-1][:, :8]), np.eye(8), atol=1e-3
    )


def test_images_of_weight_0_give_no_components(digits):
    weight = np.arange(len(digits)) < 5
    assert nw.PCA().fit(digits, sample_weight=weight).code_size_ == 5
    with pytest.raises(BuildError, match=r"n_components: got 6, expected an integer in 1\.\.5"):
        nw.PCA(6).fit(digits, sample_weight=weight)


# -- every way to train ----------------------------------------------------------------------------


def test_parts_take_weights(digits):
    whole, parts = model(epochs=2).fit(digits, sample_weight=COUNTS), model(epochs=2)
    for _ in range(2):
        parts.partial_fit(digits, sample_weight=COUNTS)
    alike(parts, whole, atol=0)


def test_a_step_of_a_pipeline_takes_weights(digits):
    y = np.arange(len(digits)) % 2
    steps = make_pipeline(nw.PCA(4), LogisticRegression()).fit(digits, y, pca__sample_weight=COUNTS)
    np.testing.assert_array_equal(
        steps[0].transform(digits), nw.PCA(4).fit(digits, sample_weight=COUNTS).transform(digits)
    )
    with config_context(enable_metadata_routing=True):
        first = nw.PCA(4).set_fit_request(sample_weight=True)
        routed = make_pipeline(first, LogisticRegression().set_fit_request(sample_weight=False))
        routed.fit(digits, y, sample_weight=COUNTS)
    np.testing.assert_array_equal(routed[0].transform(digits), steps[0].transform(digits))


def test_a_checkpoint_of_other_weights_is_refused(digits, tmp_path):
    path = tmp_path / "last.safetensors"
    model().fit(digits, sample_weight=COUNTS, checkpoint=Checkpoint(path))
    with pytest.raises(BuildError, match="images was"):
        model().fit(
            digits, sample_weight=COUNTS[::-1].copy(), checkpoint=Checkpoint(path, resume=True)
        )


def test_a_subset_takes_its_weights_along():
    X = np.zeros((6, 2, 2), np.uint8)
    array, layout = as_images(X)
    whole = ImageBatches(
        array, layout, choose_scale("unit", array, layout), weights=np.array([0.0, 1, 2, 3, 4, 5])
    )
    part = whole.part(torch.tensor([1, 3, 5]))
    assert part.weights is not None
    torch.testing.assert_close(part.weights, torch.tensor([1.0, 3, 5]) / 3)
    torch.testing.assert_close(part.weights_at(torch.tensor([2, 0])), torch.tensor([5.0, 1]) / 3)
    assert whole.fingerprint() != ImageBatches(array, layout, whole.scale).fingerprint()


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        ([1, 2], r"sample_weight: got \(2,\), expected 4 numbers ≥ 0, one an image"),
        (np.ones((4, 1)), r"sample_weight: got \(4, 1\), expected 4 numbers"),
        (1.0, r"sample_weight: got \(\), expected 4 numbers"),
        ("much", "sample_weight: got 'a str', expected 4 numbers"),
        ([[1], [1, 2]], "sample_weight: got 'a list'"),
        ([1, 1, np.nan, np.inf], r"sample_weight: got 'NaN or infinity \(2 times\)'"),
        ([1, 1, 0, -0.5], "sample_weight: got -0.5, expected 4 numbers ≥ 0.* image 3"),
        ([0, 0, 0, 0], "sample_weight: got 'only zeros'.*one at least must be above 0"),
        ([1, 1e308, 1, 1], "sample_weight: got 1e.308, expected 4 numbers ≥ 0.* image 1; only the"),
        ([1e308] * 4, "sample_weight: got 1e.308.* only the ratios of weights count"),
        ([5e-324, 0, 0, 0], "sample_weight: got 5e-324.* the largest from 1e-30 to 1e.30"),
        (
            [1, 1e20, 1, 1e-30],
            "sample_weight: got '1e-30 next to 1e.20'.* image 3 would count as none",
        ),
        ([10**400] * 4, "sample_weight: got 'a list'"),
    ],
)
def test_what_are_no_weights_is_refused(weight, words):
    with pytest.raises(BuildError, match=words):
        validate_weights(weight, 4)


@pytest.mark.parametrize("weight", [1e-30, 1e-8, 1e8, 1e30])
def test_weights_in_the_allowed_range_give_finite_losses(digits, weight):
    weights = np.where(np.arange(len(digits)) % 2, weight, weight / 1e8)
    fitted = model(epochs=1).fit(digits, sample_weight=weights)
    assert np.isfinite(fitted.history_["loss"]).all()
    assert np.isfinite(nw.PCA(2).fit(digits, sample_weight=weights).transform(digits)).all()


@pytest.mark.parametrize("make", [lambda: nw.PCA(1000), lambda: model(epochs=0)], ids=["pca", "ae"])
def test_wrong_weights_are_reported_with_the_other_faults(digits, make):
    with pytest.raises(BuildError) as caught:
        make().fit(digits, sample_weight=-COUNTS)
    assert "for 2 reasons" in str(caught.value)
    assert "sample_weight: got -3.0" in str(caught.value)


def test_a_share_whose_images_all_have_weight_0_is_refused(digits):
    index = model(validation=0.2).fit(digits).validation_index_
    weight = np.ones(len(digits))
    weight[index] = 0
    with pytest.raises(BuildError, match="only zeros for the images to validate with"):
        model(validation=0.2).fit(digits, sample_weight=weight)
    with pytest.raises(BuildError, match="only zeros for the images to train on"):
        model(validation=0.2).fit(digits, sample_weight=1 - weight)
