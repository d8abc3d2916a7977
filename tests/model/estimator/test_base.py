"""The face that every model has: forms in and out, scores, refusals, and its place among
scikit-learn's.
"""

import importlib.util
import warnings

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

import narrows as nw
from narrows.errors import BuildError, ImageError, NarrowsError

CONSTANT = "ignore:the model predicts a constant"  # as it does where hardly anything was learnt
MODELS = ["ae", "vae", "pca"]


@pytest.fixture(params=MODELS)
def model(request):
    return request.getfixturevalue(request.param)


# -- scikit-learn ----------------------------------------------------------------------------------


DRAWN = (
    "its batches and its first weights are drawn by place, so that images twice are other batches"
)
ROUNDED = "codes are float32 and agree to 1e-5, where the check asks for 1e-7; see test_weights.py"
WEIGHTS = "check_sample_weight_equivalence_on_dense_data"


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (nw.Autoencoder(epochs=2), DRAWN),
        pytest.param(
            nw.Autoencoder(bottleneck="variational", epochs=2), DRAWN, marks=pytest.mark.slow
        ),
        (nw.PCA(), ROUNDED),
    ],
    ids=["plain", "variational", "pca"],
)
def test_scikit_learns_own_checks_pass(model, why):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(model, expected_failed_checks={WEIGHTS: why}, on_fail=None)
    assert len(results) > 40
    others = {r["check_name"]: r["status"] for r in results if r["status"] != "passed"}
    optional = {"check_array_api_input": "skipped", "check_sample_weights_pandas_series": "skipped"}
    assert others.items() <= {**optional, WEIGHTS: "xfail"}.items()


def test_clone_params_and_repr(model):
    again = clone(model)
    assert not hasattr(again, "code_size_")
    assert again.get_params() == model.get_params()
    assert eval(repr(again), vars(nw)).get_params() == model.get_params()


def test_a_model_is_a_step_of_a_pipeline(labelled):
    X, y = labelled
    encoder = nw.Autoencoder(bottleneck={"kind": "plain", "size": 8}, epochs=15, batch_size=32)
    steps = make_pipeline(encoder, LogisticRegression(max_iter=1000)).fit(X, y)
    assert steps.score(X, y) > 0.7


@pytest.mark.filterwarnings(CONSTANT)
def test_a_grid_search_finds_the_wider_code(digits):
    sizes = [{"kind": "plain", "size": k} for k in (1, 16)]
    search = GridSearchCV(
        nw.Autoencoder(epochs=25, batch_size=20), {"bottleneck": sizes}, cv=2
    ).fit(digits)
    assert search.best_params_["bottleneck"]["size"] == 16
    assert len(search.cv_results_["params"]) == 2


def test_codes_have_names(model):
    name = type(model).__name__.lower()
    assert model.get_feature_names_out().tolist() == [f"{name}{k}" for k in range(model.code_size_)]


@pytest.mark.skipif(not importlib.util.find_spec("pandas"), reason="pandas is not installed")
def test_codes_may_be_a_data_frame(digits):
    frame = nw.PCA(3).set_output(transform="pandas").fit_transform(digits)
    assert list(frame.columns) == ["pca0", "pca1", "pca2"]


# -- forms in and out ------------------------------------------------------------------------------

