"""What pictures look at: chosen images, and what a model makes of what it is fed."""

import numpy as np
import pytest
from PIL import Image

from narrows.data import ImageSet
from narrows.data import read_data as read_data
from narrows.errors import BuildError, DataError, UnknownName
from narrows.study import trained as shown
from narrows.study.data_split import read_split
from narrows.study.trained import FED, class_names, summed_errors


@pytest.fixture
def run(models):
    return models["grey-3"]


@pytest.fixture
def garments(monkeypatch):
    """Another set, "garments", of ten white images of 8 x 8, and one of 9 x 9, "large"."""
    sets = {"garments": (10, 8, 8), "large": (10, 9, 9)}
    monkeypatch.setattr(
        shown, "read_data", lambda name, part: ImageSet(np.full(sets[name], 255, np.uint8))
    )
    shown._other.cache_clear()
    yield
    shown._other.cache_clear()


# -- sets and their parts --------------------------------------------------------------------------


def test_the_parts_are_those_of_the_data_and_validation_is_what_the_model_held_back(run, sets):
    grey = sets["grey"]
    held = run.model.validation_index_
    assert len(held) == 32
    parts = {
        "test": (grey.test.images, grey.test.labels),
        "train": (grey.train.images, grey.train.labels),
        "validation": (grey.train.images[held], grey.train.labels[held]),
    }
    for name, (images, labels) in parts.items():
        found = run.part(name)
        np.testing.assert_array_equal(found[0], images)
        np.testing.assert_array_equal(found[1], labels)


def test_a_model_that_held_nothing_back_is_shown_on_test_images(models, sets):
    np.testing.assert_array_equal(models["grey-1"].part("validation")[0], sets["grey"].test.images)
    assert models["table-ae"].part("test")[1] is None


def test_noise_is_uniform_whole_numbers_below_255_and_the_same_each_time(models):
    images, labels = models["colour-vae"].part("noise")
    assert (images.shape[1:], images.dtype, labels) == ((8, 8, 3), np.uint8, None)
    assert images.max() == 254
    assert images.mean() == pytest.approx(127, abs=4)
    np.testing.assert_array_equal(
        images, np.random.default_rng(0).integers(0, 255, images.shape, np.uint8)
    )


def test_other_sets_are_there_by_name_if_their_images_fit(run, garments):
    assert run.part("garments")[0].shape == (10, 8, 8)
    with pytest.raises(
        BuildError, match=r"images of large: got \(9, 9\), expected images of \(8, 8\)"
    ):
        run.part("large")


def test_a_set_that_there_is_not_is_refused(run):
    with pytest.raises(UnknownName, match="no data set called 'validaton'"):
        run.part("validaton")


def test_what_it_knows_of_its_training(models):
    trained, pca = models["grey-3"], models["grey-pca"]
    assert (trained.steps, pca.steps) == (2 * 8, 0)
    assert trained.history is trained.model.history_
    assert pca.history == {}


# -- choosing images -------------------------------------------------------------------------------


def test_images_are_picked_by_range_or_by_place_and_named(run, sets):
    X = sets["grey"].test.images / 255
    choices = {
        "start": ({"start": 3, "count": 4}, [3, 4, 5, 6]),
        "place": ({"index": [30, 2, 30]}, [30, 2, 30]),
        "none": (None, list(range(10))),
        "table": ({}, list(range(10))),
        "beyond the end": ({"start": 38, "count": 10}, [38, 39]),
    }
    for choice, places in choices.values():
        x, names = run.pick(choice)
        np.testing.assert_allclose(x, X[places], atol=1e-7)
        assert x.dtype == np.float32
        assert names == [f"test {k}" for k in places]
    assert len(run.pick({"start": 3}, most=2)[1]) == 2


def test_a_list_of_choices_is_joined(run, sets, garments):
    x, names = run.pick(
        [{"on": "train", "index": [7]}, {"on": "garments", "count": 2}, {"on": "noise"}]
    )
    assert names == ["train 7", "garments 0", "garments 1", "noise 0"]
    np.testing.assert_allclose(x[0], sets["grey"].train.images[7] / 255, atol=1e-7)
    assert x[1:3].min() == 1


BEYOND = [
    {"index": [40]},
    {"index": [99, 3]},
    {"index": [-1]},
    {"index": []},
    {"start": 40},
    [{}, {"start": 99}],
]


@pytest.mark.parametrize("choice", BEYOND)
def test_images_that_there_are_not_are_refused(run, choice):
    with pytest.raises(BuildError, match=r"images: got .*, expected places from 0 to 39"):
        run.pick(choice)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"indx": [1]}, "no option of images called 'indx'; did you mean 'index'?"),
        ("test", "images: got 'test', expected a table of on, start, count, index"),
        ([3], "images: got 3, expected a table of on"),
    ],
)
def test_choices_that_say_something_else_are_refused(run, choice, said):
    with pytest.raises((BuildError, UnknownName)) as caught:
        run.pick(choice)
    assert said in str(caught.value)


# -- what a model is fed ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["grey-3", "grey-pca", "grey-side", "colour-vae", "table-ae"])
def test_fed_as_it_is_a_model_reconstructs(models, name):
    run = models[name]
    x, _ = run.pick({"count": 5})
    for fed in (None, {}, dict(FED)):
        given, made = run.feed(x, fed)
        np.testing.assert_array_equal(given, x)
        np.testing.assert_array_equal(made, run.model.reconstruct(x, exact=True))


