import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from narrows import measure


@pytest.mark.parametrize("kind", ["logistic", "knn"])
def test_a_probe_reads_what_is_there_and_nothing_else(kind):
    random = np.random.default_rng(0)
    labels = np.arange(600) % 3
    told, noise = np.eye(3)[labels] + 0.2 * random.normal(size=(600, 3)), random.normal(size=(600, 3))
    told *= [1, 100, 0.01]  # scales must not matter
    first, rest = slice(0, 400), slice(400, None)
    assert measure.probe(told[first], labels[first], told[rest], labels[rest], kind) > 0.95
    assert measure.probe(noise[first], labels[first], noise[rest], labels[rest], kind) < 0.5


def test_probe_repeats_and_keeps_its_limit():
    random = np.random.default_rng(0)
    z, y = random.normal(size=(300, 2)), random.integers(0, 2, 300)
    accuracy = [measure.probe(z, y, z, y, "knn", limit=50, seed=s) for s in (1, 1, 2)]
    assert accuracy[0] == accuracy[1] != accuracy[2]


def test_auroc_agrees_with_scikit_learn_also_with_ties():
    random = np.random.default_rng(0)
    scores, odd = random.integers(0, 8, 200), random.integers(0, 2, 200)
    assert measure.auroc(scores, odd) == pytest.approx(roc_auc_score(odd, scores))
    assert measure.auroc([1, 2, 3, 4], [0, 0, 1, 1]) == 1
    assert measure.auroc([1, 1, 1], [0, 1, 1]) == 0.5
