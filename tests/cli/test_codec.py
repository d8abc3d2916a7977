"""codec train: a pixel model of any images, which compress then takes."""

import numpy as np
import pytest
from PIL import Image

import narrows as nw
from narrows.codec import fitting
from small_pixel_models import categorical, strokes


@pytest.fixture
def asked(monkeypatch):
    """What is trained, without training: images, their kind, number of values, and how."""
    trainings = []

    def fit(images, kind, values, training, progress):
        progress(1, 2, 3.0)
        trainings.append((np.array(images), kind, values, training))
        return categorical(values)

    monkeypatch.setitem(fitting.TRAINERS, "categorical", fit)
    return trainings


def test_codec_train_writes_a_model_that_compress_takes(narrows, tmp_path, asked):
    np.save(tmp_path / "in.npy", strokes(9))
    model = tmp_path / "m.nrwm"
    found = narrows("codec", "train", "--data", tmp_path / "in.npy", "-o", model, "--seed", "3")
    assert (found.code, found.out.strip()) == (0, str(model))
    ((images, kind, values, training),) = asked
    np.testing.assert_array_equal(images[..., 0], strokes(9))
    assert (kind, values, training.random_state) == (("uint8", 1), 256, 3)
    assert not training.best
    assert nw.load(model).digest == categorical().digest
    assert narrows("info", model, "--json").json()["values"] == 256
    to = ["-o", tmp_path / "x.nrw", "--apart"]
    assert narrows("compress", model, tmp_path / "in.npy", *to).code == 0


def test_codec_train_with_levels_sees_their_numbers(narrows, tmp_path, asked):
    np.save(tmp_path / "in.npy", strokes(9))
    to = ["-o", tmp_path / "m.nrwm", "--levels", "4", "--json"]
    facts = narrows("codec", "train", "--data", tmp_path / "in.npy", *to).json()
    ((images, _, values, _),) = asked
    assert (set(np.unique(images)), values, facts["values"]) == ({0, 1, 2, 3}, 4, 4)


def test_codec_train_of_the_best_model(narrows, tmp_path, asked):
    np.save(tmp_path / "in.npy", strokes(9))
    to = ["-o", tmp_path / "m.nrwm", "--best"]
    assert narrows("codec", "train", "--data", tmp_path / "in.npy", *to).code == 0
    ((*_, training),) = asked
    assert training.best


def test_codec_train_takes_the_train_split_of_a_set(narrows, tmp_path, asked):
    assert narrows("codec", "train", "--data", "digits", "-o", tmp_path / "m.nrwm").code == 0
    np.testing.assert_array_equal(asked[0][0][..., 0], nw.load_data("digits", split="train")[0])


def test_codec_train_takes_those_pictures_of_which_there_are_most(narrows, tmp_path, asked):
    for k, image in enumerate(strokes(5)):
        Image.fromarray(image).save(tmp_path / f"{k}.png")
    Image.new("RGB", (5, 5)).save(tmp_path / "colour.png")
    (tmp_path / "broken.png").write_bytes(b"none")
    found = narrows("codec", "train", "--data", tmp_path, "-o", tmp_path / "m.nrwm")
    assert "skipped broken.png" in found.err
    assert (len(asked[0][0]), asked[0][1]) == (5, ("uint8", 1))


def test_codec_train_refuses_what_has_no_model(narrows, refused, tmp_path, asked):
    np.save(tmp_path / "in.npy", np.random.default_rng(0).random((4, 5, 6)))
    to = ["-o", tmp_path / "m.nrwm"]
    said = refused(1, "codec", "train", "--data", tmp_path / "in.npy", *to)
    assert "there is no pixel model for images of this type" in said
    assert "written as .nrwm" in refused(
        1, "codec", "train", "--data", "digits", "-o", tmp_path / "m.nrw"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["in.npy"]
    assert narrows("codec", "train", "--data", "digits", *to).code == 0
    assert "exists already" in refused(1, "codec", "train", "--data", "digits", *to)
    assert "Example: narrows codec train" in narrows("codec", "train", "--help").out
