"""Models whose scale each image sets: what they say of x, they say of a x + b, and images come
back on the scale of the image that was given.
"""

import numpy as np
import pytest
import torch

import narrows as nw
from narrows.errors import NarrowsError
from narrows.image_batches import ImageBatches
from narrows.image_inputs import as_images
from narrows.measure import psnr
from narrows.model.build import build
from narrows.model.estimator.prepare import part_specs
from narrows.model.files.onnx import export
from narrows.model.training.checkpoint import Checkpoint
from narrows.model.training.pairs import training_batch
from narrows.model.use.baselines import compare_denoisers
from narrows.model.use.evaluate import evaluate, image_rows
from narrows.model.use.latent import interpolate, perturb
from narrows.model.use.tiles import error_map, process_tiled, worst_tile_score
from narrows.parts.corruption import GaussianNoise
from narrows.randomness import KeyedRandom
from narrows.scale import FIXED_SCALES, MOMENTS, choose_scale
from small_images import random_images
from small_models import CONSTANT, UNCALIBRATED, model, same, weights

pytestmark = pytest.mark.filterwarnings(
    CONSTANT, UNCALIBRATED
)  # three epochs do not make a good model

SCALES = tuple(MOMENTS)
CONV = {"kind": "conv", "channels": [4, 8]}
MODELS = {
    "pca": lambda scale: nw.PCA(8, scale=scale),
    "mlp": lambda scale: model(scale=scale),
    "variational": lambda scale: model(scale=scale, bottleneck={"kind": "variational", "size": 4}),
    "conv": lambda scale: model(scale=scale, body=CONV),
    "denoiser": lambda scale: model(scale=scale, corruption={"kind": "gaussian", "sigma": 0.3}),
}
CASES = [(name, scale) for name in MODELS for scale in SCALES]
LIGHT = [(0.5, 0.4), (0.4, 0.0), (0.9, 0.1)]  # a, b
CLOSE = {"rtol": 2e-3, "atol": 2e-4}  # float32 of a contrast of 0.4


def lit(X, a, b):
    """The same under another light."""
    return (a * X + b).astype(np.float32)


@pytest.fixture(scope="session")
def some(digits):
    """Digits on paper whose grain is above the floor of the deviation, each in light of its own."""
    random = np.random.default_rng(0)
    grain = random.random(digits.shape)
    gain = random.uniform(0.5, 0.8, (len(digits), 1, 1))
    return lit((digits / digits.max() + grain) / 2, gain, random.uniform(0, 0.2, gain.shape))


@pytest.fixture(scope="session")
def fitted(some):
    return {(name, scale): MODELS[name](scale).fit(some) for name, scale in CASES}


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize(("a", "b"), LIGHT)
def test_score_code_and_flag_do_not_depend_on_light(fitted, some, case, a, b):
    ae, X = fitted[case], some[:50]
    under = lit(X, a, b)
    np.testing.assert_allclose(ae.transform(under), ae.transform(X), **CLOSE)
    for kind in ae.thresholds_:
        scores = ae.anomaly_score(X, kind)
        np.testing.assert_allclose(ae.anomaly_score(under, kind), scores, **CLOSE)
        far = abs(scores / ae.thresholds_[kind] - 1) > 0.01
        np.testing.assert_array_equal(ae.flag(under, kind)[far], ae.flag(X, kind)[far])
    np.testing.assert_allclose(ae.error_map(under), ae.error_map(X), **CLOSE)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize(("a", "b"), LIGHT)
