"""Which images a pixel model is trained on, and which kind of model it is."""

import numpy as np
import pytest

import narrows as nw
from narrows.codec import fitting
from narrows.codec.fitting import Training, may_pay, train_pixel_model
from narrows.codec.training import fit, trial
from narrows.codec.training.sizes import ModelSize
from narrows.errors import ImageError
from small_pixel_models import smooth, sparse, strokes

TINY = ModelSize(2, (8, 8), 3, 3, 30, 256)
GENERATOR = np.random.default_rng(0)


@pytest.fixture
def seen(monkeypatch):
    """What each trainer is given, if groups of values are better for grey images."""
    given = []
    monkeypatch.setattr(trial, "better_head", lambda images, values, best: "categorical")
    for head in ("categorical", "mixture"):
        monkeypatch.setitem(
            fitting.TRAINERS, head, lambda *words, head=head: given.append((head, *words))
        )
    return given


@pytest.mark.parametrize(
    ("dtype", "shape", "levels", "head", "values"),
    [
        ("uint8", (5, 6), None, "categorical", 256),
        ("uint8", (5, 6, 1), None, "categorical", 256),
        ("bool", (5, 6), None, "categorical", 2),
        ("uint8", (5, 6), 16, "categorical", 16),
        ("uint16", (5, 6), 300, "mixture", 300),
        ("uint8", (5, 6, 3), None, "mixture", 256),
        ("int16", (5, 6), None, "mixture", 65536),
    ],
)
def test_the_kind_of_model_is_that_of_the_images(seen, dtype, shape, levels, head, values):
    how = Training(7)
    train_pixel_model([np.zeros(shape, dtype)] * 3, levels, how)
    channels = shape[2] if len(shape) == 3 else 1
    ((got, images, kind, got_values, training, _),) = seen
    assert (got, kind, got_values, training) == (head, (dtype, channels), values, how)
    assert [image.shape for image in images] == [(5, 6, channels)] * 3


@pytest.mark.parametrize("head", ["categorical", "mixture"])
def test_a_trial_chooses_the_kind_of_model_of_grey_images(seen, monkeypatch, head):
    tried = []

    def better_head(images, values, best):
        tried.append((len(images), values, best))
        return head

    monkeypatch.setattr(trial, "better_head", better_head)
    for best in (False, True):
        train_pixel_model([np.zeros((5, 6), np.uint8)] * 3, None, Training(best=best))
    train_pixel_model([np.zeros((5, 6), np.uint8)] * 3, 8, Training())
    assert [given[0] for given in seen] == [head, head, "categorical"]
    assert tried == [(3, 256, False), (3, 256, True)]


def test_photographs_are_for_a_mixture_and_drawings_for_groups(monkeypatch):
    monkeypatch.setattr(trial, "STEPS", 150)
    monkeypatch.setattr(trial, "BEST_STEPS", 50)
    drawings = list(sparse(60)[..., None])
    photographs = [smooth((60, 60, 1), seed=seed) for seed in range(3)]
    for best in (False, True):
        assert trial.better_head(drawings, 256, best) == "categorical"
        assert trial.better_head(photographs, 256, best) == "mixture"


def test_floats_and_rows_of_tables_have_no_model(seen):
    assert train_pixel_model([np.zeros((4, 4))], None, Training()) is None
    assert train_pixel_model([], None, Training()) is None
    assert train_pixel_model([np.zeros(9, np.uint8)], None, Training()) is None
    assert not seen
    with pytest.raises(ImageError, match="no pixel model for images of this type"):
        nw.fit_pixel_model(GENERATOR.random((3, 4, 4)))


def test_of_many_images_some_are_taken_evenly_spaced(seen, monkeypatch):
    images = [np.full((4, 4), k, np.uint8) for k in range(100)]
    monkeypatch.setattr(fitting, "MOST_IMAGES", 20)
    train_pixel_model(images, None, Training())
    taken = [image[0, 0, 0] for image in seen[0][1]]
    assert taken == list(range(0, 100, 8))
    monkeypatch.setattr(fitting, "MOST_BYTES", 16 * 10)
    train_pixel_model(images, None, Training())
    assert [image[0, 0, 0] for image in seen[1][1]] == list(range(0, 100, 16))


def test_those_images_are_taken_of_which_there_are_most_bytes(seen):
    small = [np.zeros((2, 2), np.uint8)] * 9
    train_pixel_model([*small, np.zeros((9, 9, 3), np.uint8)], None, Training())
    assert seen[0][2] == ("uint8", 3)


def test_few_images_may_not_pay():
    assert not may_pay(strokes(5))
    assert may_pay(GENERATOR.integers(0, 256, (1000, 8, 8)).astype(np.uint8))


@pytest.mark.filterwarnings("ignore:the pixel model makes nothing smaller")
@pytest.mark.parametrize("levels", [None, 4])
def test_a_fitted_model_compresses_images_like_those(monkeypatch, levels):
    monkeypatch.setattr(fit, "size_for", lambda *_: TINY)
    monkeypatch.setattr(trial, "STEPS", 30)
    images = strokes(40)
    model = nw.fit_pixel_model(images, levels, random_state=3)
    blob = nw.compress(model, images, levels=levels, apart=True)
    back = np.asarray(nw.decompress(blob, model))
    assert len(np.unique(back)) <= (levels or 256)
    assert levels or (back == images).all()
