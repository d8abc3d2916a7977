"""Probes: how much of the class a simple classifier can read from a code.

    logistic    a linear classifier, softmax(W z + b): what a straight cut finds
    knn         the majority of the 5 nearest codes: what the neighbourhoods hold

Codes are standardised first, by the mean and standard deviation of the training codes, so that no
unit counts more for being larger. The accuracy says what is *there to be read*, not that the model
was made for it; 1 / (number of classes) is chance where the classes are even.

Reference: G. Alain, Y. Bengio, "Understanding intermediate layers using linear classifier probes",
2016, https://arxiv.org/abs/1610.01644.
"""

from typing import Any

import numpy as np

from narrows.errors import NarrowsError, unknown
from narrows.tensors import without_tensors

NEIGHBOURS = 5


def probe(
    codes: Any,
    labels: Any,
    test_codes: Any,
    test_labels: Any,
    kind: str = "logistic",
    limit: int = 10_000,
    seed: int = 0,
) -> float:
    """The share of test codes whose class a probe, fitted on the training codes, gets right: in [0,
    1].

    codes, test_codes: `(N, size)`; labels, test_labels: `(N,)`.
    kind: "logistic" or "knn".
    limit: the number of training codes that are used at most, a subset drawn with `seed`.

    Raises `NarrowsError` for fewer than 5 training codes, or labels of one class.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if kind not in PROBES:
        raise unknown("probe", kind, PROBES)
    codes, labels = _pair(codes, labels)
    test_codes, test_labels = _pair(test_codes, test_labels)
    chosen = np.random.default_rng(seed).permutation(len(codes))[:limit]
    _refuse_few(labels[chosen])
    model = make_pipeline(StandardScaler(), PROBES[kind]())
    model.fit(codes[chosen], labels[chosen])
    return float(model.score(test_codes, test_labels))


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000, tol=1e-3)


def _knn() -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(n_neighbors=NEIGHBOURS)


PROBES = {"logistic": _logistic, "knn": _knn}


def _refuse_few(labels: np.ndarray) -> None:
    """Refuse training codes that no probe can be fitted to."""
    classes = np.unique(labels)
    if len(labels) < NEIGHBOURS or len(classes) < 2:
        raise NarrowsError(
            f"probe: got {len(labels)} training codes of {len(classes)} classes, "
            f"expected at least {NEIGHBOURS} codes of 2 classes"
        )


def _pair(codes: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    codes, labels = np.asarray(without_tensors(codes)), np.asarray(without_tensors(labels))
    if codes.ndim < 2 or labels.shape != (len(codes),):
        raise NarrowsError(
            f"probe: got codes {codes.shape} and labels {labels.shape}, expected (N, size) and (N,)"
        )
    return codes.reshape(len(codes), -1), labels
