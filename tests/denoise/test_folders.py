"""What is said of the noise of pictures, and which are skipped."""

import numpy as np
import pytest

from narrows.data.readers.picture_stream import Picture
from narrows.denoise.denoise import Options, denoise_picture
from narrows.denoise.folders import NoiseReport, denoise_pictures


def test_pictures_are_cleaned_one_by_one_and_nan_is_skipped(grey, with_noise):
    bad = grey.copy()
    bad[3, 4] = np.nan
    pictures = [Picture(name, x, "F") for name, x in (("a", with_noise(grey)), ("b", bad))]
    skipped, report = [], NoiseReport()
    results = denoise_pictures(pictures, lambda *row: skipped.append(row), Options(), report)
    assert [picture.name for picture, _ in results] == ["a"]
    assert skipped == [("b", "values that are NaN or infinity: 1; replace them first")]
    (line,) = report.lines()
    assert "of 255" in line


def test_one_picture_has_its_sigma_and_several_have_a_range(grey, with_noise):
    report = NoiseReport()
    report.add(denoise_picture(with_noise(grey, 0.1)))
    (line,) = report.lines()
    assert 0.09 < float(line.split("σ = ")[1].split(" ")[0]) < 0.11
    report.add(denoise_picture(with_noise(grey, 0.02)))
    (line,) = report.lines()
    assert "in 2 pictures" in line


@pytest.mark.parametrize("axis", [0, 1])
def test_correlated_noise_is_reported(grey, axis):
    noise = np.random.default_rng(0).normal(0, 0.15, grey.shape)
    blurred = (noise + np.roll(noise, 1, axis)) / 2
    report = NoiseReport()
    report.add(denoise_picture((grey + blurred).astype(np.float32)))
    assert any("correlated in 1 of 1" in line for line in report.lines())


def test_of_noise_that_was_given_nothing_is_said(grey, with_noise):
    report = NoiseReport()
    report.add(denoise_picture(with_noise(grey), options=Options(sigma=0.1)))
    assert not list(report.lines())
