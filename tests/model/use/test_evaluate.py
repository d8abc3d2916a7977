"""Figures of a model over images are what direct computation gives, and repeat."""

import numpy as np
import pytest
import torch

import narrows as nw
from narrows import measure
from narrows.errors import BuildError, ImageError
from narrows.model.use import evaluate as module
from narrows.model.use.evaluate import compare, evaluate

CONSTANT = "ignore:the model predicts a constant"  # as it does where hardly anything was learnt


@pytest.fixture(scope="module")
def denoiser(digits):
    body = {"kind": "mlp", "widths": [32], "dropout": 0.1}
    noise, rate = {"kind": "gaussian", "sigma": 0.8, "clip": True}, {"kind": "adam", "rate": 5e-3}
    options = {"scale": "symmetric", "epochs": 40, "batch_size": 32, "optimiser": rate}
    return nw.Autoencoder(body, corruption=noise, **options).fit(digits)


@pytest.mark.parametrize("name", ["ae", "vae", "pca", "pooled"])
def test_figures_are_the_means_over_images_of_the_measures_of_the_unrounded_output(
    request, digits, name
):
    model = request.getfixturevalue(name)
    found = evaluate(model, digits)
    clean = (digits / 255).astype(np.float32)
    put_out = model.reconstruct(digits, exact=True)
    for figure in ("mse", "psnr", "snr", "ssim"):
        assert found[figure] == pytest.approx(
            getattr(measure, figure)(clean, put_out).mean(), rel=1e-4
        )
    assert found["code_size"] == model.code_size_
    assert found["parameters"] == model.n_parameters_
    assert found.get("side_bits", 0) == model.side_bits_


def test_on_the_symmetric_scale_errors_are_four_times_as_large_and_psnr_the_same(ae, digits):
    unit, both = evaluate(ae, digits), evaluate(ae, digits, measure_scale="symmetric")
    assert both["mse"] == pytest.approx(4 * unit["mse"], rel=1e-4)
    assert both["psnr"] == pytest.approx(unit["psnr"], rel=1e-4)


def test_the_power_of_the_signal_is_that_of_the_images_whatever_the_model(
    ae, pca, denoiser, digits
):
    direct = np.mean((digits / 255.0) ** 2)
    for model in (ae, pca, denoiser):
        for scale in ("unit", "symmetric"):
            assert evaluate(model, digits, measure_scale=scale)["signal_power"] == pytest.approx(
                direct, rel=1e-5
            )


def test_snr_psnr_and_the_power_agree_where_all_images_are_as_strong():
    """SNR = PSNR + 10 log10 of the power, image by image."""
    images = (
        np.random.default_rng(0)
        .permuted(np.tile(np.arange(64.0) / 63, (50, 1)), axis=1)
        .reshape(50, 8, 8)
    )
    found = evaluate(nw.PCA(5).fit(images), images)
    assert found["snr"] == pytest.approx(
        found["psnr"] + 10 * np.log10(found["signal_power"]), abs=1e-3
    )


@pytest.mark.parametrize("name", ["ae", "vae", "pca", "pooled"])
def test_the_size_of_codes_is_the_root_mean_square_of_their_units(request, digits, name):
    model = request.getfixturevalue(name)
    direct = np.sqrt(np.mean(model.transform(digits).astype(np.float64) ** 2))
    assert evaluate(model, digits)["code_rms"] == pytest.approx(direct, rel=1e-5)
    assert "code_rms" in evaluate(model, digits[:1])


def test_figures_of_the_likelihood(vae, digits):
    found = evaluate(vae, digits, seed=3)
    bounds = [vae.score_samples(digits, random_state=seed).mean() for seed in range(30)]
    assert found["elbo"] == pytest.approx(np.mean(bounds), rel=0.01)  # both estimate the ELBO
    assert found["elbo"] == pytest.approx(-found["nll"] - found["kl"], rel=1e-6)
    with torch.no_grad():
        posterior = vae.network_.encode(torch.from_numpy(digits[:, None] / 255).float())[
            0
        ].posterior
    assert found["kl"] == pytest.approx(
        measure.kl_per_unit(posterior.mean, posterior.log_variance).sum(), rel=1e-4
    )
    clean = (digits / 255).astype(np.float32)
    assert found["bce"] == pytest.approx(
        measure.bce(clean, vae.reconstruct(clean, exact=True)).mean(), rel=1e-4
    )


def test_noisy_is_the_mark_that_denoised_beats(denoiser, digits):
    found = evaluate(denoiser, digits)
    assert {"noisy_psnr", "denoised_psnr", "psnr", "noisy_ssim", "denoised_mse"} <= found.keys()
    assert found["noisy_psnr"] < found["denoised_psnr"] < found["psnr"]
    assert found["noisy_mse"] > found["denoised_mse"]
    assert not {"sampled_psnr", "elbo"} & found.keys()


