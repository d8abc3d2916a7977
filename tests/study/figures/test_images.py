"""Images beside what models make of them, and errors under them: those that direct computation gives."""

import numpy as np
import pytest

import narrows as nw
from narrows.errors import BuildError
from narrows.model.use.evaluate import image_rows


@pytest.fixture(scope="session")
def clean(sets) -> np.ndarray:
    """The grey test images as floats."""
    return sets["grey"].test.images.astype(np.float32) / 255


def squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return ((a.astype(np.float64) - b) ** 2).sum((1, 2))


def values_of(texts: list[str]) -> list[float]:
    return [float(text.removesuffix(" dB")) for text in texts]


def test_inputs_are_what_the_model_sees_in_training(models, sets, picture):
    plain, noisy = picture("inputs", "grey-3", "grey-2", images={"count": 4})
    np.testing.assert_allclose(
        plain.arrays["original"], sets["grey"].test.images[:4] / 255, atol=1e-6
    )
    assert set(plain.arrays) == {"original"}
    assert set(noisy.arrays) == {"original", "noisy"}
    seen = image_rows(models["grey-2"].model, sets["grey"].test.images[:4])["noisy"]
    np.testing.assert_allclose(noisy.arrays["noisy"], seen, atol=1e-6)


def test_reconstructions_are_next_to_their_originals_with_their_psnr(models, sets, picture):
    (figure,) = picture("reconstructions", "grey-3", images={"start": 3, "count": 4})
    wanted = sets["grey"].test.images[3:7]
    again = models["grey-3"].model.reconstruct(wanted)
    np.testing.assert_allclose(figure.arrays["original"], wanted / 255, atol=1e-6)
    np.testing.assert_allclose(figure.arrays["reconstruction"], again / 255, atol=0.51 / 255)
    psnr = nw.measure.psnr(figure.arrays["original"], figure.arrays["reconstruction"])
    assert figure.options["captions"] == {"reconstruction": [f"{value:.1f} dB" for value in psnr]}


def test_a_denoiser_is_shown_what_it_cleans_and_a_vae_samples(picture):
    assert set(picture("reconstructions", "grey-2")[0].arrays) == {"original", "noisy", "denoised"}
    rows = picture("reconstructions", "colour-vae")[0].arrays
    assert set(rows) == {"original", "reconstruction", "by a sampled code"}
    assert all(row.shape == (10, 8, 8, 3) for row in rows.values())


def test_errors_under_images_are_squared_errors_summed(models, clean, picture):
    x, names = clean[5:9], ["grey-3", "grey-pca", "grey-side"]
    (figure,) = picture("beside", *names, images={"start": 5, "count": 4})
    assert list(figure.arrays) == ["original", *names]
    for name in names:
        made = models[name].model.reconstruct(x, exact=True)
        np.testing.assert_allclose(figure.arrays[name], made, atol=1e-6)
        assert values_of(figure.options["captions"][name]) == pytest.approx(
            squared(x, made), abs=0.006
        )


def test_captions_are_errors_psnr_or_none(models, clean, picture):
    (figure,) = picture("beside", "grey-pca", images={"count": 3}, captions="psnr")
    psnr = nw.measure.psnr(
        clean[:3], models["grey-pca"].model.reconstruct(clean[:3], exact=True), 1.0
    )
    assert values_of(figure.options["captions"]["grey-pca"]) == pytest.approx(psnr, abs=0.06)
    assert picture("beside", "grey-pca", captions="")[0].options["captions"] == {}
    with pytest.raises(BuildError, match="captions: got 'mse', expected 'error' or 'psnr'"):
        picture("beside", "grey-pca", captions="mse")


