"""What only a trained network knows: bounds, score fields, walks; and what `fit` refuses or warns of."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

import narrows as nw
from narrows.errors import BuildError, ImageError, NarrowsWarning, UnknownName

LINEAR = {"kind": "mlp", "widths": []}
CONSTANT = "ignore:the model predicts a constant"  # as it does where hardly anything was learnt
UNCLIPPED = {"kind": "gaussian", "sigma": 0.3}
STILL = {"kind": "adam", "rate": 1e-30}  # moves no weight


# -- the bound on log p(x) -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exact():
    """A model p(x|z) = N(Wz + b, s² I) with its exact posterior, images of it, and their
    log-densities.
    """
    d, k, variance = 6, 2, 0.3
    random = torch.Generator().manual_seed(0)
    W = torch.linalg.qr(torch.randn(d, k, generator=random))[0] * torch.tensor([2.0, 0.7])
    b = torch.randn(d, generator=random)
    p = torch.distributions.MultivariateNormal(b, W @ W.T + variance * torch.eye(d))
    x = (
        b
        + torch.randn(300, k, generator=random) @ W.T
        + variance**0.5 * torch.randn(300, d, generator=random)
    )
    likelihood = {"kind": "gaussian", "variance": variance}
    bottleneck = {"kind": "variational", "size": k}
    m = nw.Autoencoder(
        LINEAR, bottleneck, likelihood=likelihood, scale="unit", epochs=1, optimiser=STILL
    )
    m.fit(x.numpy())
    spread = 1 / (1 + (W.T @ W).diagonal() / variance)
    slope = spread[:, None] * W.T / variance
    with torch.no_grad():
        m.network_.up.layers[-1].weight.copy_(W)
        m.network_.up.layers[-1].bias.copy_(b)
        m.network_.bottleneck.project.weight.copy_(torch.cat([slope, torch.zeros(k, d)]))
        m.network_.bottleneck.project.bias.copy_(torch.cat([-slope @ b, spread.log()]))
    return m, x.numpy(), p.log_prob(x).numpy()


@pytest.mark.parametrize("samples", [1, 2, 10])
def test_the_bound_of_an_exact_posterior_is_the_log_density_constant_and_all(exact, samples):
    m, x, log_p = exact
    for seed in range(3):
        np.testing.assert_allclose(
            m.score_samples(x, samples=samples, random_state=seed), log_p, atol=1e-3
        )


def test_a_wrong_posterior_loses_its_divergence_from_the_right_one(exact):
    m, x, log_p = exact
    wrong = clone(m).fit(x)
    wrong.network_.load_state_dict(m.network_.state_dict())
    with torch.no_grad():
        wrong.network_.bottleneck.project.bias[2:] -= 1.0  # deviations smaller by e^-½
    lost = 2 * 0.5 * (np.exp(-1) - 1 + 1)
    bounds = np.mean([wrong.score_samples(x, random_state=seed) for seed in range(50)])
    assert bounds == pytest.approx(log_p.mean() - lost, abs=0.03)


def test_more_samples_are_a_tighter_bound_on_average(vae, digits):
    one, ten, hundred = (vae.score_samples(digits, samples=s).mean() for s in (1, 10, 100))
    assert one < ten < hundred


def test_scores_repeat_and_belong_to_the_image(vae, digits):
    scores = vae.score_samples(digits, samples=2)
    np.testing.assert_array_equal(scores, vae.score_samples(digits, samples=2))
    np.testing.assert_allclose(scores[::-1], vae.score_samples(digits[::-1], samples=2), rtol=1e-4)
    np.testing.assert_allclose(scores[7], vae.score_samples(digits[7:8], samples=2)[0], rtol=1e-4)
    assert np.abs(scores - vae.score_samples(digits, samples=2, random_state=1)).max() > 0.01


def test_score_samples_of_a_variational_model_is_the_elbo_by_hand(vae, digits):
    x = torch.from_numpy(digits[:, None] / 255).float()
    with torch.no_grad():
        posterior = vae.network_.encode(x)[0].posterior
        q = torch.distributions.Normal(posterior.mean, (posterior.log_variance / 2).exp())
        kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
        at_mean = vae.network_.decode(posterior.mean)
        nll = torch.nn.functional.binary_cross_entropy_with_logits(
            at_mean, x, reduction="none"
        ).sum((1, 2, 3))
    np.testing.assert_allclose(vae.anomaly_score(digits, "bound"), nll + kl, rtol=1e-4)
    by_sampling = np.mean([vae.score_samples(digits, random_state=s) for s in range(20)], axis=0)
    assert (by_sampling.mean() < -(nll + kl).mean()).item()  # noise on the code costs something
    assert by_sampling.mean() == pytest.approx(-(nll + kl).mean().item(), rel=0.2)


# -- the score field and the walk (LABS, A) --------------------------------------------------------


def test_a_linear_denoiser_gives_the_score_of_a_gaussian():
    random = np.random.default_rng(0)
    mix, mean, sigma = random.normal(size=(4, 4)), random.normal(size=4), 0.5
    x = (random.normal(size=(2000, 4)) @ mix + mean).astype(np.float32)
    noise = {"kind": "gaussian", "sigma": sigma}
    m = nw.Autoencoder(
        LINEAR, {"kind": "plain", "size": 4}, corruption=noise, scale="unit", epochs=60, batch_size=200,
        optimiser={"kind": "adam", "rate": 0.02}, schedule="cosine", calibration=0,
    ).fit(x)  # fmt: skip
    noisy = random.normal(size=(500, 4)) @ mix + mean + sigma * random.normal(size=(500, 4))
    covariance = np.cov(x.T) + sigma**2 * np.eye(4)
    analytic = -(noisy - x.mean(0)) @ np.linalg.inv(covariance)
    found = m.score_field(noisy.astype(np.float32))
    assert np.corrcoef(found.ravel(), analytic.ravel())[0, 1] > 0.99
    assert np.abs(found - analytic).mean() < 0.1 * np.abs(analytic).mean()


@pytest.fixture(scope="module")
def denoiser():
    X, _ = nw.load_data("digits", split="train")
    rate = {"kind": "adam", "rate": 3e-3}
    return nw.Autoencoder(
        {"kind": "mlp", "widths": [128]}, corruption=UNCLIPPED, optimiser=rate, epochs=40
    ).fit(X)


@pytest.fixture(scope="module")
def noisy():
    X, _ = nw.load_data("digits", split="test")
    clean = X[:100] / 255
    return clean, clean + 0.3 * np.random.default_rng(0).normal(size=clean.shape)


def test_the_walk_brings_noisy_images_nearer_to_the_clean_ones(denoiser, noisy):
    clean, x = noisy
    walk = denoiser.project(x, steps=3, rate=0.5)
    assert walk.shape == (4, *x.shape)
    np.testing.assert_allclose(walk[0], x, atol=1e-6)
    errors = ((walk - clean) ** 2).mean(axis=(1, 2, 3))
    assert errors[1] < 0.7 * errors[0]
    assert errors[2] < 0.8 * errors[1]


def test_a_whole_step_is_the_denoised_image_and_one_up_the_score(denoiser, noisy):
    _, x = noisy
    denoised = denoiser.denoise(x, exact=True)
    np.testing.assert_allclose(denoiser.project(x, steps=1)[1], denoised, atol=1e-5)
    np.testing.assert_allclose(x + 0.3**2 * denoiser.score_field(x), denoised, atol=1e-5)


@pytest.mark.filterwarnings(CONSTANT)
def test_walk_and_score_field_take_images_on_other_scales(digits):
    x = digits[:5] / 255 + np.random.default_rng(0).normal(size=(5, 8, 8))
    m = nw.Autoencoder(scale="symmetric", corruption=UNCLIPPED, epochs=2).fit(digits)
    np.testing.assert_allclose(m.project(x, steps=1)[0], x, atol=1e-6)
    step = m.project(x, steps=1)[1] - x
    # per unit of the working scale
    np.testing.assert_allclose(2 * step, 0.3**2 * m.score_field(x), atol=1e-5)


@pytest.mark.filterwarnings(CONSTANT)
@pytest.mark.parametrize(
    "corruption",
    [
        "none",
        "masking",
        {**UNCLIPPED, "clip": True},
        {"kind": "gaussian", "sigma": (0.1, 0.3)},
        "salt-and-pepper",
    ],
)
def test_a_score_field_is_refused_where_the_formula_does_not_hold(digits, corruption):
    m = nw.Autoencoder(corruption=corruption, epochs=2).fit(digits)
    with pytest.raises(
        BuildError, match=r"unclipped Gaussian noise of one sigma; train with .*'clip': False"
    ):
        m.score_field(digits)


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"steps": 0}, "steps"), ({"rate": 2}, "rate"), ({"steps": 1.5}, "steps")],
)
def test_wrong_walks_are_refused(denoiser, noisy, options, reason):
    with pytest.raises(BuildError, match=f"{reason}: got"):
        denoiser.project(noisy[1], **options)


# -- sampling --------------------------------------------------------------------------------------


def test_a_variational_code_is_sampled_from_the_normal_and_others_from_a_fitted_density(
    ae, vae, digits
):
    codes = vae._sample_codes(4000, 0)
    assert abs(codes.mean()) < 0.05
    assert abs(codes.std() - 1) < 0.05
    found, fitted = ae._sample_codes(4000, 0).numpy(), ae.transform(digits)
    spread = fitted.std(0)
    np.testing.assert_allclose(found.mean(0), fitted.mean(0), atol=0.1 * spread.max())
    np.testing.assert_allclose(found.std(0), spread, rtol=0.1)


@pytest.mark.filterwarnings(CONSTANT)
@pytest.mark.parametrize("prior", ["gaussian", {"kind": "mixture", "components": 3}])
def test_a_variational_code_may_have_a_density_fitted_to_it_afterwards(digits, prior):
    m = nw.Autoencoder(bottleneck="variational", prior=prior, epochs=2).fit(digits)
    assert not torch.equal(m.network_.prior.means[0], torch.zeros(20))
    assert m.sample(3).shape == (3, 8, 8)
    assert np.isfinite(m.score_samples(digits)).all()


@pytest.mark.filterwarnings(CONSTANT)
def test_a_mixture_may_be_saved_even_of_fewer_images_than_components(digits, tmp_path):
    m = nw.Autoencoder(prior={"kind": "mixture", "components": 8}, epochs=2).fit(digits[:5])
    again = nw.load(nw.save(m, tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(m.sample(4), again.sample(4))


# -- epoch by epoch --------------------------------------------------------------------------------


def test_a_training_stopped_early_keeps_a_complete_model(digits):
    model = nw.Autoencoder(epochs=50, batch_size=20)
    for m in model.fit_epochs(digits):
        if m.epochs_ == 8:
            break
    assert len(model.history_["loss"]) == 8
    short = nw.Autoencoder(epochs=8, batch_size=20).fit(digits)
    np.testing.assert_array_equal(model.transform(digits), short.transform(digits))
    assert model.threshold_ == short.threshold_
    np.testing.assert_array_equal(model.sample(3), short.sample(3))


# -- warnings --------------------------------------------------------------------------------------


def test_a_dead_code_is_reported(digits):
    bottleneck = {"kind": "sparse", "size": 16, "weight": 1e3}
    with pytest.warns(
        NarrowsWarning, match="the code is dead: 16 of its 16 units are active for no image"
    ):
        nw.Autoencoder(
            LINEAR, bottleneck, epochs=10, batch_size=20, optimiser={"kind": "adam", "rate": 0.01}
        ).fit(digits)


def test_a_constant_output_is_reported(digits):
    bottleneck = {"kind": "variational", "beta": 1e4}
    with pytest.warns(NarrowsWarning, match="the model predicts a constant"):
        nw.Autoencoder(bottleneck=bottleneck, epochs=5).fit(digits)


def test_one_image_or_many_equal_ones_are_no_constant_model(digits):
    nw.Autoencoder(epochs=1).fit(digits[:1])
    nw.Autoencoder(epochs=1).fit(digits[:1].repeat(5, axis=0))


# -- what fit refuses ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "kind", "reason"),
    [
        ({"epochs": 0}, BuildError, "epochs: got 0, expected an integer ≥ 1"),
        ({"epochs": 1.5}, BuildError, "epochs: got 1.5"),
        ({"batch_size": -1}, BuildError, "batch_size: got -1"),
        ({"validation": 1.0}, BuildError, "validation: got 1.0, expected None, images, or a share"),
        ({"validation": 0.0001}, BuildError, "a share that leaves images on both sides"),
        (
            {"validation": np.zeros((3, 5, 5), np.uint8)},
            ImageError,
            "5 x 5 pixels, the model was fitted on 8 x 8",
        ),
        ({"validation": np.full((3, 8, 8), np.nan)}, ImageError, "NaN or infinity: 192"),
        ({"validation": np.full((3, 8, 8), 9.0)}, ImageError, r"must lie in \[0, 1\]"),
        ({"scale": "unti"}, UnknownName, "no scale called 'unti'; did you mean 'unit'"),
        ({"device": "gpu"}, UnknownName, "no device called 'gpu'; did you mean 'cpu'"),
        ({"training": {"patince": 1}}, BuildError, "no option 'patince'; did you mean 'patience'"),
        ({"training": {"epochs": 3}}, BuildError, "no option 'epochs'"),
        (
            {"training": "fast"},
            BuildError,
            "training: got 'fast', expected a dict of options, or None",
        ),
        ({"optimiser": "adm"}, UnknownName, "no optimiser called 'adm'; did you mean 'adam'"),
        (
            {"schedule": {"kind": "cosine", "warm": 1}},
            BuildError,
            "no option 'warm'; did you mean 'warmup'",
        ),
        (
            {"image_shape": (3, 4)},
            ImageError,
            r"image_shape \(3, 4\) does not fit images of shape \(8, 8\)",
        ),
        ({"image_shape": 64}, ImageError, "image_shape 64 does not fit"),
        ({"random_state": "seed"}, BuildError, "random_state: got 'seed', expected an integer"),
        (
            {"corruption": {"kind": "gaussian", "sigma": 0}},
            BuildError,
            "sigma: got 0, expected a number > 0",
        ),
        (
            {"bottleneck": {"kind": "plain", "size": 0}},
            BuildError,
            "size: got 0, expected an integer ≥ 1",
        ),
    ],
)
def test_wrong_options_are_refused(digits, options, kind, reason):
    with pytest.raises(kind, match=reason):
        nw.Autoencoder(**{"epochs": 1, **options}).fit(digits)


def test_all_faults_are_reported_at_once(digits):
    X = (digits / 255).astype(np.float32)
    X[3, 0, 0] = np.inf
    m = nw.Autoencoder(
        "mpl", epochs=0, training={"patince": 2}, optimiser="adm", schedule="cosin", validation=2
    )
    with pytest.raises(BuildError, match="for 7 reasons") as told:
        m.fit(X)
    for words in ("image 3", "epochs", "validation", "'mlp'", "'patience'", "'adam'", "'cosine'"):
        assert words in str(told.value)


def test_an_unknown_option_of_the_constructor_is_refused():
    with pytest.raises(TypeError, match="botleneck"):
        nw.Autoencoder(botleneck="plain")
    with pytest.raises(ValueError, match="botleneck"):
        nw.Autoencoder().set_params(botleneck="plain")


@pytest.mark.filterwarnings(CONSTANT)
@pytest.mark.parametrize("options", [{"training": {"patience": 0}}, {"epochs": 0}, {"body": "mpl"}])
@pytest.mark.parametrize("before", [False, True])
def test_after_a_refused_fit_the_model_is_not_fitted(digits, options, before):
    m = nw.Autoencoder(epochs=1)
    if before:
        m.fit(digits)
    with pytest.raises(nw.NarrowsError):
        m.set_params(**options).fit(digits)
    with pytest.raises(nw.NarrowsError, match="not fitted yet"):
        m.transform(digits)
