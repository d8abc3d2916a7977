"""Names of measures in words: the view, the unit, and the scale where a measure depends on it."""

import pytest

from narrows.measure.names import MEASURE_NAMES, SCALED, measure_title, measure_unit, with_unit


@pytest.mark.parametrize(
    ("name", "scale", "title"),
    [
        ("mse", "", "MSE, per pixel"),
        ("mse", "[0, 1]", "MSE, per pixel on [0, 1]"),
        ("denoised_mse", "[-1, 1]", "MSE after denoising, per pixel on [-1, 1]"),
        ("noisy_psnr", "[0, 1]", "PSNR of the noisy input, dB"),
        ("sampled_ssim", "", "SSIM with a sampled code"),
        ("ssim", "[0, 1]", "SSIM, on [0, 1]"),
        ("parameters", "[0, 1]", "parameters"),
        ("active_units", "", "active units, of an image, on average"),
        ("denoised_beauty", "[0, 1]", "denoised_beauty"),
        (7, "", "7"),
    ],
)
def test_a_title_has_the_view_the_unit_and_the_scale(name, scale, title):
    assert measure_title(name, scale) == title


@pytest.mark.parametrize("name", MEASURE_NAMES)
@pytest.mark.parametrize("view", ["", "noisy_"])
def test_the_unit_has_the_scale_only_where_the_measure_depends_on_it(name, view):
    unit = MEASURE_NAMES[name][1]
    expected = f"{unit} on [0, 1]".strip() if name in SCALED else unit
    assert measure_unit(view + name, "[0, 1]") == expected
    assert measure_unit("beauty", "[0, 1]") == ""


def test_a_title_without_a_unit_has_no_comma():
    assert with_unit("loss", "") == "loss"
    assert with_unit("loss", "nats") == "loss, nats"
