"""Training on images that are noisy themselves: what is learnt, and that none of them is called clean."""

import warnings

import numpy as np
import pytest
import torch

import narrows as nw
from narrows.errors import BuildError, ImageError, NarrowsError, NarrowsWarning
from narrows.image_batches import ImageBatches
from narrows.layout import layout_of
from narrows.model.recipes import RECIPES, without_clean
from narrows.model.training.augment import KEEP_NOISE
from narrows.model.training.checkpoint import Checkpoint
from narrows.model.training.correlation import warn_of_correlation
from narrows.model.use.baselines import compare_denoisers
from narrows.model.use.evaluate import evaluate, image_rows
from narrows.parts.kinds import KINDS
from narrows.parts.photo import Photo
from narrows.randomness import KeyedRandom
from narrows.scale import FIXED_SCALES
from small_models import CONSTANT, model, same, timeless, weights

pytestmark = [
    pytest.mark.filterwarnings(CONSTANT),
    pytest.mark.filterwarnings(
        "ignore:the noise of neighbouring", "ignore:half of the code is idle"
    ),
]
UNET = {
    "body": {"kind": "unet", "channels": [8, 12], "bias": False},
    "bottleneck": {"kind": "plain", "size": None},
}
TINY = {"widths": [8], "blocks": [1]}
SIGMA = 0.2
WAYS = {
    "neighbours": {"objective": "neighbours"},
    "recorruption": {"corruption": {"kind": "recorruption", "sigma": SIGMA}},
    "blind-spot": {"corruption": {"kind": "blind-spot", "rate": 0.1}},
}
ways = pytest.mark.parametrize("way", WAYS)