FORMS = {
    "uint8": lambda X: X,
    "uint16": lambda X: X.astype(np.uint16) * 257,
    "float32": lambda X: (X / 255).astype(np.float32),
    "float64": lambda X: X / 255,
    "flat uint8": lambda X: X.reshape(len(X), -1),
    "flat float": lambda X: X.reshape(len(X), -1) / 255,
    "one channel": lambda X: X[..., None],
    "backwards": lambda X: X[:, ::-1, ::-1].copy()[:, ::-1, ::-1],
    "read-only": lambda X: np.frombuffer(X.tobytes(), np.uint8).reshape(X.shape),
    "a list": lambda X: list(X),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_the_form_of_the_images_changes_no_result(model, digits, form):
    X = digits[:20]
    np.testing.assert_allclose(model.transform(form(X)), model.transform(X), atol=1e-5)
    np.testing.assert_allclose(model.anomaly_score(form(X)), model.anomaly_score(X), rtol=1e-4)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "bool", "float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (6, 5, 3), (6, 5, 4), (30,)], ids=str)
@pytest.mark.filterwarnings(CONSTANT)
def test_images_come_back_in_the_shape_range_and_type_that_they_came_in(dtype, shape):
    unit = np.random.default_rng(0).uniform(size=(12, *shape))
    peak = {"uint8": 255, "uint16": 65535}.get(dtype, 1)
    X = (unit.round() if dtype == "bool" else unit * peak).astype(dtype)
    image_shape = (6, 5) if len(shape) == 1 else None
    model = nw.Autoencoder(epochs=1, image_shape=image_shape).fit(X)
    assert model.image_shape_ == (image_shape or shape)
    assert model.n_features_in_ == np.prod(shape)
    codes = model.transform(X)
    assert (codes.shape, codes.dtype) == ((12, 32), np.float32)
    for images in (model.reconstruct(X), model.inverse_transform(codes), model.sample(12)):
        assert (images.shape, images.dtype) == (X.shape, X.dtype)
        assert images.min() >= 0
        assert images.max() <= peak
    exact = model.reconstruct(X, exact=True)
    assert np.abs(exact.clip(0, 1) * peak - model.reconstruct(X)).max() <= (
        0.51 if dtype != "float16" else 1e-3
    )


def test_a_table_comes_back_in_its_own_units(table):
    found = nw.PCA().fit(table)
    assert found.scale_.name == "standard"
    np.testing.assert_allclose(
        found.inverse_transform(found.transform(table)), table, rtol=1e-3, atol=1e-3
    )
    np.testing.assert_allclose(found.transform(table).mean(0), 0, atol=1e-4)


def test_a_way_down_and_up_is_the_reconstruction(model, digits):
    np.testing.assert_array_equal(
        model.inverse_transform(model.transform(digits)), model.reconstruct(digits)
    )
    np.testing.assert_array_equal(model.denoise(digits), model.reconstruct(digits))


def test_results_do_not_depend_on_the_batch(model, digits):
    whole = model.transform(digits)
    np.testing.assert_allclose(
        np.concatenate([model.transform(digits[k : k + 7]) for k in range(0, 200, 7)]),
        whole,
        atol=1e-4,
    )


# -- scores ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ae", "pca", "pooled"])
@pytest.mark.parametrize("scale", ["unit", "symmetric", "standard"])
@pytest.mark.filterwarnings(CONSTANT)
def test_a_score_is_minus_the_squared_error_of_the_image_on_0_to_1(request, digits, name, scale):
    m = clone(request.getfixturevalue(name)).set_params(scale=scale).fit(digits)
    error = ((m.reconstruct(digits, exact=True) - digits / 255) ** 2).sum((1, 2))
    np.testing.assert_allclose(m.score_samples(digits), -error, rtol=1e-3)
    np.testing.assert_allclose(m.anomaly_score(digits, "error"), error, rtol=1e-3)
    assert m.score(digits) == pytest.approx(-error.mean(), rel=1e-3)


def test_of_a_table_it_is_on_the_working_scale(table):
    m = nw.PCA(2).fit(table)
    error = ((m.reconstruct(table) - table) / table.std(0)) ** 2
    np.testing.assert_allclose(m.anomaly_score(table), error.sum(1), rtol=1e-3, atol=1e-5)


def test_scores_repeat(model, digits):
    np.testing.assert_array_equal(model.anomaly_score(digits), model.anomaly_score(digits))
    np.testing.assert_array_equal(model.score_samples(digits), model.score_samples(digits))
    assert model.score(digits) == pytest.approx(model.score_samples(digits).mean(), rel=1e-5)


def test_noise_is_odder_than_digits(model, digits):
    noise = np.random.default_rng(0).integers(0, 256, digits.shape, np.uint8)
    scores = model.anomaly_score(digits)
    assert np.median(model.anomaly_score(noise)) > scores.max()


# -- samples ---------------------------------------------------------------------------------------


def test_samples_repeat_by_seed_and_are_images(model, digits):
    one = model.sample(9, random_state=3)
    assert (one.shape, one.dtype) == ((9, 8, 8), np.uint8)
    np.testing.assert_array_equal(one, model.sample(9, random_state=3))
    assert (one != model.sample(9, random_state=4)).any()
    assert one.std(0).mean() > 5
    assert np.abs(model.sample(500).mean(0) - digits.mean(0)).mean() < 30


# -- refusals --------------------------------------------------------------------------------------


def broken(digits, value):
    X = (digits / 255).astype(np.float32)
    X[5, 2, 3] = value
    return X


BAD = {
    "NaN": (lambda X: broken(X, np.nan), r"NaN or infinity: 1 \(the first in image 5\)"),
    "infinity": (lambda X: broken(X, -np.inf), "NaN or infinity"),
    "0..255": (
        lambda X: X.astype(np.float32),
        r"must lie in \[0, 1\], these run from 0 to 255; divide by 255, or",
    ),
    "negative": (lambda X: X / 255 - 0.5, "from -0.5 to 0.5; scale them"),
    "empty": (lambda X: X[:0], r"the set is empty: its shape is \(0, 8, 8\)"),
    "mixed": (lambda X: [X[0], X[1], X[2, :5]], r"of 2 different shapes: 8x8 \(2\), 5x8 \(1\)"),
    "one image": (lambda X: X[0, 0], r"single image x goes in as x\[None\]|2D array|1D array"),
    "five channels": (lambda X: np.zeros((3, 4, 4, 5), np.uint8), "got 5 channels"),
    "integers": (lambda X: X.astype(np.int32), r"of type int32; known: .*X.astype\('uint8'\)"),
    "words": (lambda X: np.array([["a", "b"]]), "a|words|string"),
    "sparse": (lambda X: scipy.sparse.csr_array(X.reshape(len(X), -1) / 255.0), "[Ss]parse"),
    "nothing": (lambda X: None, "None|objects|type object"),
}


@pytest.mark.parametrize(("make", "reason"), BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize(
    "estimator", [nw.Autoencoder(epochs=1), nw.PCA(2)], ids=["autoencoder", "pca"]
)
def test_what_is_no_set_of_images_is_refused(digits, estimator, make, reason):
    with pytest.raises(ImageError, match=reason):
        clone(estimator).fit(make(digits))


def test_two_faults_of_a_set_are_reported_at_once(digits):
    X = broken(digits, np.nan) * 2
    with pytest.raises(ImageError, match=r"for 2 reasons(.|\n)*NaN(.|\n)*from 0 to 2"):
        nw.PCA(2).fit(X)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((3, 9, 8), "9 x 8 pixels, the model was fitted on 8 x 8"),
        ((3, 8, 8, 3), "3 channels, the model was fitted on 1"),
        ((3, 9, 9, 3), "for 2 reasons"),
        ((3, 63), "63 features"),
        ((0, 8, 8), "empty"),
    ],
)
def test_images_unlike_those_fitted_on_are_refused(model, shape, reason):
    for use in (model.transform, model.reconstruct, model.score_samples, model.anomaly_score):
        with pytest.raises(ImageError, match=reason):
            use(np.zeros(shape, np.uint8))