def test_the_views_are_what_their_names_say(denoiser, vae, digits):
    x = torch.from_numpy(digits[:, None] / 255).float() * 2 - 1
    found = denoiser.views(x).images
    assert found.keys() == {"", "noisy", "denoised"}
    assert found["noisy"].min() >= -1
    assert found["noisy"].max() <= 1
    at_black = found["noisy"][x == -1]
    # half of the noise is clipped
    assert (at_black == -1).float().mean().item() == pytest.approx(0.5, abs=0.02)
    assert (at_black + 1).square().mean().item() == pytest.approx(0.8**2 / 2, rel=0.1)
    with torch.no_grad():
        torch.testing.assert_close(found["denoised"], denoiser.network_.reconstruct(found["noisy"]))
        torch.testing.assert_close(found[""], denoiser.network_.reconstruct(x))
    assert vae.views(x).images.keys() == {"", "sampled"}


def test_a_sampled_code_costs_quality(vae, digits):
    found = evaluate(vae, digits)
    assert found["sampled_mse"] > found["mse"]
    assert found["sampled_psnr"] < found["psnr"]


@pytest.mark.parametrize("name", ["denoiser", "vae", "pca"])
def test_figures_repeat_and_do_not_depend_on_the_order_of_the_images(request, digits, name):
    model = request.getfixturevalue(name)
    found = evaluate(model, digits)
    assert found == evaluate(model, digits)
    assert evaluate(model, digits[::-1]) == pytest.approx(found, rel=1e-4)
    if name != "pca":
        assert evaluate(model, digits, seed=1) != found


def test_figures_are_weighted_by_images_not_by_batches(ae, digits):
    parts = [evaluate(ae, digits[:150]), evaluate(ae, digits[150:])]
    assert evaluate(ae, digits)["mse"] == pytest.approx(
        (150 * parts[0]["mse"] + 50 * parts[1]["mse"]) / 200, rel=1e-5
    )


def test_units_are_counted(digits):
    relu = nw.Autoencoder(bottleneck={"kind": "relu", "size": 24}, epochs=20, batch_size=32).fit(
        digits
    )
    codes = relu.transform(digits)
    found = evaluate(relu, digits)
    assert found["active_units"] == pytest.approx((codes > 0).sum(1).mean())
    assert found["dead_units"] == (codes == 0).all(0).sum()


def test_a_table_has_a_squared_error_on_its_working_scale(table):
    model = nw.PCA(3).fit(table)
    found = evaluate(model, table)
    error = ((model.reconstruct(table) - table) / table.std(0)) ** 2
    assert found["mse"] == pytest.approx(error.mean(), rel=1e-3)
    assert not {"psnr", "signal_power"} & found.keys()
    assert found["code_rms"] == pytest.approx(
        np.sqrt(np.mean(model.transform(table) ** 2)), rel=1e-5
    )


def test_small_images_have_no_ssim(digits):
    found = evaluate(nw.PCA(3).fit(digits[:, :6]), digits[:, :6])
    assert "psnr" in found
    assert "ssim" not in found


def test_rows_show_originals_next_to_what_the_model_makes_of_them(denoiser, vae, digits):
    shown = module.image_rows(denoiser, digits[:4])
    assert list(shown) == ["original", "noisy", "denoised"]
    np.testing.assert_allclose(shown["original"], digits[:4] / 255, atol=1e-6)
    for images in (*shown.values(), *module.image_rows(vae, digits[:4]).values()):
        assert images.shape == (4, 8, 8)
        assert images.min() >= 0
        assert images.max() <= 1


# -- compare ---------------------------------------------------------------------------------------


@pytest.mark.filterwarnings(CONSTANT)
def test_compare_gives_a_table_of_one_row_a_model(ae, digits):
    fresh = nw.PCA(4)
    found = compare([ae, fresh, "pca"], digits, digits[:50])
    assert isinstance(found, measure.Table)
    assert len(found) == 3
    assert [row["model"] for row in found][2] == "pca"
    assert found[0].items() >= evaluate(ae, digits[:50]).items()
    assert found[1]["mse"] == pytest.approx(evaluate(nw.PCA(4).fit(digits), digits[:50])["mse"])
    assert found[2]["code_size"] == 30
    assert not hasattr(fresh, "components_")  # what was given is left as it was


def test_compare_refuses_an_unknown_recipe(digits):
    with pytest.raises(nw.NarrowsError, match="no recipe called 'pcb'; did you mean 'pca'"):
        compare(["pcb"], digits, digits)


@pytest.mark.parametrize(
    ("X", "options", "kind", "reason"),
    [
        (np.zeros((2, 9, 9), np.uint8), {}, ImageError, "9 x 9 pixels"),
        (np.full((2, 8, 8), np.nan), {}, ImageError, "NaN"),
        (
            np.zeros((2, 8, 8), np.uint8),
            {"measure_scale": "both"},
            BuildError,
            "measure_scale: got 'both'",
        ),
    ],
)
def test_wrong_use_is_refused(ae, X, options, kind, reason):
    with pytest.raises(kind, match=reason):
        evaluate(ae, X, **options)


def test_an_unfitted_model_says_so(digits):
    with pytest.raises(nw.NarrowsError, match="not fitted yet"):
        evaluate(nw.PCA(), digits)
