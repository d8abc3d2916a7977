"""Our codec among those that are compared: models are trained once, and rows say what files have."""

import numpy as np
import pytest

from narrows.bench import codec_ours as module
from narrows.bench.codec_ours import code_points, level_points, train
from narrows.bench.codec_ways import OURS, WAYS
from narrows.codec.compress import compress
from narrows.codec.decompress import decompress
from narrows.codec.model_files import load, load_pixel_model
from narrows.codec.palette import best_palette
from narrows.codec.rates import distortion
from narrows.errors import ImageError
from narrows.model.estimator.autoencoder import Autoencoder
from small_pixel_models import categorical, strokes

IMAGES = strokes(12)
# nobody trained these models, so they may make nothing smaller
pytestmark = pytest.mark.filterwarnings("ignore::narrows.errors.NarrowsWarning")


@pytest.fixture
def trained(monkeypatch):
    """The trainings that are asked for, as (images, levels, best); the models are small."""
    asked = []

    def make(images, levels, best):
        asked.append((len(images), levels, best))
        return categorical(levels or 256)

    monkeypatch.setattr(module, "fit_pixel_model", make)
    return asked


@pytest.mark.parametrize(("name", "best"), [(OURS, False), (f"{OURS}-best", True)])
def test_our_way_returns_the_images_with_the_model_that_it_trained(trained, tmp_path, name, best):
    way = WAYS[name]
    assert way.train
    way.train(IMAGES, tmp_path / "m.model")
    coder = way.open(tmp_path / "m.model")
    files = coder.encode(IMAGES)
    assert np.array_equal(coder.decode(files, [image.shape for image in IMAGES]), IMAGES)
    model = load_pixel_model(tmp_path / "m.model")
    assert files == [compress(model, IMAGES, apart=True)]
    assert trained == [(len(IMAGES), None, best)]


def test_a_row_for_each_number_of_levels_whose_models_are_trained_once(trained, tmp_path):
    rows = level_points(IMAGES, "archive", lambda: IMAGES, tmp_path / "m.model")
    assert [row["quality"] for row in rows] == list(module.LEVELS)
    assert trained == [(len(IMAGES), levels, False) for levels in module.LEVELS]
    for row in rows:
        palette = best_palette(IMAGES, row["quality"])
        nearest = palette.image(palette.indices(IMAGES))
        assert row["psnr"] == distortion(IMAGES, nearest)["psnr"]
        file = tmp_path / f"m-{row['quality']}.model"
        archive = compress(load_pixel_model(file), IMAGES, levels=row["quality"], apart=True)
        assert row["bytes"] == row["bytes, no header"] == len(archive) / len(IMAGES)
        inside = row["bytes"] + file.stat().st_size / len(IMAGES)
        assert row["bytes, model inside"] == pytest.approx(inside)
    level_points(IMAGES, "archive", lambda: IMAGES, tmp_path / "m.model")
    assert len(trained) == len(module.LEVELS)


def test_a_row_for_each_price_of_a_code_whose_models_are_trained_once(monkeypatch, tmp_path):
    asked = []

    def autoencoder(weight):
        asked.append(weight)
        bottleneck = {"kind": "rounded", "size": 4, "weight": weight}
        return Autoencoder("mlp", bottleneck, epochs=1, random_state=0)

    monkeypatch.setattr(module, "_autoencoder", autoencoder)
    for _ in range(2):
        rows = code_points(IMAGES, "archive", lambda: IMAGES, tmp_path / "m.model")
        assert [row["quality"] for row in rows] == asked == list(module.WEIGHTS)
    for row in rows:
        model = load(tmp_path / f"m-{row['quality']}.safetensors")
        archive = compress(model, IMAGES, mode="code")
        assert row["bytes"] == len(archive) / len(IMAGES)
        assert row["psnr"] == distortion(IMAGES, decompress(archive, model))["psnr"]


def test_images_for_which_there_is_no_model_are_refused(tmp_path):
    with pytest.raises(ImageError):
        train(IMAGES.astype(np.float32), tmp_path / "m.model")
    assert not list(tmp_path.iterdir())
