"""Scores of training images by components of the others: what refitting gives, without refitting."""

import numpy as np
import pytest
import torch

import narrows as nw
from narrows.image_batches import ImageBatches
from narrows.model.estimator import components, folds
from narrows.model.estimator.folds import cross_scores

COUNTS = np.random.default_rng(0).integers(0, 4, 200)


def places_in_folds(count, share=0.2, seed=0):
    """The folds of `count` images, by their places."""
    images = ImageBatches.__new__(ImageBatches)
    images.weights = None
    images.raw, images.rows = torch.zeros(count), None
    return [f.numpy() for f in folds._folds(folds._in_random_order(images, seed), share, 64)]


def refitted(X, size, **options):
    """The scores of each fold by components fitted to the others, in ascending order."""
    found: dict[str, list] = {"error": [], "patch": [], "code": []}
    for fold in places_in_folds(len(X)):
        weight = options.get("sample_weight")
        others = {} if weight is None else {"sample_weight": np.delete(weight, fold)}
        m = nw.PCA(size, calibration=0).fit(np.delete(X, fold, axis=0), **others)
        for kind, scores in found.items():
            scores.append(m.anomaly_score(X[fold], kind))
    return {kind: np.sort(np.concatenate(scores)) for kind, scores in found.items()}


@pytest.mark.parametrize("way", ["covariance", "singular vectors", "few images"])
def test_folds_of_components_by_moments_are_those_of_a_fit_to_the_others(digits, way, monkeypatch):
    X = digits[:50] if way == "few images" else digits  # fewer than values in an image
    if way == "singular vectors":
        monkeypatch.setattr(components, "WIDEST_COVARIANCE", 10)
    found = nw.PCA(8).fit(X).calibration_
    assert (found.source, found.count) == ("folds", len(X))
    for kind, scores in refitted(X, 8).items():
        np.testing.assert_allclose(found.scores[kind].values, scores, rtol=2e-3, err_msg=kind)


def test_folds_of_weighted_images_are_those_of_a_weighted_fit(digits):
    weight = np.random.default_rng(1).uniform(0.5, 2, len(digits))
    found = nw.PCA(8).fit(digits, sample_weight=weight).calibration_
    for kind, scores in refitted(digits, 8, sample_weight=weight).items():
        np.testing.assert_allclose(found.scores[kind].values, scores, rtol=2e-3, err_msg=kind)


def test_images_of_weight_0_are_in_no_fold(digits):
    weighted = nw.PCA(8).fit(digits, sample_weight=COUNTS > 0)
    without = nw.PCA(8).fit(digits[COUNTS > 0])
    assert weighted.calibration_.count == (COUNTS > 0).sum()
    assert weighted.thresholds_ == pytest.approx(without.thresholds_, rel=1e-3)


def test_each_image_is_in_one_fold():
    for count, share, number in ((200, 0.2, 5), (7, 0.2, 5), (3, 0.2, 3), (60, 0.1, 10)):
        found = places_in_folds(count, share)
        assert len(found) == number
        assert sorted(np.concatenate(found)) == list(range(count))


def test_of_many_images_one_fold_is_scored(digits, monkeypatch):
    monkeypatch.setattr(folds, "MOST_IMAGES", 50)
    assert nw.PCA(4).fit(digits).calibration_.count == 40
    assert nw.PCA(4, calibration=0.5).fit(digits).calibration_.count == 50
    monkeypatch.setattr(folds, "WIDEST", 10)
    assert nw.PCA(4).fit(digits[:40]).calibration_.count == 8


def test_folds_leave_the_components_as_they_are(digits):
    one, two = nw.PCA(8).fit(digits), nw.PCA(8, calibration=0).fit(digits)
    np.testing.assert_array_equal(one.components_, two.components_)
    np.testing.assert_array_equal(
        one.anomaly_score(digits, "code"), two.anomaly_score(digits, "code")
    )


def test_an_image_alone_has_no_fold():
    images = ImageBatches.__new__(ImageBatches)
    images.weights, images.raw, images.rows = None, torch.zeros(1), None
    model: object = type("Model", (), {"seed_": 0})()
    assert cross_scores(model, images, None, 0.2) is None  # type: ignore[arg-type]
