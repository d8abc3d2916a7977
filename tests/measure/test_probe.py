import numpy as np
import pytest

from narrows import measure
from narrows.errors import NarrowsError


@pytest.mark.parametrize("kind", ["logistic", "knn"])
def test_a_probe_reads_what_is_there_and_nothing_else(kind):
    random = np.random.default_rng(0)
    labels = np.arange(600) % 3
    told, noise = (
        np.eye(3)[labels] + 0.2 * random.normal(size=(600, 3)),
        random.normal(size=(600, 3)),
    )
    told *= [1, 100, 0.01]  # scales must not matter
    first, rest = slice(0, 400), slice(400, None)
    assert measure.probe(told[first], labels[first], told[rest], labels[rest], kind) > 0.95
    assert measure.probe(noise[first], labels[first], noise[rest], labels[rest], kind) < 0.5


def test_probe_repeats_and_keeps_its_limit():
    random = np.random.default_rng(0)
    z, y = random.normal(size=(300, 2)), random.integers(0, 2, 300)
    accuracy = [measure.probe(z, y, z, y, "knn", limit=50, seed=s) for s in (1, 1, 2)]
    assert accuracy[0] == accuracy[1] != accuracy[2]


def test_knn_is_the_majority_of_the_five_nearest_codes():
    distances = np.arange(1.0, 9)[:, None]
    labels = np.array([0, 0, 1, 1, 1, 0, 0, 0])  # a majority of 1 among five, of no other number
    assert measure.probe(distances, labels, np.zeros((1, 1)), [1], "knn") == 1


def test_the_subset_is_by_default_that_of_seed_0():
    random = np.random.default_rng(0)
    z, y = random.normal(size=(300, 2)), random.integers(0, 2, 300)
    accuracy = [measure.probe(z, y, z, y, "knn", limit=50, seed=seed) for seed in (0, 1)]
    assert measure.probe(z, y, z, y, "knn", limit=50) == accuracy[0] != accuracy[1]


@pytest.mark.parametrize("kind", ["logistic", "knn"])
@pytest.mark.parametrize("labels", [[0, 1, 0, 1], [1, 1, 1, 1, 1, 1]])
def test_too_few_codes_or_classes_are_refused(labels, kind):
    z = np.arange(len(labels))[:, None]
    with pytest.raises(NarrowsError, match="at least 5 codes of 2 classes"):
        measure.probe(z, labels, z, labels, kind)


@pytest.mark.parametrize("kind", ["logistic", "knn"])
def test_of_a_constant_code_a_probe_reads_nothing(kind):
    labels = np.arange(60) % 3
    z = np.full((60, 4), 3.7)
    assert measure.probe(z, labels, z, labels, kind) == pytest.approx(1 / 3)