def test_only_fitting_asks_for_a_range(model, digits):
    noisy = digits / 255 + np.random.default_rng(0).normal(size=digits.shape)
    assert model.denoise(noisy).shape == digits.shape
    assert model.denoise(noisy).max() <= 1
    with pytest.raises(ImageError, match="NaN or infinity"):
        model.denoise(broken(digits, np.nan))


@pytest.mark.parametrize("estimator", [nw.Autoencoder(), nw.PCA()], ids=["autoencoder", "pca"])
@pytest.mark.parametrize(
    "verb", ["transform", "reconstruct", "denoise", "score_samples", "anomaly_score", "score"]
)
def test_an_unfitted_model_says_so(estimator, verb, digits):
    with pytest.raises(NotFittedError, match="not fitted yet; call fit") as told:
        getattr(clone(estimator), verb)(digits)
    assert isinstance(told.value, NarrowsError)
    for use in (lambda m: m.sample(), lambda m: m.inverse_transform(np.zeros((1, 2)))):
        with pytest.raises(NotFittedError):
            use(clone(estimator))


@pytest.mark.parametrize(
    ("codes", "kind", "reason"),
    [
        (np.zeros((2, 9)), BuildError, r"codes: got \(2, 9\), expected an array \(N, 8\)"),
        (np.zeros(8), BuildError, r"codes: got \(8,\)"),
        (np.full((1, 8), np.nan), BuildError, "NaN or infinity"),
        ([["a"] * 8], ImageError, "no array of numbers"),
    ],
)
def test_wrong_codes_are_refused(ae, codes, kind, reason):
    with pytest.raises(kind, match=reason):
        ae.inverse_transform(codes)


@pytest.mark.parametrize("number", [0, -1, 2.5, "3", None])
def test_numbers_of_samples_must_be_integers(model, digits, number):
    with pytest.raises(BuildError, match=r"count: got .*, expected an integer ≥ 1"):
        model.sample(number)
    with pytest.raises(BuildError, match=r"samples: got .*, expected an integer ≥ 1"):
        model.score_samples(digits, samples=number)


def test_a_side_channel_refuses_what_follows_from_the_code_alone(pooled, digits):
    reason = r"640 bits .*use up='resize' or 'deconv'".replace("640", str(pooled.side_bits_))
    codes = pooled.transform(digits[:2])
    for use in (
        lambda: pooled.sample(),
        lambda: pooled.inverse_transform(codes),
        lambda: nw.interpolate(pooled, digits[0], digits[1]),
        lambda: nw.perturb(pooled, digits[:2]),
    ):
        with pytest.raises(BuildError, match=reason):
            use()
    assert pooled.reconstruct(digits).shape == digits.shape


@pytest.mark.parametrize("verb", ["transform", "reconstruct", "denoise"])
def test_results_are_written_to_out(ae, digits, verb, tmp_path):
    wanted = getattr(ae, verb)(digits)
    out = np.lib.format.open_memmap(tmp_path / "out.npy", "w+", wanted.dtype, wanted.shape)
    assert getattr(ae, verb)(digits, out=out) is out
    np.testing.assert_array_equal(out, wanted)
    for wrong in (np.empty((3, 3), wanted.dtype), np.empty(wanted.shape, "int32")):
        with pytest.raises(BuildError, match=r"out: got '.* of shape .*', expected .* of shape"):
            getattr(ae, verb)(digits, out=wrong)
