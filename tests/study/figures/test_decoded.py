"""Images from codes: the model's own, at the places that are told."""

from collections import Counter

import numpy as np
import pytest

from narrows.data import ImageSet
from narrows.errors import BuildError
from narrows.study.data_split import DataSplit, read_split
from narrows.study.figures import STUDY_FIGURES
from narrows.study.figures.decoded import reader
from narrows.study.trained import Trained


@pytest.fixture(scope="session")
def digits() -> DataSplit:
    return read_split("digits")


def floats(images: np.ndarray) -> np.ndarray:
    return images / 255 if images.dtype == np.uint8 else images


def few(models, images: np.ndarray, labels: np.ndarray | None = None) -> Trained:
    """A model beside other test images."""
    shown = DataSplit(models["grey-3"].split.train, ImageSet(images, labels))
    return Trained("few", models["grey-3"].model, shown)


# -- samples, and a plane --------------------------------------------------------------------------


def test_samples_are_the_models_own_and_say_where_they_come_from(models, picture):
    for name, words in (("colour-vae", "N(0, I)"), ("grey-3", "fitted"), ("grey-pca", "fitted")):
        (figure,) = picture("samples", name, count=3, seed=7)
        np.testing.assert_array_equal(
            figure.arrays["samples"], models[name].model.sample(3, random_state=7)
        )
        assert words in figure.title


def test_a_plane_is_decoded_from_left_to_right_and_from_bottom_to_top(models, picture):
    (figure,) = picture("plane", "grey-2", count=5, reach=2.0)
    shown, model = figure.arrays["plane"], models["grey-2"].model
    corners = np.array([[-2, 2], [2, 2], [-2, -2], [2, -2], [0, 0]], np.float32)
    np.testing.assert_array_equal(shown[[0, 4, 20, 24, 12]], model.inverse_transform(corners))
    assert (len(shown), figure.options["columns"]) == (25, 5)
    with pytest.raises(BuildError, match=r"count, reach: got \(1, 2.0\)"):
        picture("plane", "grey-2", count=1, reach=2.0)


# -- walks, and noise on codes ---------------------------------------------------------------------


def test_the_ends_of_a_walk_are_the_reconstructions(models, sets, picture):
    images, model = sets["grey"].test.images, models["grey-3"].model
    (figure,) = picture("interpolation", "grey-3", pairs=[[3, 8], [1, 30]], steps=7)
    walks = list(figure.arrays.values())
    assert [len(walk) for walk in walks] == [7, 7, 7]
    for walk, (a, b) in zip(walks, ((3, 8), (1, 30))):
        ends = floats(model.inverse_transform(model.transform(images[[a, b]])))
        np.testing.assert_allclose(walk[[0, -1]], ends, atol=1e-6)


def test_mixed_pixels_run_straight_between_the_last_two_images(sets, picture):
    (figure,) = picture("interpolation", "grey-3", pairs=[[3, 8], [1, 30]], steps=5)
    (name,) = [name for name in figure.arrays if name.endswith("pixels mixed")]
    mixed, (a, b) = figure.arrays[name], floats(sets["grey"].test.images[[1, 30]])
    np.testing.assert_allclose(
        mixed, np.stack([a, (3 * a + b) / 4, (a + b) / 2, (a + 3 * b) / 4, b]), atol=1e-6
    )


def test_walks_lead_from_class_to_class(sets, picture):
    (figure,) = picture("interpolation", "grey-3")
    ends = [name.split(" to ") for name in figure.arrays if "mixed" not in name]
    assert len(ends) == 4
    assert len({end for pair in ends for end in pair}) == 8


def test_two_walks_between_the_same_classes_are_both_shown(sets, picture):
    labels = sets["grey"].test.labels
    two = next(label for label, count in Counter(labels.tolist()).items() if count > 2)
    a, b, c = np.flatnonzero(labels == two)[:3].tolist()
    (figure,) = picture("interpolation", "grey-3", pairs=[[a, b], [a, c]])
    assert list(figure.arrays)[:2] == [f"{two} to {two}", f"{two} to {two} ({a}, {c})"]


