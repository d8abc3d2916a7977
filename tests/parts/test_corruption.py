"""Laws of corruption: strength, rate, range, and a mask that tells the truth."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from narrows.choose import choose
from narrows.errors import BuildError, NarrowsError
from narrows.parts.corruption import (
    GaussianNoise,
    JpegArtefacts,
    Masking,
    PoissonNoise,
    SaltAndPepper,
)
from narrows.parts.corruptions import CORRUPTIONS
from narrows.randomness import KeyedRandom, PerImageRandom

MADE = [name for name, make in CORRUPTIONS.items() if not make.paired]  # noise that is drawn
SETS = [(name, span) for name in MADE for span in [(0.0, 1.0), (-1.0, 1.0), None]]
RANGED = ["salt-and-pepper", "poisson", "jpeg", "sensor", "mixed", "recorruption"]
SETS = [(name, span) for name, span in SETS if span or name not in RANGED]
sets = pytest.mark.parametrize(("name", "span"), SETS)


def corrupt(name, span, x, random=None, **options):
    part = choose("corruption", CORRUPTIONS, {"kind": name, **options}, bounds=span)
    return part(x, random or KeyedRandom(0))[:2]


@sets
def test_shape_and_input_are_kept_and_the_mask_reports_what_was_replaced(some, name, span):
    x = some(20, 3, 9, 7)
    before = x.clone()
    noisy, hidden = corrupt(name, span, x)
    assert noisy.shape == x.shape
    assert noisy.isfinite().all()
    assert torch.equal(x, before)
    if hidden is not None:
        assert (hidden.shape, hidden.dtype) == ((20, 1, 9, 7), torch.bool)
        assert torch.equal(torch.where(hidden, x, noisy), x)


@sets
def test_an_image_may_be_a_single_pixel(some, name, span):
    assert corrupt(name, span, some(5, 1, 1, 1))[0].shape == (5, 1, 1, 1)


@sets
def test_numbers_belong_to_the_draw_and_ranks_draw_rows_of_the_whole(some, name, span):
    x = some(20, 3, 9, 7)
    whole, _ = corrupt(name, span, x, KeyedRandom(1, 2, 3))
    assert torch.equal(whole, corrupt(name, span, x, KeyedRandom(1, 2, 3))[0])
    part = slice(5, 12)
    assert torch.equal(
        whole[part], corrupt(name, span, x[part], KeyedRandom(1, 2, 3, rows=part, total=20))[0]
    )
    if name != "none":
        assert not torch.equal(whole, corrupt(name, span, x, KeyedRandom(1, 2, 4))[0])


def test_none_changes_nothing(some):
    x = some(4, 1, 5, 5)
    noisy, hidden = corrupt("none", (0.0, 1.0), x)
    assert torch.equal(noisy, x)
    assert hidden is None


@pytest.mark.parametrize("sigma", [0.1, 0.3, 5])
def test_gaussian_noise_has_mean_0_and_deviation_sigma_and_is_not_clipped_unasked(some, sigma):
    x = some(200, 1, 20, 20)
    make = GaussianNoise((0.0, 1.0), sigma)
    noise = make(x, KeyedRandom(0))[0] - x
    assert abs(noise.mean()) < 0.01 * sigma
    assert abs(noise.std() / sigma - 1) < 0.01
    assert make.sigma == sigma


@pytest.mark.parametrize("span", [(0.0, 1.0), (-1.0, 1.0)])
def test_clipped_noise_is_the_same_noise_inside_the_range(some, span):
    x = some(50, 3, 9, 9)
    free, clipped = (
        GaussianNoise(span, 0.5)(x, KeyedRandom(0))[0],
        GaussianNoise(span, 0.5, clip=True)(x, KeyedRandom(0))[0],
    )
    assert torch.equal(clipped, free.clamp(*span))
    assert not torch.equal(clipped, free)


def test_a_range_of_strengths_is_drawn_evenly_one_for_each_image():
    make = GaussianNoise((0.0, 1.0), sigma=(0.2, 0.6))
    strengths = make(torch.zeros(2000, 1, 30, 30), KeyedRandom(0))[0].flatten(1).std(1)
    assert make.sigma is None
    assert 0.18 < strengths.min() < 0.21
    assert 0.59 < strengths.max() < 0.65
    quartiles = strengths.quantile(torch.tensor([0.25, 0.5, 0.75]))
    torch.testing.assert_close(quartiles, torch.tensor([0.3, 0.4, 0.5]), atol=0.015, rtol=0)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(("span", "lowest"), [((0.0, 1.0), 0), ((-1.0, 1.0), -1), (None, 0)])
def test_masking_hides_its_share_of_the_pixels_in_all_channels(some, rate, span, lowest):
    x = some(100, 3, 20, 20) + 2
    noisy, hidden = Masking(span, rate)(x, KeyedRandom(0))
    assert hidden is not None
    assert abs(hidden.float().mean() - rate) < 0.01
    assert torch.equal(noisy == lowest, hidden.expand_as(x))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("span", [(0.0, 1.0), (-1.0, 1.0)])
def test_salt_and_pepper_are_even_and_replace_their_share(some, rate, span):
    x = some(100, 3, 20, 20) + 2
    noisy, hidden = SaltAndPepper(span, rate)(x, KeyedRandom(0))
    black, white = ((noisy == value).all(1, keepdim=True) for value in span)
    assert hidden is not None
    assert torch.equal(black | white, hidden)
    assert abs(black.float().mean() - rate / 2) < 0.01
    assert abs(white.float().mean() - rate / 2) < 0.01


@pytest.mark.parametrize("part", [Masking, SaltAndPepper])
def test_a_range_of_rates_is_drawn_evenly_one_for_each_image(part):
    _, hidden = part((0.0, 1.0), rate=(0.2, 0.6))(
        torch.full((2000, 1, 30, 30), 0.5), KeyedRandom(0)
    )
    quartiles = hidden.float().flatten(1).mean(1).quantile(torch.tensor([0.25, 0.5, 0.75]))
    torch.testing.assert_close(quartiles, torch.tensor([0.3, 0.4, 0.5]), atol=0.015, rtol=0)


# -- poisson ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.05, 0.5, 1.0])
@pytest.mark.parametrize("peak", [1, 30, 1000])
def test_photons_are_counted_as_poisson_has_it(peak, level):
    x = torch.full((40, 1, 50, 50), level)
    counts = PoissonNoise((0.0, 1.0), peak)(x, KeyedRandom(0))[0].double() * peak
    torch.testing.assert_close(counts, counts.round(), atol=1e-3, rtol=0)
    seen = np.bincount(counts.round().long().flatten().numpy())
    expected = stats.poisson.pmf(np.arange(len(seen)), peak * level) * counts.numel()
    often = expected > 20
    assert (
        stats.chisquare(
            seen[often], expected[often] * seen[often].sum() / expected[often].sum()
        ).pvalue
        > 1e-4
    )
    assert seen[~often].sum() < 20 + 3 * expected[~often].sum()


def test_photon_noise_is_the_same_on_both_scales(some):
    x = some(20, 3, 9, 7)
    unit, symmetric = (
        PoissonNoise((0.0, 1.0), 10)(x, KeyedRandom(0))[0],
        PoissonNoise((-1.0, 1.0), 10)(2 * x - 1, KeyedRandom(0))[0],
    )
    # rates that round otherwise
    assert (((symmetric + 1) / 2 - unit).abs() > 1e-5).float().mean() < 0.01


def test_a_range_of_peaks_is_drawn_one_for_each_image():
    noisy = PoissonNoise((0.0, 1.0), (10, 40))(torch.ones(2000, 1, 30, 30), KeyedRandom(0))[0]
    quartiles = (1 / noisy.flatten(1).var(1)).quantile(torch.tensor([0.25, 0.5, 0.75]))
    torch.testing.assert_close(quartiles, torch.tensor([17.5, 25.0, 32.5]), atol=1.5, rtol=0)


def test_clipped_photon_noise_stays_in_the_range_and_values_below_it_are_black(some):
    x = some(20, 1, 9, 9) * 2 - 0.5
    noisy, _ = PoissonNoise((0.0, 1.0), 5, clip=True)(x, KeyedRandom(0))
    assert noisy.min() == 0
    assert noisy.max() == 1
    assert (noisy[x <= 0] == 0).all()


# -- jpeg ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def smooth() -> torch.Tensor:
    """Six smooth pictures, `(6, 3, 33, 18)`, in [0, 1]."""
    small = torch.rand(6, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(small, (33, 18), mode="bilinear")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_jpeg_is_what_pillow_writes_and_alpha_is_kept(smooth, channels):
    x = torch.cat([smooth, smooth[:, :1]], dim=1)[:, :channels]
    noisy, _ = JpegArtefacts((0.0, 1.0), quality=20)(x, KeyedRandom(0))
    colours = 3 if channels >= 3 else 1
    for image, found in zip(x, noisy):
        raw = (image[:colours].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        file = BytesIO()
        Image.fromarray(raw.squeeze()).save(file, "JPEG", quality=20)
        expected = np.asarray(Image.open(file)).reshape(raw.shape) / 255
        np.testing.assert_allclose(found[:colours].permute(1, 2, 0), expected, atol=1e-6)
    assert torch.equal(noisy[:, colours:], x[:, colours:])


def test_a_higher_quality_is_nearer_and_both_scales_see_the_same(smooth):
    errors = [
        (JpegArtefacts((0.0, 1.0), q)(smooth, KeyedRandom(0))[0] - smooth).square().mean()
        for q in (5, 30, 95)
    ]
    assert errors[0] > errors[1] > errors[2]
    unit, symmetric = (
        JpegArtefacts((0.0, 1.0))(smooth, KeyedRandom(0))[0],
        JpegArtefacts((-1.0, 1.0))(2 * smooth - 1, KeyedRandom(0))[0],
    )
    torch.testing.assert_close((symmetric + 1) / 2, unit, atol=1e-5, rtol=0)


# -- mixed -----------------------------------------------------------------------------------------


def test_a_mixture_takes_each_of_its_corruptions_as_often_and_each_image_gets_one(some):
    x = some(900, 1, 6, 6)
    of = [
        "none",
        {"kind": "masking", "rate": 0.999999},
        {"kind": "gaussian", "sigma": 5.0, "clip": True},
    ]
    noisy, hidden = corrupt("mixed", (0.0, 1.0), x, of=of)
    assert hidden is None
    clean, masked = ((noisy == target).flatten(1).all(1) for target in (x, torch.zeros_like(x)))
    assert not (clean & masked).any()
    for share in (clean.float().mean(), masked.float().mean()):
        assert abs(share - 1 / 3) < 0.06
    extreme = ((noisy == 0) | (noisy == 1))[~clean & ~masked].float().mean()
    assert extreme > 0.8


def test_a_mixture_of_one_is_that_one(some):
    x = some(20, 3, 9, 7)
    only = {"kind": "salt-and-pepper", "rate": (0.1, 0.5)}
    noisy, _ = corrupt("mixed", (0.0, 1.0), x, KeyedRandom(3), of=[only])
    assert torch.equal(
        noisy, corrupt("salt-and-pepper", (0.0, 1.0), x, KeyedRandom(3), rate=(0.1, 0.5))[0]
    )


def test_a_mixture_leaves_no_image_out_where_one_choice_meets_the_next(some, monkeypatch):
    x, uniform = some(3, 1, 4, 4), KeyedRandom.uniform
    chosen = torch.tensor([0, 1 / 3, 2 / 3], dtype=torch.float64).view(3, 1, 1, 1)

    def at_the_boundaries(random, purpose, like):
        return chosen if purpose == "which" else uniform(random, purpose, like)

    monkeypatch.setattr(KeyedRandom, "uniform", at_the_boundaries)
    of = ["none", {"kind": "masking", "rate": 0.999999}, {"kind": "gaussian", "sigma": 0.1}]
    noisy, _ = corrupt("mixed", (0.0, 1.0), x, of=of)
    assert torch.equal(noisy[0], x[0])
    assert torch.equal(noisy[1], 0 * x[1])
    assert 0 < (noisy[2] - x[2]).abs().max() < 1


def test_a_mixture_reports_the_faults_of_all_its_corruptions():
    with pytest.raises(NarrowsError) as caught:
        corrupt(
            "mixed",
            (0.0, 1.0),
            torch.zeros(1, 1, 3, 3),
            of=["nosie", {"kind": "gaussian", "sigma": -1}],
        )
    assert "no corruption called 'nosie'" in str(caught.value)
    assert "sigma: got -1" in str(caught.value)


# -- noise of the user's own -----------------------------------------------------------------------


def test_pairs_are_the_noisy_images_that_came_with_the_draw(some):
    x, noisy = some(6, 3, 9, 7), some(6, 3, 9, 7) + 1
    found, hidden = corrupt("pairs", (0.0, 1.0), x, KeyedRandom(0, noisy=noisy))
    assert found is noisy
    assert hidden is None
    with pytest.raises(
        BuildError, match="pairs: got 'clean images alone', expected noisy ones with them"
    ):
        corrupt("pairs", (0.0, 1.0), x, PerImageRandom(x, 0))


# -- all of them -----------------------------------------------------------------------------------


@sets
def test_scoring_noise_belongs_to_the_image_whatever_is_next_to_it(some, name, span):
    x = some(6, 3, 9, 7)
    whole, _ = corrupt(name, span, x, PerImageRandom(x, 1, "evaluate"))
    for part in (slice(2, 5), slice(4, 5)):
        assert torch.equal(
            whole[part], corrupt(name, span, x[part], PerImageRandom(x[part], 1, "evaluate"))[0]
        )


@sets
def test_the_order_in_memory_changes_nothing(some, name, span):
    x = some(6, 3, 9, 7)
    last = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(corrupt(name, span, x)[0], corrupt(name, span, last)[0])


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("gaussian", {"sigma": 0}, "sigma: got 0, expected a number > 0, or"),
        ("gaussian", {"sigma": -1}, "sigma: got -1"),
        ("gaussian", {"sigma": float("nan")}, "sigma: got nan"),
        ("gaussian", {"sigma": [0.5, 0.2]}, "sigma: got"),
        ("gaussian", {"sigma": [0, 0]}, "sigma: got"),
        ("gaussian", {"sigma": [0.1, 0.2, 0.3]}, "sigma: got"),
        ("gaussian", {"sigma": []}, "sigma: got"),
        ("gaussian", {"sigma": "much"}, "wrong type"),
        ("masking", {"rate": 0}, "rate: got 0, expected a share"),
        ("masking", {"rate": 1}, "rate: got 1"),
        ("salt-and-pepper", {"rate": 1.5}, "rate: got 1.5"),
        ("salt-and-pepper", {"rate": [0.5, 1.5]}, "rate: got"),
        ("masking", {"rate": [0, 0]}, "rate: got"),
        ("poisson", {"peak": 0}, "peak: got 0, expected a number > 0, or"),
        ("poisson", {"peak": [0, 10]}, "peak: got .*, both > 0"),
        ("jpeg", {"quality": 0}, "quality: got 0, expected an integer in 1..95, or"),
        ("jpeg", {"quality": 96}, "quality: got 96"),
        ("jpeg", {"quality": 0.5}, "quality: got 0.5, expected integers"),
        ("jpeg", {"quality": [0, 50]}, "quality: got .*, expected integers"),
        ("mixed", {"of": []}, "of: got .*, expected a list of corruptions"),
        ("mixed", {"of": "gaussian"}, "of: got 'gaussian', expected a list of corruptions"),
        (
            "mixed",
            {"of": [{"kind": "masking", "only_hidden": True}]},
            "only_hidden: got True, expected False",
        ),
        (
            "mixed",
            {"of": ["gaussian", "pairs"]},
            "of: got 'pairs', expected corruptions that make noise",
        ),
    ],
)
def test_wrong_strengths_are_refused(name, options, words):
    with pytest.raises(BuildError, match=words):
        choose("corruption", CORRUPTIONS, {"kind": name, **options}, bounds=(0.0, 1.0))