def test_noise_has_its_strength_and_belongs_to_the_seed(run):
    x = run.part("train")[0][:50] / np.float32(255)
    noise = {seed: run.feed(x, {"noise": 0.7, "seed": seed})[0] - x for seed in (0, 0, 1)}
    assert noise[0].std() == pytest.approx(0.7, rel=0.05)
    assert abs(noise[0].mean()) < 0.05
    assert not np.allclose(noise[0], noise[1])
    np.testing.assert_array_equal(run.feed(x, {"noise": 0.7})[0] - x, noise[0])


@pytest.mark.parametrize(("times", "noise"), [(1, 0.7), (255, 90.0)])
def test_clipped_noise_stays_within_what_pixels_can_be(run, times, noise):
    x, _ = run.pick({})
    noisy, clipped = (
        run.feed(x, {"noise": noise, "clip": clip, "times": times})[0] for clip in (False, True)
    )
    np.testing.assert_allclose(clipped, noisy.clip(0, 1), atol=1e-6)
    assert (clipped == 0).any()
    assert (clipped > 0.3).any()


@pytest.mark.filterwarnings("ignore:these images run from")
def test_the_trap_feeds_larger_pixels_next_to_the_same_noise(models):
    run = models["grey-relu"]
    x, _ = run.pick({"count": 6})
    faithful, trap = (run.feed(x, {"noise": 0.9, "times": times}) for times in (1, 255))
    np.testing.assert_allclose((trap[0] - x) * 255, faithful[0] - x, atol=1e-4)
    direct = run.model.reconstruct(trap[0] * np.float32(255), exact=True) / 255
    np.testing.assert_allclose(trap[1], direct, atol=1e-5)


def test_a_linear_model_without_biases_does_not_mind_the_scale(models):
    x, _ = models["grey-linear"].pick({})
    faithful, trap = (models["grey-linear"].feed(x, {"times": times})[1] for times in (1, 255))
    np.testing.assert_allclose(trap, faithful, atol=1e-5)
    faithful, trap = (models["grey-pca"].feed(x, {"times": times})[1] for times in (1, 255))
    assert np.abs(trap - faithful).max() > 0.1


@pytest.mark.parametrize(
    ("fed", "said"),
    [
        ({"nois": 1}, "no option of fed called 'nois'; did you mean 'noise'?"),
        ({"times": 0}, "times: got 0, expected a number above 0"),
        ("noise", "fed: got 'noise', expected a table of times, noise, clip, seed"),
    ],
)
def test_other_food_is_refused(run, fed, said):
    with pytest.raises((BuildError, UnknownName)) as caught:
        run.feed(run.pick({})[0], fed)
    assert said in str(caught.value)


# -- small things ----------------------------------------------------------------------------------


def test_errors_are_summed_over_all_values_of_an_image_and_kept_exact():
    random = np.random.default_rng(0)
    for shape in ((4, 6), (4, 3, 5), (4, 3, 5, 3)):
        a, b = random.random((2, *shape)).astype(np.float32)
        direct = [
            sum((float(p) - float(q)) ** 2 for p, q in zip(x.ravel(), y.ravel()))
            for x, y in zip(a, b)
        ]
        np.testing.assert_allclose(summed_errors(a, b), direct, rtol=1e-6)


def test_classes_have_names_or_numbers():
    assert class_names([2, 0, 1], ("a", "b", "c")) == ["a", "b", "c"]
    assert class_names([2, 0, 1], None) == ["0", "1", "2"]


# -- reading a set ---------------------------------------------------------------------------------


def test_a_set_with_parts_is_read_by_its_parts():
    found = read_split("digits")
    assert found.train.fingerprint == read_data("digits", "train").fingerprint
    assert found.test.fingerprint == read_data("digits", "test").fingerprint


def test_a_set_without_parts_is_split_so_that_no_image_is_in_both(pictures):
    data = pictures(21)
    found, whole = read_split(data), read_data(data, "all")
    assert (len(found.train), len(found.test)) == (19, 2)
    assert found.train.names
    assert found.test.names
    assert whole.names
    assert sorted(found.train.names + found.test.names) == sorted(whole.names)
    for part in (found.train, found.test):
        assert part.names
        images = [whole.images[whole.names.index(name)] for name in part.names]
        np.testing.assert_array_equal(part.images, images)


def test_one_image_is_too_few(pictures):
    with pytest.raises(DataError, match="holds one image; two at least are needed"):
        read_split(pictures(1))


def test_a_test_part_that_cannot_be_read_is_an_error_not_a_random_split(tmp_path):
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        for k in range(4):
            Image.new("L", (3, 3), 50 * k).save(tmp_path / part / f"{k}.png")
    assert len(read_split(str(tmp_path)).test) == 4
    for path in (tmp_path / "test").iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(
        DataError, match=r"none of the 4 images in .* can be read; the first, test/0\.png"
    ):
        read_split(str(tmp_path))
    for path in (tmp_path / "test").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"holds no images \(split 'test'\)"):
        read_split(str(tmp_path))


def test_a_test_part_of_an_npz_with_wrong_labels_is_an_error_not_a_random_split(tmp_path):
    X = np.zeros((20, 3, 3), np.uint8)
    np.savez(tmp_path / "x.npz", x_train=X, y_train=np.arange(20), x_test=X, y_test=np.arange(3))
    with pytest.raises(DataError, match=r"labels of shape \(3,\) for 20 images"):
        read_split(str(tmp_path / "x.npz"))
    np.savez(tmp_path / "x.npz", x_train=X, y_train=np.arange(20))
    assert len(read_split(str(tmp_path / "x.npz")).train) == 18