def test_what_models_are_fed_is_shown_where_it_is_noisy(models, clean, picture):
    fed = {"noise": 0.4, "clip": True}
    figure, plain = (
        picture("beside", "grey-3", "grey-pca", fed=given)[0] for given in (fed, {"times": 255})
    )
    assert list(figure.arrays) == ["original", "as fed", "grey-3", "grey-pca"]
    assert list(plain.arrays) == ["original", "grey-3", "grey-pca"]
    noisy = figure.arrays["as fed"]
    assert 0 == noisy.min() < noisy.max() == 1
    np.testing.assert_allclose(
        figure.arrays["grey-3"], models["grey-3"].model.reconstruct(noisy, exact=True), atol=1e-5
    )
    assert values_of(figure.options["captions"]["grey-3"]) == pytest.approx(
        squared(clean[:10], figure.arrays["grey-3"]), abs=0.006
    )


def test_strengths_show_one_image_a_figure_with_noise_that_grows(clean, picture):
    sigmas = [0.0, 0.5, 1.0]
    figures = picture("strengths", "grey-2", "grey-pca", sigmas=sigmas, images={"index": [4, 7]})
    assert [figure.title for figure in figures] == ["test 4", "test 7"]
    for figure, k in zip(figures, (4, 7)):
        noisy, original = figure.arrays["noisy"], clean[k]
        np.testing.assert_allclose(noisy[0], original, atol=1e-6)
        # the same noise
        np.testing.assert_allclose(noisy[2] - original, 2 * (noisy[1] - original), atol=1e-5)
        assert figure.options["captions"]["noisy"] == ["σ = 0", "σ = 0.5", "σ = 1"]
        for name in ("grey-2", "grey-pca"):
            told = values_of(figure.options["captions"][name])
            assert told == pytest.approx(squared(original[None], figure.arrays[name]), abs=0.006)


def test_snapshots_are_those_taken(models, picture):
    (figure,) = picture("snapshots", "grey-3")
    assert (figure.name, figure.title) == ("grey-3-2", "after epoch 2")
    assert figure.arrays is models["grey-3"].snapshots[2]


def test_errors_are_those_of_each_image_and_their_mean(models, clean, picture):
    (figure,) = picture("errors", "grey-3", "grey-pca", images={"start": 20, "count": 5})
    assert figure.options["names"] == ["20", "21", "22", "23", "24"]
    x = clean[20:25]
    for name, (label, values) in zip(("grey-3", "grey-pca"), figure.arrays.items(), strict=True):
        direct = squared(x, models[name].model.reconstruct(x, exact=True))
        np.testing.assert_allclose(values, direct, rtol=1e-4)
        assert label == f"{name} (mean {direct.mean():.2f})"


def test_the_table_of_strengths_at_none_is_the_mean_error_over_all_test_images(
    models, clean, picture
):
    names = ["grey-2", "grey-3", "grey-pca"]
    (figure,) = picture("tested", *names, sigmas=[0.0, 0.7])
    table = figure.arrays["error"]
    assert (figure.options["rows"], figure.options["columns"]) == (names, ["σ = 0", "σ = 0.7"])
    for name, row in zip(names, table):
        made = models[name].model.reconstruct(clean, exact=True)
        assert row[0] == pytest.approx(squared(clean, made).mean(), rel=1e-5)
    assert "40 images" in figure.title


def test_the_table_per_pixel_and_of_chosen_images(picture):
    options = {"sigmas": [0.3], "images": {"index": [3]}}
    whole, share = (
        picture("tested", "grey-pca", per_pixel=per, **options)[0] for per in (False, True)
    )
    assert share.arrays["error"] * 64 == pytest.approx(whole.arrays["error"])
    assert (whole.options["unit"], share.options["unit"]) == (
        "squared error of an image, on [0, 1]",
        "squared error per pixel, on [0, 1]",
    )


def test_a_linear_model_without_a_mean_is_no_worse_by_the_trap(picture):
    for name, alike in (("grey-linear", True), ("grey-relu", False)):
        faithful, trap = (picture("errors", name, fed={"times": times})[0] for times in (1, 255))
        assert (list(faithful.arrays) == list(trap.arrays)) == alike
