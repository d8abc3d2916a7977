"""The ways of scoring anomalies that are compared: how each is fitted, and the scores it then gives.

    anomaly                  our recipe `anomaly`, its default score; and each kind of score it can give
    pca                      our recipe `pca`, its default score
    pyod-...                 detectors of PyOD with their own defaults, on the same pixels
    brightness, deviation    how far the mean of an image, or its deviation, is from the median of
                             that of the training images: what needs no model

Reference: Y. Zhao, Z. Nasrullah, Z. Li, "PyOD: a Python toolbox for scalable outlier detection",
JMLR 2019, https://jmlr.org/papers/v20/19-011.html.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from narrows.errors import extra
from narrows.model.estimator.anomaly import available_scores
from narrows.model.recipes import recipe

Score = Callable[[np.ndarray], np.ndarray]  # images (N, H, W) → (N,), higher is more anomalous
Fit = Callable[[np.ndarray, int], dict[str, Score]]  # images, seed → row of the table → its score
Options = Callable[[int, int], dict[str, Any]]  # seed, pixels → options of a detector
PEER = "pyod-"  # begins the names of PyOD's detectors


def ours(name: str, every_kind: bool = False) -> Fit:
    """A recipe, by its default score, and by each kind that the fitted model can give. Raises
    `UnknownName`.
    """
    recipe(name)

    def fit(images: np.ndarray, seed: int) -> dict[str, Score]:
        model = recipe(name, random_state=seed).fit(images)
        scores: dict[str, Score] = {name: model.anomaly_score}
        for kind in available_scores(model) if every_kind else ():
            scores[f"{name}, {kind}"] = partial(model.anomaly_score, kind=kind)
        return scores

    return fit


def peer(name: str, module: str, detector: str, options: Options) -> Fit:
    """A detector of PyOD. Raises `MissingExtra`."""
    make = getattr(extra(f"pyod.models.{module}", "bench"), detector)

    def fit(images: np.ndarray, seed: int) -> dict[str, Score]:
        pixels = _as_rows(images)
        model = make(**options(seed, pixels.shape[1])).fit(pixels)
        return {name: lambda images: model.decision_function(_as_rows(images))}

    return fit


def statistic(name: str, compute: Score) -> Fit:
    """How far a number of an image is from its median over the training images."""

    def fit(images: np.ndarray, seed: int) -> dict[str, Score]:
        usual = np.median(compute(images))
        return {name: lambda images: np.abs(compute(images) - usual)}

    return fit


def _as_rows(images: np.ndarray) -> np.ndarray:
    """`(N, pixels)`, float64."""
    return images.reshape(len(images), -1).astype(np.float64)


def _unseeded(seed: int, pixels: int) -> dict[str, Any]:
    return {}


def _seeded(seed: int, pixels: int) -> dict[str, Any]:
    return {"random_state": seed}


def _trained(seed: int, pixels: int) -> dict[str, Any]:
    return {"random_state": seed, "verbose": 0}


def _deep_svdd(seed: int, pixels: int) -> dict[str, Any]:
    return {**_trained(seed, pixels), "n_features": pixels}


PEERS = {  # module, class, options
    "pca": ("pca", "PCA", _seeded),
    "knn": ("knn", "KNN", _unseeded),
    "iforest": ("iforest", "IForest", _seeded),
    "ecod": ("ecod", "ECOD", _unseeded),
    "autoencoder": ("auto_encoder", "AutoEncoder", _trained),
    "deepsvdd": ("deep_svdd", "DeepSVDD", _deep_svdd),
}
WAYS: dict[str, Callable[[], Fit]] = {
    "anomaly": partial(ours, "anomaly", every_kind=True),
    "pca": partial(ours, "pca"),
    **{f"{PEER}{name}": partial(peer, f"{PEER}{name}", *way) for name, way in PEERS.items()},
    "brightness": partial(statistic, "brightness", lambda images: images.mean((1, 2))),
    "deviation": partial(statistic, "deviation", lambda images: images.std((1, 2))),
}
