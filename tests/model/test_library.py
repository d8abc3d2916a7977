"""As a library: models among scikit-learn's, on whatever Python holds images in, and trained in parts."""

import copy
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch.utils.data import TensorDataset

import narrows as nw
from narrows.errors import ImageError
from small_models import CONSTANT, model, timeless, weights

FORMS = {
    "pictures": lambda X: [Image.fromarray(x) for x in X],
    "a tensor": torch.from_numpy,
    "a tensor with its channels first": lambda X: torch.from_numpy(X)[:, None],
    "a data set": lambda X: TensorDataset(torch.from_numpy(X), torch.arange(len(X))),
}


# -- forms in --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_model_takes_images_in_whatever_python_holds_them(form, ae, digits):
    given, codes = form(digits), ae.transform(digits)
    np.testing.assert_array_equal(ae.transform(given), codes)
    np.testing.assert_array_equal(ae.anomaly_score(given), ae.anomaly_score(digits))
    assert np.array_equal(ae.reconstruct(given).squeeze(), ae.reconstruct(digits))
    np.testing.assert_allclose(
        nw.PCA(8).fit(given).transform(given), nw.PCA(8).fit(digits).transform(digits)
    )


# -- among scikit-learn's --------------------------------------------------------------------------


@pytest.mark.filterwarnings(CONSTANT)
def test_a_search_over_a_pipeline_reaches_the_options_of_its_model(labelled):
    X, y = labelled
    steps = make_pipeline(model(epochs=6), LogisticRegression(max_iter=500))
    sizes = [{"kind": "plain", "size": size} for size in (1, 8)]
    search = GridSearchCV(steps, {"autoencoder__bottleneck": sizes}, cv=2).fit(X, y)
    assert search.best_params_["autoencoder__bottleneck"]["size"] == 8
    assert search.best_estimator_.predict(X).shape == y.shape


def test_a_pipeline_returns_data_frames_on_request(labelled):
    pytest.importorskip("pandas")
    X, y = labelled
    steps = (
        make_pipeline(nw.PCA(3), LogisticRegression(max_iter=500))
        .set_output(transform="pandas")
        .fit(X, y)
    )
    assert (
        list(steps[:-1].transform(X).columns)
        == list(steps[-1].feature_names_in_)
        == ["pca0", "pca1", "pca2"]
    )


@pytest.mark.parametrize("fitted", ["ae", "vae", "pca"])
@pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["copy", "pickle"]
)
def test_a_copy_and_a_pickle_give_the_same_results(request, fitted, again, digits):
    m = request.getfixturevalue(fitted)
    np.testing.assert_array_equal(again(m).transform(digits), m.transform(digits))
    assert not hasattr(clone(m), "code_size_")


# -- in parts --------------------------------------------------------------------------------------


@pytest.mark.filterwarnings(CONSTANT)
def test_partial_fits_of_all_images_train_as_one_fit(digits):
    whole, parts = model(epochs=3).fit(digits), model(epochs=3)
    for epoch in range(3):
        assert parts.partial_fit(digits) is parts
        assert parts.epochs_ == epoch + 1
    assert timeless(parts.history_) == timeless(whole.history_)
    np.testing.assert_array_equal(parts.transform(digits), whole.transform(digits))
    assert parts.threshold_ == whole.threshold_


@pytest.mark.filterwarnings(CONSTANT)
def test_parts_of_different_lengths_are_one_training(digits):
    m = model()
    for part in (digits[:50], digits[50:170], digits[170:]):
        m.partial_fit(part)
    assert [len(column) for column in m.history_.values()] == [3] * len(m.history_)
    assert len(m.steps_["loss"]) == 2 + 4 + 1
    assert m.reconstruct(digits).shape == digits.shape


@pytest.mark.filterwarnings(CONSTANT)
def test_a_model_that_was_fitted_or_read_resumes_from_its_weights(digits, tmp_path):
    first = model(epochs=5).fit(digits)
    again = nw.load(nw.save(first, tmp_path / "m.safetensors"))
    before = weights(first)
    for m in (first, again):
        m.partial_fit(digits)
        assert m.epochs_ == 6
        assert len(m.history_["loss"]) == 6
        assert m.history_["loss"][-1] < m.history_["loss"][0]
    assert all(torch.equal(a, b) for a, b in zip(weights(first).values(), weights(again).values()))
    assert any(not torch.equal(a, b) for a, b in zip(weights(first).values(), before.values()))


@pytest.mark.filterwarnings(CONSTANT)
def test_a_fit_begins_anew_and_a_copy_leaves_the_training_behind(digits):
    m = model(epochs=1).partial_fit(digits)
    assert copy.deepcopy(m)._training is None
    assert len(m.fit(digits).history_["loss"]) == 1
    assert len(m.partial_fit(digits).history_["loss"]) == 2


@pytest.mark.filterwarnings(CONSTANT)
def test_parts_that_do_not_fit_the_first_are_refused(digits):
    m = model().partial_fit(digits)
    with pytest.raises(ImageError, match="they are 7 x 8 pixels, the model was fitted on 8 x 8"):
        m.partial_fit(digits[:, 1:])
    with pytest.raises(ImageError, match=r"float images must lie in \[0, 1\]"):
        m.partial_fit(digits.astype(np.float32))
    assert m.epochs_ == 1
