"""What holds of every recipe, on grey images and on colour."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone

import narrows as nw
from narrows.errors import BuildError, NarrowsWarning
from narrows.model.recipes import RECIPES

SMALL = {"autoencoder": {"epochs": 1, "batch_size": 20}}
# bits, or as many as the image asks for
SIDE = {"lab-e6-unpool": 4992, "lab-e6-both": 4992, "denoiser-unet": None, "denoiser-photo": None}
# recipes that differ from another one in one option at most
TWINS = {
    *("lab-a-unclipped", "lab-c", "lab-e2-64", "lab-e2-128", "lab-e3-1e-5", "lab-e3-1e-4"),
    *("lab-e4-0.3", "lab-e4-0.5", "lab-e4-0.8", "lab-f-bernoulli"),
}
slow = pytest.mark.slow


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((name, kind), id=f"{name}-{kind}", marks=slow if name in TWINS else ())
        for name in RECIPES
        for kind in ("grey", "colour")
    ],
)
def case(request):
    """A recipe's name, its model fitted a little, and the images."""
    name, kind = request.param
    X = request.getfixturevalue(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NarrowsWarning)  # after one epoch much is constant
        return name, nw.recipe(name, **SMALL.get(RECIPES[name].estimator, {})).fit(X), X


def test_codes_have_the_size_that_is_reported(case):
    _, model, X = case
    codes = model.transform(X)
    assert (codes.shape, codes.dtype) == ((len(X), model.code_size_), np.float32)
    assert np.isfinite(codes).all()
    assert model.get_feature_names_out().shape == (model.code_size_,)


def test_reconstructions_have_the_form_of_the_images(case):
    _, model, X = case
    for images in (model.reconstruct(X), model.denoise(X)):
        assert (images.shape, images.dtype) == (X.shape, X.dtype)
    exact = model.reconstruct(X, exact=True)
    assert (exact.shape, exact.dtype) == (X.shape, np.float32)
    peak = 255 if X.dtype == np.uint8 else 1
    assert np.abs(exact.clip(0, 1) * peak - images).max() <= 0.51


def test_scores_are_one_finite_number_an_image_and_repeat(case):
    _, model, X = case
    for scores in (model.score_samples, model.anomaly_score):
        found = scores(X)
        assert (found.shape, found.dtype) == ((len(X),), np.float32)
        assert np.isfinite(found).all()
        np.testing.assert_array_equal(scores(X), found)
        np.testing.assert_allclose(scores(X[5:9]), found[5:9], rtol=1e-3, atol=1e-3)
    assert np.isfinite(model.threshold_)


def test_the_terms_of_the_loss_are_finite_and_add_up(case):
    _, model, _ = case
    if not isinstance(model, nw.Autoencoder):
        return
    history = {name: values for name, values in model.history_.items() if "seconds" not in name}
    assert all(len(values) == 1 and np.isfinite(values).all() for values in history.values())
    terms = [name for name in history if name != "loss" and not name.startswith("val_")]
    assert sum(history[name][0] for name in terms) == pytest.approx(history["loss"][0], rel=1e-5)


def test_every_parameter_gets_a_gradient(case):
    _, model, X = case
    if isinstance(model, nw.Autoencoder):
        assert not without_gradient(at_full_cost(model), X)


def at_full_cost(model):
    """The model without the warm-up of a cost, whose own parameters have no gradient at its start."""
    bottleneck = model.bottleneck
    if not (isinstance(bottleneck, dict) and "warmup" in bottleneck):
        return clone(model)
    return clone(model).set_params(bottleneck={**bottleneck, "warmup": 0})


def without_gradient(model, X):
    """The parameters that the first step does not move."""
    training = model._prepare(X)
    training.network.train()
    training.step(0, torch.arange(20))
    return [
        name
        for name, p in training.network.named_parameters()
        if p.grad is None or not p.grad.any()
    ]


def test_samples_are_images_or_are_refused_with_the_cure(case):
    name, model, X = case
    assert (model.side_bits_ > 0) == (name in SIDE)
    if model.side_bits_:
        bits = SIDE[name] or model.side_bits_
        with pytest.raises(
            BuildError, match=f"{bits} bits of switches or skips .*; use up='resize' or 'deconv'"
        ):
            model.sample(2)
        return
    images = model.sample(3)
    assert (images.shape, images.dtype) == ((3, *X.shape[1:]), X.dtype)
    np.testing.assert_array_equal(images, model.sample(3))


def test_a_model_that_was_read_gives_the_same_results_exactly(case, tmp_path):
    _, model, X = case
    again = nw.load(nw.save(model, tmp_path / "m.safetensors"))
    for use in ("transform", "reconstruct", "score_samples"):
        np.testing.assert_array_equal(getattr(again, use)(X), getattr(model, use)(X))


def test_it_is_a_well_behaved_estimator(case):
    _, model, X = case
    again = clone(model)
    assert again.get_params() == model.get_params()
    assert eval(repr(again), {type(model).__name__: type(model)}).get_params() == model.get_params()
    assert (model.n_features_in_, model.image_shape_) == (np.prod(X.shape[1:]), X.shape[1:])
    assert model.n_parameters_ > model.code_size_
