import numpy as np
import pytest
import sklearn.decomposition

import narrows as nw
from narrows.errors import BuildError
from narrows.model.estimator import components


def test_it_equals_scikit_learns(digits):
    flat = digits.reshape(-1, 64) / 255
    reference = sklearn.decomposition.PCA(8, svd_solver="full").fit(flat)
    found = nw.PCA(8).fit(digits)
    signs = np.sign((found.components_ * reference.components_).sum(1, keepdims=True))
    np.testing.assert_allclose(found.components_ * signs, reference.components_, atol=1e-4)
    np.testing.assert_allclose(found.mean_, reference.mean_, atol=1e-6)
    np.testing.assert_allclose(found.explained_variance_, reference.explained_variance_, rtol=1e-4)
    np.testing.assert_allclose(
        found.transform(digits) * signs.T, reference.transform(flat), atol=1e-4
    )
    put_out = reference.inverse_transform(reference.transform(flat)).reshape(-1, 8, 8)
    np.testing.assert_allclose(found.reconstruct(digits, exact=True), put_out, atol=1e-5)


def test_both_ways_to_the_components_lead_there(digits, monkeypatch):
    narrow = nw.PCA(8).fit(digits)
    monkeypatch.setattr(components, "WIDEST_COVARIANCE", 10)
    wide = nw.PCA(8).fit(digits)
    signs = np.sign((narrow.components_ * wide.components_).sum(1, keepdims=True))
    np.testing.assert_allclose(narrow.components_ * signs, wide.components_, atol=1e-4)
    np.testing.assert_allclose(narrow.explained_variance_, wide.explained_variance_, rtol=1e-4)
    assert narrow.threshold_ == pytest.approx(wide.threshold_, rel=1e-4)


def test_one_image_has_no_variance_to_explain(digits):
    found = nw.PCA(1).fit(digits[:1])
    np.testing.assert_array_equal(found.reconstruct(digits[:1]), digits[:1])
    assert found.explained_variance_.tolist() == [0.0]


def test_a_trained_linear_autoencoder_reaches_its_error():
    X, _ = nw.load_data("digits", split="train")
    best = nw.PCA(8).fit(X)
    linear = nw.Autoencoder(
        {"kind": "mlp", "widths": []}, {"kind": "plain", "size": 8}, epochs=120, batch_size=200,
        optimiser={"kind": "adam", "rate": 0.03}, schedule="cosine",
    ).fit(X)  # fmt: skip
    assert -best.score(X) <= -linear.score(X) <= -1.02 * best.score(X)


def test_it_is_the_best_linear_map(digits):
    found = nw.PCA(8).fit(digits)
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(64, 8)))[0].T
    other = nw.PCA(8).fit(digits)
    other.components_ = axes
    assert found.score(digits) > other.score(digits)


def test_without_the_mean_it_is_worse(digits):
    with_mean, without = (nw.PCA(8, add_mean=add).fit(digits) for add in (True, False))
    assert with_mean.score(digits) > without.score(digits)
    flat = digits.reshape(-1, 64) / 255
    axes = without.components_
    by_hand = -((flat @ axes.T @ axes - flat) ** 2).sum(1)
    np.testing.assert_allclose(without.score_samples(digits), by_hand, rtol=1e-3)


def test_all_components_lose_nothing(digits, table):
    np.testing.assert_array_equal(nw.PCA().fit(digits).reconstruct(digits), digits)
    np.testing.assert_allclose(nw.PCA().fit(table).reconstruct(table), table, rtol=1e-3, atol=1e-3)


def test_what_the_components_leave_is_what_the_score_counts(digits):
    whole = nw.PCA().fit(digits)
    part = nw.PCA(8).fit(digits)
    left = whole.explained_variance_[8:].sum() * (len(digits) - 1) / len(digits)
    assert -part.score(digits) == pytest.approx(left, rel=1e-3)


@pytest.mark.parametrize("scale", ["unit", "symmetric"])
def test_the_scale_changes_no_reconstruction(digits, scale):
    np.testing.assert_allclose(
        nw.PCA(5, scale=scale).fit(digits).reconstruct(digits, exact=True),
        nw.PCA(5).fit(digits).reconstruct(digits, exact=True),
        atol=1e-4,
    )


def test_samples_are_of_the_spread_of_the_codes(pca, digits):
    codes = pca._sample_codes(4000, 0).numpy()
    np.testing.assert_allclose(codes.var(0), pca.explained_variance_, rtol=0.15)
    assert pca.sample(3).shape == (3, 8, 8)


@pytest.mark.parametrize("count", [0, 65, 2.0, "3"])
def test_wrong_counts_are_refused(digits, count):
    with pytest.raises(
        BuildError, match=r"n_components: got .*, expected an integer in 1..64 \(images, values"
    ):
        nw.PCA(count).fit(digits)


def test_two_faults_are_reported_at_once(digits):
    X = digits / 255
    X[0, 0, 0] = np.nan
    with pytest.raises(BuildError, match=r"NaN(.|\n)*n_components: got 0"):
        nw.PCA(0).fit(X)