def test_a_reconstruction_has_the_light_of_its_image(fitted, some, case, a, b):
    ae, X = fitted[case], some[:50]
    found = ae.reconstruct(lit(X, a, b), exact=True)
    np.testing.assert_allclose(found, lit(ae.reconstruct(X, exact=True), a, b), atol=1e-4)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_model_that_changes_nothing_hands_back_what_it_got(dtype, scale):
    X = random_images(dtype, 9, 8, 8, 2)
    identity = nw.PCA(2, scale=scale).fit(X)
    identity._reconstruct = lambda x: x
    back = identity.reconstruct(X)
    assert back.dtype == X.dtype
    np.testing.assert_allclose(back, X, rtol=0, atol=1e-6 if dtype == "float32" else 0)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_constant_images_are_finite_nowhere_nan(fitted, case):
    flat = np.stack([np.full((8, 8), value, np.float32) for value in (0, 0.3, 1)])
    ae = fitted[case]
    codes, images = ae.transform(flat), ae.reconstruct(flat, exact=True)
    np.testing.assert_array_equal(codes, codes[:1].repeat(3, 0))
    np.testing.assert_allclose(images - flat, (images - flat)[:1].repeat(3, 0), atol=1e-6)
    assert abs(images - flat).max() < 0.1  # a few times the floor of the deviation
    for kind in ae.thresholds_:
        assert np.isfinite(ae.anomaly_score(flat, kind)).all()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_file_gives_the_same_model_to_the_last_bit(fitted, some, case, tmp_path):
    ae = fitted[case]
    read = nw.load(nw.save(ae, tmp_path / "m.safetensors"))
    assert read.scale_.name == case[1]
    for verb in ("transform", "reconstruct", "anomaly_score", "flag", "error_map"):
        np.testing.assert_array_equal(getattr(read, verb)(some), getattr(ae, verb)(some))
    np.testing.assert_array_equal(read.sample(5), ae.sample(5))


