"""Rate and distortion of a run: real archives and files, and what is not installed is left out."""

import sys

import numpy as np
import pytest

import narrows as nw
from narrows.codec.classical import LOSSY
from narrows.codec.rates import code_points, level_points
from narrows.data import ImageSet
from narrows.study.data_split import DataSplit
from narrows.study.figures.rates import rate_distortion
from narrows.study.trained import Trained


def test_rate_distortion_has_codes_levels_and_every_codec(picture):
    (figure,) = picture("rate_distortion", "grey-3", "grey-pca", "grey-side")
    names = ["code: grey-3", "code: grey-pca", "few grey levels", *LOSSY]
    assert [*figure.arrays] == names
    assert figure.options["note"].startswith("4 test images; headers")
    for name, rows in figure.arrays.items():
        assert rows.shape[1] == 4
        assert (rows[:, 0] > 0).all()
        assert np.isfinite(rows[:, 1]).all() == (name in LOSSY)  # one header for all in an archive
        assert not (rows[:, 1] < rows[:, 0]).any()


def test_rate_distortion_leaves_out_a_codec_that_is_not_installed_and_says_so(picture, monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    (figure,) = picture("rate_distortion", "grey-pca")
    assert "jpeg-xl" not in figure.arrays
    assert {"jpeg", "webp"} <= set(figure.arrays)
    assert "jpeg-xl is left out: " in figure.options["note"]


@pytest.mark.parametrize("channels", [(), (1,), (3,), (4,)])
def test_rate_distortion_of_images_with_channels(channels):
    images = np.random.default_rng(0).integers(0, 256, (6, 9, 8, *channels), np.uint8)
    run = Trained("p", nw.PCA(2).fit(images), DataSplit(ImageSet(images), ImageSet(images)))
    found = [*rate_distortion([run], count=3)]
    assert bool(found) == (channels != (4,))


def test_points_of_codes_are_those_of_their_archives(models):
    run = models["grey-pca"]
    images = run.part("test")[0][:20]
    rows = code_points(run.model, images)
    assert [row["bytes"] for row in rows] == sorted(row["bytes"] for row in rows)
    assert rows[-1]["psnr"] > rows[0]["psnr"]
    assert all(float(len(images) * row["bytes"]).is_integer() for row in rows)


def test_points_of_grey_levels_rise_to_all_of_them(models):
    images = models["grey-pca"].part("test")[0][:20]
    rows = level_points(images)
    assert [row["quality"] for row in rows] == [2, 3, 4, 8, 16]
    psnr = [row["psnr"] for row in rows]
    assert psnr == sorted(psnr)
