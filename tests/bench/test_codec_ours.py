"""Our codec among those that are compared: models are trained once, and rows say what files have."""

import numpy as np
import pytest

from narrows.bench import codec_ours as module
from narrows.bench.codec_ours import points, train
from narrows.bench.codec_ways import OURS, WAYS
from narrows.codec.compress import compress
from narrows.codec.model_files import load_pixel_model
from narrows.codec.palette import best_palette
from narrows.codec.rates import distortion
from narrows.errors import BuildError
from small_pixel_models import categorical, strokes

IMAGES = strokes(12)
# nobody trained these models, so they may make nothing smaller
pytestmark = pytest.mark.filterwarnings("ignore:the pixel model makes nothing smaller")


@pytest.fixture
def trained(monkeypatch):
    """The trainings that are asked for, as (values of the images, levels); the models are small."""
    asked = []

    def make(images, levels, training):
        asked.append((len(np.unique(list(images))), levels))
        return categorical(levels or 256)

    monkeypatch.setattr(module, "train_pixel_model", make)
    return asked


def test_our_way_returns_the_images_with_the_model_that_it_trained(trained, tmp_path):
    way = WAYS[OURS]
    assert way.train
    way.train(IMAGES, tmp_path / "m.model")
    coder = way.open(tmp_path / "m.model")
    files = coder.encode(IMAGES)
    assert np.array_equal(coder.decode(files, [image.shape for image in IMAGES]), IMAGES)
    model = load_pixel_model(tmp_path / "m.model")
    assert files == [compress(model, IMAGES, apart=True)]
    assert trained == [(len(np.unique(IMAGES)), None)]


def test_a_row_for_each_number_of_levels_whose_models_are_trained_once(trained, tmp_path):
    rows = points(IMAGES, "archive", lambda: IMAGES, tmp_path / "m.model")
    assert [row["quality"] for row in rows] == list(module.LEVELS)
    assert [levels for _, levels in trained] == list(module.LEVELS)
    for row in rows:
        palette = best_palette(IMAGES, row["quality"])
        nearest = palette.image(palette.indices(IMAGES))
        assert row["psnr"] == distortion(IMAGES, nearest)["psnr"]
        file = tmp_path / f"m-{row['quality']}-levels.model"
        archive = compress(load_pixel_model(file), IMAGES, levels=row["quality"], apart=True)
        assert row["bytes"] == row["bytes, no header"] == len(archive) / len(IMAGES)
        inside = row["bytes"] + file.stat().st_size / len(IMAGES)
        assert row["bytes, model inside"] == pytest.approx(inside)
    points(IMAGES, "archive", lambda: IMAGES, tmp_path / "m.model")
    assert len(trained) == len(module.LEVELS)


def test_images_for_which_there_is_no_model_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "train_pixel_model", lambda *given: None)
    with pytest.raises(BuildError, match="no pixel model for images of this type"):
        train(IMAGES, tmp_path / "m.model")
    assert not list(tmp_path.iterdir())