@pytest.mark.parametrize(
    "case",
    [
        ("pca", "each"),
        pytest.param(("conv", "each"), marks=pytest.mark.slow),  # which is exported in 2 seconds
        pytest.param(("variational", "local"), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_onnx_normalises_each_image_inside(fitted, some, case, tmp_path):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    ae, X = fitted[case], lit(some[:9], 0.5, 0.2)
    expected = {
        "reconstruction": ae.reconstruct(X, exact=True),
        "code": ae.transform(X),
        "score": ae.anomaly_score(X),
    }
    session = runtime.InferenceSession(str(export(ae, tmp_path / "m.onnx")))
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(None, {"images": X})))
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("scale", SCALES)
def test_images_of_codes_alone_have_typical_light(fitted, some, scale):
    images = fitted["pca", scale].sample(50)
    assert images.mean() == pytest.approx(some.mean(), rel=0.1)
    middle = fitted["pca", scale].inverse_transform(np.zeros((1, 8), np.float32))
    assert middle.mean() == pytest.approx(some.mean(), rel=0.1)
    assert perturb(fitted["pca", scale], some[:3], [0, 1]).shape == (2, 3, 8, 8)
    assert interpolate(fitted["pca", scale], *some[:2], 3).shape == (3, 8, 8)


@pytest.mark.parametrize("scale", SCALES)
def test_a_defect_is_as_anomalous_at_low_contrast(some, scale):
    """On [0, 1] its error would be smaller than that of a normal image of high contrast."""
    pca = nw.PCA(16, scale=scale).fit(some)
    defect = some[:40].copy()
    defect[:, 2:6, 2:6] = defect[:, 2:6, 2:6][:, ::-1, ::-1]
    low = lit(defect, 0.4, 0.5)
    np.testing.assert_allclose(pca.anomaly_score(low), pca.anomaly_score(defect), rtol=0.01)
    assert np.median(pca.anomaly_score(low)) > np.median(pca.anomaly_score(some))


# -- denoising -----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def noisy(some):
    noise = np.random.default_rng(1).normal(0, 0.05, some.shape)
    return lit(some + noise, 0.7, 0.1)


@pytest.mark.parametrize("scale", SCALES)
def test_a_model_of_pairs_learns_what_denoise_can_do(digits, scale):
    """The clean image is on the noisy image's scale, so that light which noise has changed comes
    back.
    """
    clean = (digits / digits.max()).astype(np.float32)
    noisy = lit(clean + np.random.default_rng(1).normal(0, 0.1, clean.shape), 0.4, 0.4)
    options = {"corruption": "pairs", "validation": 0.2, "training": {"measures": ["mse"]}}
    fast = {"epochs": 30, "optimiser": {"kind": "adam", "lr": 0.01}}
    ae = model(scale=scale, **options, **fast).fit(clean, noisy=noisy)
    held = ae.validation_index_
    found = ae.denoise(noisy[held], exact=True)
    assert ae.history_["val_mse"][-1] == pytest.approx(np.square(found - clean[held]).mean(), 1e-4)
    assert np.square(found - clean[held]).mean() < 0.5 * np.square(noisy[held] - clean[held]).mean()


@pytest.mark.parametrize("scale", SCALES)
def test_drawn_noise_is_trained_on_as_denoise_will_see_it(some, scale):
    """x̃ is drawn on the scale of x; both then are on that of x̃."""
    array, layout = as_images(some)
    images = ImageBatches(array, layout, choose_scale(scale, array, layout))
    random, index = KeyedRandom(0), torch.arange(9)
    x, of_both = training_batch(images, index, GaussianNoise(None, sigma=1.0), random)
    noisy = of_both.unit(random.noisy)
    torch.testing.assert_close(of_both.work(noisy), images.scale.of(noisy).work(noisy))
    np.testing.assert_allclose(of_both.unit(x)[:, 0], some[:9], atol=1e-6)
    clean, of_clean = images.scaled_batch(index)
    drawn = of_clean.work(noisy) - clean
    assert float(drawn.std()) == pytest.approx(1, rel=0.1)
    assert torch.equal(model_input(x, random), random.noisy)


def model_input(x, random):
    """What the body of a network is given."""
    network = build(part_specs(model(corruption="gaussian")), (1, 8, 8), FIXED_SCALES["unit"], 0)
    return network(x, random).corrupted


@pytest.mark.parametrize("scale", SCALES)
def test_hidden_pixels_and_other_corruptions_train(some, scale):
    for corruption in ("masking", {"kind": "masking", "only_hidden": True}, "none"):
        history = model(scale=scale, corruption=corruption, validation=0.2).fit(some).history_
        assert np.isfinite(history["val_loss"]).all()
        assert history["loss"][-1] < history["loss"][0]


@pytest.mark.parametrize("scale", SCALES)
def test_evaluate_measures_what_denoise_gives(fitted, some, noisy, scale):
    ae = fitted["denoiser", scale]
    found = evaluate(ae, some, noisy)
    denoised = psnr(some, ae.denoise(noisy, exact=True), 1.0).mean()
    assert found["denoised_psnr"] == pytest.approx(denoised, rel=1e-4)
    assert found["noisy_psnr"] == pytest.approx(psnr(some, noisy, 1.0).mean(), rel=1e-4)
    assert found["psnr"] == pytest.approx(
        psnr(some, ae.reconstruct(some, exact=True), 1.0).mean(), rel=1e-4
    )
    assert found["signal_power"] == pytest.approx(np.square(some).mean(), rel=1e-4)


@pytest.mark.parametrize("scale", SCALES)
def test_evaluate_and_the_baselines_draw_the_same_noise(fitted, some, scale):
    ae = fitted["denoiser", scale]
    found = evaluate(ae, some[:40])
    rows = {row["denoiser"]: row for row in compare_denoisers(ae, some[:40], baselines=["median"])}
    assert rows["noisy"]["psnr"] == pytest.approx(found["noisy_psnr"], rel=1e-4)
    assert rows["this model"]["psnr"] == pytest.approx(found["denoised_psnr"], rel=1e-3)
    figures = image_rows(ae, some[:4])
    np.testing.assert_allclose(figures["original"], some[:4], atol=1e-6)
    assert set(figures) == {"original", "noisy", "denoised"}


@pytest.mark.parametrize("scale", SCALES)
def test_baselines_measure_pairs_on_the_scale_of_each(fitted, some, noisy, scale):
    rows = compare_denoisers(fitted["pca", scale], some, noisy=noisy, baselines=["median"])
    assert rows[0]["psnr"] == pytest.approx(psnr(some, noisy, 1.0).mean(), rel=1e-4)


@pytest.mark.parametrize("scale", SCALES)
def test_the_score_field_needs_one_scale_and_paths_do_not(fitted, some, scale):
    ae = fitted["denoiser", scale]
    with pytest.raises(NarrowsError, match=f"score_field.*scale '{scale}'.*one scale for all"):
        ae.score_field(some[:3])
    path = ae.project(some[:3], steps=2)
    np.testing.assert_allclose(path[0], some[:3], atol=1e-6)
    np.testing.assert_allclose(path[1], ae.reconstruct(some[:3], exact=True), atol=1e-5)


# -- pictures of other sizes ---------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=str)
def test_larger_pictures_are_tiles_each_on_its_own_scale(fitted, some, case):
    ae = fitted[case]
    np.testing.assert_allclose(error_map(ae, some[:3]), ae.error_map(some[:3]), rtol=1e-4)
    large = np.tile(some[:3], (1, 2, 3))
    under = lit(large, 0.5, 0.3)
    np.testing.assert_allclose(error_map(ae, under), error_map(ae, large), **CLOSE)
    np.testing.assert_allclose(worst_tile_score(ae, under), worst_tile_score(ae, large), **CLOSE)
    back = process_tiled(ae, under, "reconstruct")
    np.testing.assert_allclose(
        back, lit(process_tiled(ae, large, "reconstruct"), 0.5, 0.3), atol=5e-3
    )


@pytest.mark.parametrize("scale", SCALES)
def test_the_error_map_of_other_channels_is_that_of_a_channel_each(colour, scale):
    grey = colour[..., :1].repeat(3, axis=-1)
    pca = nw.PCA(4, scale=scale).fit(grey)
    expected = pca.error_map(grey[:4]) / 3
    np.testing.assert_allclose(error_map(pca, grey[:4, ..., 0]), expected, rtol=1e-3, atol=1e-6)
    of_grey = nw.PCA(4, scale=scale).fit(colour[..., 0])
    channels = [of_grey.error_map(colour[:4, ..., c]) for c in range(3)]
    np.testing.assert_allclose(error_map(of_grey, colour[:4]), sum(channels), rtol=1e-3, atol=1e-6)


# -- fitting -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", SCALES)
def test_an_interrupted_training_resumes(some, scale, tmp_path):
    options = {"scale": scale, "epochs": 4}
    path = tmp_path / "checkpoint.safetensors"
    fit = model(**options).fit_epochs(some, checkpoint=Checkpoint(path))
    next(fit), next(fit)
    fit.close()
    resumed = model(**options).fit(some, checkpoint=Checkpoint(path, resume=True))
    straight = model(**options).fit(some)
    assert same(weights(resumed), weights(straight))
    np.testing.assert_array_equal(resumed.sample(3), straight.sample(3))


@pytest.mark.parametrize("scale", SCALES)
def test_partial_fit_keeps_the_scale(some, scale):
    ae = model(scale=scale)
    for part in np.split(some, 4):
        ae.partial_fit(part)
    assert ae.scale_.name == scale
    np.testing.assert_allclose(
        ae.transform(lit(some[:9], 0.5, 0.3)), ae.transform(some[:9]), **CLOSE
    )


@pytest.mark.parametrize("scale", SCALES)
def test_images_of_weight_0_have_no_share_in_the_typical_light(some, scale):
    weights = np.arange(len(some)) % 2
    weighted = nw.PCA(4, scale=scale).fit(some, sample_weight=weights)
    alone = nw.PCA(4, scale=scale).fit(some[weights > 0])
    assert np.array_equal(weighted.scale_.offset, alone.scale_.offset)
    assert np.array_equal(weighted.scale_.gain, alone.scale_.gain)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"likelihood": "bernoulli"}, "'unit'"),
        ({"likelihood": {"kind": "gaussian", "output": "sigmoid"}}, "reaches all of the working"),
        ({"corruption": "salt-and-pepper"}, "scale 'unit' or 'symmetric'"),
    ],
    ids=str,
)
def test_what_needs_a_range_is_refused(some, scale, options, words):
    with pytest.raises(NarrowsError, match=words):
        model(scale=scale, **options).fit(some)


@pytest.mark.parametrize("scale", SCALES)
def test_a_table_is_refused_before_anything_is_trained(scale):
    with pytest.raises(NarrowsError, match="image_shape"):
        model(scale=scale).fit(np.random.default_rng(0).normal(size=(40, 16)))