def test_images_of_one_class_lead_nowhere_and_none_beyond_the_set_are_taken(models, sets, picture):
    images = sets["grey"].test.images
    assert list(STUDY_FIGURES["interpolation"]([few(models, images[:5], np.zeros(5, int))])) == []
    assert list(STUDY_FIGURES["interpolation"]([few(models, images[:1])])) == []
    (figure,) = STUDY_FIGURES["interpolation"]([few(models, images[:5])])
    assert list(figure.arrays) == ["0 to 1", "2 to 3", "2 to 3, pixels mixed"]
    with pytest.raises(BuildError, match=r"pairs: got \[2, 40\], expected places below 40"):
        picture("interpolation", "grey-3", pairs=[[0, 1], [2, 40]])


def test_no_noise_on_a_code_is_the_reconstruction(models, sets, picture):
    (figure,) = picture("perturbed", "grey-3", scales=[0.0, 0.5], images={"start": 6, "count": 3})
    assert list(figure.arrays) == ["test 6", "test 7", "test 8"]
    again = floats(models["grey-3"].model.reconstruct(sets["grey"].test.images[6:9]))
    for k, row in enumerate(figure.arrays.values()):
        np.testing.assert_allclose(row[0], sets["grey"].test.images[6 + k] / 255, atol=1e-6)
        np.testing.assert_allclose(row[1], row[2], atol=1e-6)
        np.testing.assert_allclose(row[1], again[k], atol=1.01 / 255)
        assert not np.array_equal(row[2], row[3])
    assert figure.options["captions"]["test 6"] == ["original", "no noise", "0", "0.5"]


# -- which class an image shows --------------------------------------------------------------------


def test_a_reader_reads_its_own_images_well_and_others_nearly_as_well(digits):
    read, right = reader(digits)
    assert np.mean(read(digits.train.images) == digits.train.labels) > 0.98
    assert right > 0.96
    assert right == np.mean(read(digits.test.images) == digits.test.labels)


def test_a_reader_of_few_images_does_with_those(sets):
    grey = sets["grey"]
    three = DataSplit(ImageSet(grey.train.images[:3], grey.train.labels[:3]), grey.test)
    assert set(reader(three)[0](grey.test.images)) <= set(grey.train.labels[:3])


def test_shares_of_classes_add_up_and_those_of_the_labels_are_theirs(models, sets, picture):
    (figure,) = picture("classes", "grey-2", count=100)
    assert len(figure.arrays) == 3
    for share in figure.arrays.values():
        assert share.shape == (10,)
        assert share.sum() == pytest.approx(1)
    counts = np.bincount(sets["grey"].test.labels, minlength=10)
    np.testing.assert_allclose(figure.arrays["test images, as they are labelled"], counts / 40)
    read, right = reader(models["grey-2"].split)
    made = np.bincount(read(models["grey-2"].model.sample(100)), minlength=10) / 100
    np.testing.assert_allclose(next(iter(figure.arrays.values())), made)
    assert f"{100 * right:.1f} %" in figure.title
    assert len(picture("classes", "grey-3", count=100)[0].arrays) == 2


def test_what_is_legible_without_noise_is_what_is_read_from_reconstructions(models, sets, picture):
    (figure,) = picture(
        "legible", "grey-whole", "grey-3", "grey-side", scales=[0.5, 50.0], count=30
    )
    assert list(figure.arrays) == ["x", "grey-whole", "grey-3"]
    test, (read, right) = sets["grey"].test, reader(sets["grey"])
    for name in ("grey-whole", "grey-3"):
        model = models[name].model
        made = model.inverse_transform(model.transform(test.images[:30]))
        assert figure.arrays[name][0] == np.mean(read(made) == test.labels[:30])
    assert figure.arrays["grey-whole"][0] == np.mean(read(test.images[:30]) == test.labels[:30])
    assert figure.arrays["grey-whole"][2] < 0.5 < figure.arrays["grey-whole"][0]
    assert figure.options["reference"]["the images themselves"] == right
    assert figure.options["reference"]["guessing"] == 0.1
    np.testing.assert_array_equal(figure.arrays["x"], [0, 0.5, 50])


def test_what_has_no_labels_cannot_be_read(models, sets):
    run = few(models, sets["grey"].test.images)
    assert (
        list(STUDY_FIGURES["legible"]([run], scales=[1.0]))
        == list(STUDY_FIGURES["classes"]([run]))
        == []
    )