@pytest.fixture(scope="module")
def pictures():
    """Smooth grey pictures on [0, 1], and the same with unclipped noise."""
    small = torch.rand(200, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    clean = torch.nn.functional.interpolate(small, (16, 16), mode="bicubic").clamp(0, 1)
    clean = clean[:, 0].numpy()
    noise = np.random.default_rng(0).normal(0, SIGMA, clean.shape)
    return clean, (clean + noise).astype(np.float32)


def alone(way, **options):
    return model(**UNET, **WAYS[way], **{"batch_size": 10, "epochs": 1, **options})


# -- what is learnt --------------------------------------------------------------------------------


@ways
def test_noise_is_removed_without_a_clean_image(pictures, way):
    clean, noisy = pictures
    m = alone(way, epochs=12, optimiser={"kind": "adam", "lr": 4e-3}).fit(noisy[:150])
    found = evaluate(m, clean[150:], noisy[150:])
    assert found["denoised_psnr"] > found["noisy_psnr"] + 2


@ways
def test_floats_beyond_the_range_are_taken_in_every_way_to_fit(pictures, way):
    _, noisy = pictures
    assert noisy.min() < 0
    assert noisy.max() > 1
    fitted = alone(way, validation=noisy[:20]).fit(noisy)
    assert np.isfinite(fitted.history_["val_loss"][-1])
    alone(way).partial_fit(noisy).partial_fit(noisy)
    with pytest.raises(ImageError, match="float images must lie in"):
        model(**UNET).fit(noisy)


@ways
def test_floats_of_0_to_255_are_refused(pictures, way):
    with pytest.raises(NarrowsError, match="divide by 255, or pass uint8"):
        alone(way).fit(255 * pictures[1])


@ways
def test_a_training_belongs_to_its_seed_and_resumes_as_if_it_had_not_stopped(
    pictures, way, tmp_path
):
    _, noisy = pictures
    complete, again = (alone(way, epochs=3).fit(noisy) for _ in range(2))
    assert same(weights(complete), weights(again))

    def fit(epochs, resume=False):
        checkpoint = Checkpoint(tmp_path / "last.safetensors", resume=resume)
        return alone(way, epochs=epochs).fit(noisy, checkpoint=checkpoint)

    fit(1)
    resumed = fit(3, resume=True)
    assert timeless(resumed.history_) == timeless(complete.history_)
    assert same(weights(resumed), weights(complete))


@ways
def test_a_model_file_keeps_the_way(pictures, way, tmp_path):
    m = alone(way).fit(pictures[1])
    again = nw.load(nw.save(m, tmp_path / "alone.safetensors"))
    assert again.learns_from_noisy
    assert (again.denoise(pictures[1]) == m.denoise(pictures[1])).all()


# -- what is known of the noise --------------------------------------------------------------------


def test_a_network_that_is_given_the_noise_gets_that_of_complete_pictures(monkeypatch):
    noise = np.random.default_rng(0).normal(size=(60, 32, 32))
    strengths = np.repeat([0.05, 0.1, 0.2], 20)  # of three pictures, cut into 20 patches each
    X = (0.5 + strengths[:, None, None] * noise).astype(np.float32)
    order = np.random.default_rng(1).permutation(60)
    given = {}
    encode = Photo.encode

    def note(body, x, random=None, noise=None):
        if random is not None:  # a step of the training
            given.setdefault(len(x), []).append(noise.variance(0 * x + 0.5).amax((1, 2, 3)).sqrt())
        return encode(body, x, random, noise)

    monkeypatch.setattr(Photo, "encode", note)
    m = nw.recipe("denoiser-photo", **without_clean("denoiser-photo"), body=TINY, batch_size=60)
    m.set_params(epochs=1, training={})
    m.fit(X[order], groups=np.repeat([7, 3, 5], 20)[order])
    complete, sub_images = given[60]
    assert torch.equal(complete, sub_images)
    found, counts = complete.unique(return_counts=True)
    assert counts.tolist() == [20, 20, 20]
    torch.testing.assert_close(found, torch.tensor([0.05, 0.1, 0.2]), rtol=0.1, atol=0)


def test_the_noise_of_a_channel_goes_where_its_colour_goes():
    m = nw.recipe("denoiser-photo", **without_clean("denoiser-photo"), body=TINY, batch_size=50)
    X = np.full((50, 8, 8, 3), [0.2, 0.4, 0.8], np.float32)
    training = m._prepare(X)
    training.images.noise = torch.tensor([0.2, 0.4, 0.8])[:, None].expand(50, 3, 2)
    random = KeyedRandom(0)
    x = training._training_images(torch.arange(50), random)
    assert len(x[:, :, 0, 0].unique(dim=0)) == 6  # orders of three colours
    for number in random.noise.unbind(-1):
        torch.testing.assert_close(number, x[:, :, 0, 0])


def test_a_corruption_that_gives_the_noise_is_believed(pictures):
    m = nw.recipe("denoiser-photo", body=TINY, epochs=1, objective="elbo")
    m.set_params(training={}, corruption=WAYS["recorruption"]["corruption"])
    assert m._prepare(pictures[1]).images.noise is None
    m.set_params(corruption="blind-spot", objective={"kind": "elbo"})
    assert m._prepare(pictures[1]).images.noise.shape == (200, 1, 2)
    for corruption in ("two-shots", "pairs"):
        m.set_params(corruption=corruption)
        noise = m._prepare(pictures[0], noisy=pictures[1]).images.noise
        variance = noise[..., 0] / 2 + noise[..., 1]  # at middle grey
        assert variance.median().sqrt() == pytest.approx(SIGMA, rel=0.2)
    m.set_params(training={"augment": ["brightness"]})  # it changes the noise
    assert m._prepare(pictures[0], noisy=pictures[1]).images.noise is None


# -- no image is called clean ----------------------------------------------------------------------


@ways
def test_nothing_is_compared_with_noisy_images(pictures, way):
    clean, noisy = pictures
    m = alone(way).fit(noisy)
    assert m.learns_from_noisy
    assert m.noise_ is None
    found = evaluate(m, noisy)
    assert set(found) <= {"code_rms", "dead_units", "code_size", "side_bits", "parameters"}
    assert {"psnr", "noisy_psnr", "denoised_psnr"} <= set(evaluate(m, clean, noisy))
    rows = image_rows(m, noisy[:3])
    assert list(rows) == ["noisy", "denoised"]
    np.testing.assert_array_equal(rows["noisy"], noisy[:3].clip(0, 1))
    assert list(image_rows(m, clean[:3], noisy=noisy[:3])) == ["original", "noisy", "denoised"]
    with pytest.raises(BuildError, match="got 'a model that was trained on noisy images alone'"):
        compare_denoisers(m, noisy)


def test_two_shots_train_as_pairs_do_and_none_is_clean(pictures):
    clean, noisy = pictures
    other = clean + np.random.default_rng(1).normal(0, 0.05, clean.shape)
    shots = model(corruption="two-shots").fit(other, noisy=noisy)
    pairs = model(corruption="pairs").fit(other.clip(0, 1), noisy=noisy)
    clipped = model(corruption="two-shots").fit(other.clip(0, 1), noisy=noisy)
    assert timeless(clipped.history_) == timeless(pairs.history_)
    assert timeless(shots.history_) != timeless(pairs.history_)
    assert shots.wants_pairs
    assert shots.learns_from_noisy
    assert not pairs.learns_from_noisy
    assert "psnr" not in evaluate(shots, noisy)
    with pytest.raises(BuildError, match="noisy: got None, expected the noisy images"):
        model(corruption="two-shots").fit(other)


@ways
@pytest.mark.parametrize(
    ("training", "words"),
    [
        ({"measures": ["psnr"]}, "measures: got .*'psnr'.*, expected none without clean images"),
        (
            {"augment": ["flips", "brightness"]},
            "augment: got .*'brightness'.*, expected those that",
        ),
    ],
)
def test_options_that_need_clean_images_are_refused(pictures, way, training, words):
    with pytest.raises(NarrowsError, match=words):
        alone(way, training=training, validation=0.2).fit(pictures[1])


def test_mixtures_are_of_corruptions_of_clean_images(pictures):
    mixed = {"kind": "mixed", "of": ["gaussian", "blind-spot"]}
    with pytest.raises(BuildError, match="of: got 'blind-spot', expected corruptions of clean"):
        model(corruption=mixed).fit(pictures[0])


# -- recipes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["denoiser-photo", "denoiser-unet"])
def test_a_denoiser_of_any_size_learns_from_noisy_images_alone(pictures, name):
    small = {"denoiser-photo": TINY, "denoiser-unet": {"channels": [4, 6]}}
    changes = {**without_clean(name), "body": small[name], "epochs": 1, "batch_size": 50}
    m = nw.recipe(name, **changes).fit(pictures[1])
    assert set(m.history_) >= {"nll", "consistency"}
    augment = RECIPES[name].options["training"].get("augment", ())
    kept = [name for name in augment if name in KEEP_NOISE]
    assert (m.training or {}).get("augment", []) == kept


# -- noise that is not independent -----------------------------------------------------------------


def grain(*shape, along=None):
    """Noise on grey, whose pixels are averaged with the next one along an axis if that is given."""
    noise = np.random.default_rng(0).normal(0, 0.1, (*shape, 1))
    if along is not None:
        noise = (noise + np.roll(noise, 1, axis=along)) / 2**0.5
    return (0.5 + noise).astype(np.float32)


def warned(X, corruption, objective):
    images = ImageBatches(X, layout_of(X, None), FIXED_SCALES["unit"])
    made = KINDS["corruption"].make(corruption, bounds=(0.0, 1.0))
    warn_of_correlation(images, made, KINDS["objective"].make(objective))


@pytest.mark.parametrize(("along", "line"), [(2, "row"), (1, "column")])
def test_correlated_noise_is_reported_with_a_part_that_allows_for_it(along, line):
    X, structured = grain(20, 32, 32, along=along), {"kind": "blind-spot", "structure": line}
    for part in [("none", "neighbours"), ("recorruption", "elbo"), ("blind-spot", "elbo")]:
        with pytest.warns(NarrowsWarning, match=f"is correlated, by .*'structure': '{line}'"):
            warned(X, *part)
    with warnings.catch_warnings(action="error"):
        warned(X, structured, "elbo")
        warned(X, "two-shots", "elbo")


def test_independent_noise_is_not_reported():
    with warnings.catch_warnings(action="error"):
        warned(grain(20, 32, 32), "none", "neighbours")


def test_blind_spots_along_rows_remove_noise_that_is_correlated_along_rows(pictures):
    clean, _ = pictures
    noisy = (clean + 2 * (grain(*clean.shape, along=2)[..., 0] - 0.5)).astype(np.float32)
    psnr = {}
    for structure in (None, "row"):
        blind = {"kind": "blind-spot", "rate": 0.05, "structure": structure}
        adam = {"kind": "adam", "lr": 4e-3}
        m = model(**UNET, corruption=blind, batch_size=10, epochs=15, optimiser=adam)
        psnr[structure] = evaluate(m.fit(noisy), clean, noisy)["denoised_psnr"]
    assert psnr["row"] > psnr[None] + 1


@ways
def test_a_fit_reports_correlated_noise(way):
    with pytest.warns(NarrowsWarning, match="the noise of neighbouring pixels is correlated"):
        alone(way).fit(grain(20, 32, 32, along=2))
