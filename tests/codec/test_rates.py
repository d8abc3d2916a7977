"""Rate and distortion: more bytes for a better image, and measures that agree with those of `measure`."""

import sys
from math import inf

import numpy as np
import pytest

from narrows.codec.classical import LOSSLESS, LOSSY, STREAMS, why_missing
from narrows.codec.rates import distortion, rate, rate_point, rate_points
from narrows.measure import psnr, ssim


@pytest.fixture(scope="module")
def images():
    """Smooth images `(6, 28, 28)`, uint8."""
    steps = np.random.default_rng(0).integers(-9, 10, (6, 28, 28)).cumsum(1).cumsum(2)
    return (128 + steps).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", LOSSY)
@pytest.mark.parametrize("arrangement", ["each", "sprite"])
def test_a_higher_quality_takes_more_bytes_for_a_better_image(name, arrangement, images):
    if why := why_missing(LOSSY[name].at(LOSSY[name].qualities[0])):
        pytest.skip(why)
    points = rate_points(images, [name], arrangement)
    assert [point["quality"] for point in points] == list(LOSSY[name].qualities)
    for column in ("bytes", "psnr", "ssim"):
        assert points[0][column] < points[-1][column]
    for point in points:
        assert 0 < point["bytes, no header"] < point["bytes"]
        assert point["bpd"] == pytest.approx(8 * point["bytes"] / 28**2)
        assert (point["codec"], point["arrangement"]) == (name, arrangement)


def test_without_loss_the_psnr_is_infinite_and_the_ssim_1(images):
    for codec, arrangement in ((STREAMS["bz2"], "stream"), (LOSSLESS["png"], "each")):
        point = rate_point(codec, images, arrangement)
        assert point["psnr"] == inf
        assert point["ssim"] == pytest.approx(1)


def test_distortion_of_one_image_is_what_measure_says_and_of_many_from_the_mean_error(images):
    worse = images ^ 8
    one = distortion(images[:1], worse[:1])
    assert one["psnr"] == pytest.approx(psnr(images[:1], worse[:1])[0], rel=1e-5)
    assert one["ssim"] == pytest.approx(ssim(images[:1], worse[:1])[0], rel=1e-5)
    half = np.concatenate([images[:3], worse[3:]])
    assert distortion(images, half)["psnr"] == pytest.approx(
        one["psnr"] + 10 * np.log10(2), abs=1e-4
    )


def test_images_of_different_sizes_count_by_their_values(images):
    sizes = [images[0], images[1][:14], images[2]]
    noisy = [sizes[0], sizes[1] ^ 16, sizes[2]]
    share = sizes[1].size / sum(image.size for image in sizes)
    assert distortion(sizes, noisy)["psnr"] == pytest.approx(
        10 * np.log10(255**2 / (16**2 * share)), abs=1e-4
    )
    point = rate_point(LOSSLESS["png"], sizes, "sprite")
    assert point["bytes"] > 0


def test_rates_are_bytes_of_an_image_with_headers_and_without():
    assert rate(1000, [(10, 10), (5, 20)], 200) == {
        "bytes": 500,
        "bytes, no header": 400,
        "bpd": 40,
    }


def test_a_codec_that_is_missing_is_left_out_with_a_sentence(images, monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    said = []
    rows = rate_points(images[:1], ["jpeg", "jpeg-xl"], say=said.append)
    assert {row["codec"] for row in rows} == {"jpeg"}
    assert any("jpeg-xl is left out" in words and "narrows[bench]" in words for words in said)
