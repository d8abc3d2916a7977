"""Named sets: what each one is. Sets that are not embedded are read where `$NARROWS_DATA` has them."""

import numpy as np
import pytest

from narrows.data import NAMED_SETS, load_data, read_data
from narrows.errors import BuildError, UnknownName

PRINTS = {
    ("mnist", "train"): "1cc0a405f2f18e46",
    ("mnist", "test"): "654b52d6a20bc329",
    ("fashion-mnist", "train"): "c5344ec6f1dc0de6",
    ("fashion-mnist", "test"): "b039e65c044a66df",
}


def test_digits_are_embedded_and_split_by_class():
    train, test, both = (read_data("digits", split) for split in ("train", "test", "all"))
    assert [len(s) for s in (train, test, both)] == [1437, 360, 1797]
    assert train.images.shape[1:] == (8, 8)
    assert (train.images.dtype, train.images.min(), train.images.max()) == (np.uint8, 0, 255)
    shares = np.bincount(test.labels) / np.bincount(both.labels)
    assert np.abs(shares - 0.2).max() < 0.005
    assert test.fingerprint == "77eca2d91e3fcc9e"  # the split is fixed for ever
    assert (test.classes, test.names) == (tuple("0123456789"), None)
    assert "UCI" in test.source


def test_digits_keep_their_values():
    found = read_data("digits", "all").images
    assert np.array_equal(np.unique(found), np.rint(np.arange(17) * 255 / 16).astype(np.uint8))


@pytest.mark.parametrize(("name", "split"), PRINTS)
def test_the_sets_of_60000(has, name, split):
    has(name)
    found = read_data(name, split)
    count = {"train": 60000, "test": 10000}[split]
    assert (found.images.shape, found.images.dtype) == ((count, 28, 28), np.uint8)
    assert (found.labels.shape, found.labels.dtype) == ((count,), np.int64)
    assert np.bincount(found.labels).min() > 0.08 * count
    assert found.fingerprint == PRINTS[name, split]
    assert len(found.classes) == 10
    assert split in found.source


def test_all_is_train_then_test(has):
    has("mnist")
    X, y = load_data("mnist", split="all")
    X_test, y_test = load_data("mnist", split="test")
    assert len(X) == len(y) == 70000
    assert np.array_equal(X[60000:], X_test)
    assert np.array_equal(y[60000:], y_test)


@pytest.mark.parametrize(("colour", "power"), [("class", 0.0566), ("image", 0.0526)])
def test_coloured_mnist(has, colour, power):
    has("mnist")
    found = read_data({"kind": "coloured-mnist", "colour": colour}, "test")
    grey, _ = load_data("mnist", "test")
    assert (found.images.shape, found.images.dtype) == ((10000, 28, 28, 3), np.uint8)
    assert not found.images[grey == 0].any()
    assert np.mean((found.images / np.float32(255)) ** 2) == pytest.approx(power, abs=1e-4)
    assert colour in found.source


def test_coloured_mnist_in_the_classs_colour(has):
    has("mnist")
    X, y = load_data("coloured-mnist", "test")
    X_other, _ = load_data("coloured-mnist", "test", seed=1)
    grey, _ = load_data("mnist", "test")
    one = X[(y == 3)][grey[y == 3] == 255]
    assert len(np.unique(one, axis=0)) == 1
    assert not np.array_equal(X, X_other)


@pytest.mark.parametrize("name", NAMED_SETS)
def test_every_set_reports_its_options(name):
    with pytest.raises(BuildError, match=f"data set '{name}': it has no option 'colours'"):
        read_data(name, colours="x")


def test_wrong_options_name_the_set(has):
    has("mnist")
    with pytest.raises(
        UnknownName, match="data set 'coloured-mnist': there is no colour called 'clas'"
    ):
        read_data("coloured-mnist", colour="clas")
    with pytest.raises(BuildError, match="data set 'coloured-mnist': an option has the wrong type"):
        read_data("coloured-mnist", low="much")
