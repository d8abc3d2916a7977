"""The score field of a denoiser, and its walk to where the data are.

The best denoiser of x̃ = x + σε is f(x̃) = E[x | x̃], and E[x | x̃] = x̃ + σ² ∇ log p(x̃), with p
the density of the noisy x̃ (Tweedie's formula). So f(x̃) - x̃ points up the density: a step of
denoising is a step towards the data.

With N training points x_i, p is a mixture of N gaussians, and its score is known exactly:

    w_i ∝ exp(-‖x̃ - x_i‖² / 2σ²),   ∇ log p(x̃) = (Σ w_i x_i - x̃) / σ²

Reference: B. Efron, "Tweedie's formula and selection bias", 2011,
https://doi.org/10.1198/jasa.2011.tm11181; G. Alain, Y. Bengio, "What regularized auto-encoders
learn from the data-generating distribution", 2014, https://arxiv.org/abs/1211.4246.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from narrows.errors import wrong
from narrows.measure import psnr
from narrows.model.use.evaluate import displayable
from narrows.study.figures.per_run import per_run
from narrows.study.record import Figure
from narrows.study.trained import Trained

POINTS, MARGIN, NEAR = 1500, 0.12, 3.0  # points shown; room about them; strengths of noise within which data are near


@per_run
def field(run: Trained, count: int = 18, steps: int = 6, walks: int = 12) -> Iterator[Figure]:
    """The score field of a denoiser of points in the plane, as arrows, beside the exact one, and walks along it."""
    if run.model.n_features_in_ != 2:
        raise wrong("field", run.model.n_features_in_, "a model of points in the plane, (N, 2)")
    model = _denoiser(run)
    points = np.asarray(run.split.train.images, dtype=np.float64)
    sigma = float(model.network_.corruption.sigma / model.scale_.gain)
    places = _places(points, count).astype(np.float32)
    learned = model.score_field(places) * sigma**2 * float(model.scale_.gain)
    exact, distance = _exact(places, points, sigma)
    near = distance < NEAR * sigma
    if not near.any():
        raise wrong("count", count, f"more: no place of the grid is within {NEAR:g} σ of a point")
    starts = places[near][np.linspace(0, near.sum() - 1, walks).astype(int)]
    arrays = {
        "x": places[near], "v": learned[near], "exact": exact[near], "points": points[:POINTS],
        "walks": model.project(starts, steps),
    }  # fmt: skip
    words = f"σ² · score at σ = {sigma:g}; {_agreement(learned[near], exact[near])}"
    options = {"xlabel": "x₁", "ylabel": "x₂", "unit": "σ² · score"}
    yield Figure(run.name, "arrows", words, options, {k: np.asarray(v, np.float32) for k, v in arrays.items()})


@per_run
def walk(run: Trained, sigma: float = 0.5, steps: int = 5, images: Any = None, seed: int = 0) -> Iterator[Figure]:
    """Images with heavy noise, walked towards the data by steps of denoising; under each its PSNR
    to the original.

    sigma: of the noise, on [0, 1]. A second figure shows the score field at the first of them.
    """
    x, _ = run.pick(images, most=8)
    noisy = x + sigma * np.random.default_rng(seed).standard_normal(x.shape).astype(np.float32)
    walked = _denoiser(run).project(noisy, steps)
    arrays = {"original": x, "noisy": noisy, **{f"step {k}": walked[k] for k in range(1, steps + 1)}}
    texts = {name: [f"{v:.1f} dB" for v in psnr(x, y, 1.0)] for name, y in arrays.items() if name != "original"}
    shown = {name: displayable(y) for name, y in arrays.items()}
    yield Figure(f"{run.name}-walk", "grid", "", {"captions": texts, "columns": len(x)}, shown)
    score = _denoiser(run).score_field(noisy)
    if displayable(score).ndim == 3:
        words = "the score at the noisy images, per unit of the working scale"
        options = {"signed": True, "columns": 4, "unit": "score"}
        yield Figure(f"{run.name}-score", "tiles", words, options, {"score": displayable(score)})


def _denoiser(run: Trained) -> Any:
    """The model, if it has a score field."""
    noise = getattr(getattr(run.model, "network_", None), "corruption", None)
    sigma = getattr(noise, "sigma", None)
    cure = "train with corruption={'kind': 'gaussian', 'sigma': 0.3, 'clip': False}"
    if sigma is None:
        raise wrong("run", run.name, "a denoiser of unclipped Gaussian noise of one strength", cure)
    return run.model


def _places(points: np.ndarray, count: int) -> np.ndarray:
    """A grid over the points and some room about them, `(count², 2)`."""
    low, high = points.min(0), points.max(0)
    room = MARGIN * (high - low)
    axes = [np.linspace(a, b, count) for a, b in zip(low - room, high + room)]
    return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)


def _exact(places: np.ndarray, points: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """σ² · score of the noisy points' density at each place, and how far the nearest point is."""
    squared = np.square(places[:, None] - points[None]).sum(-1)
    weights = np.exp(-(squared - squared.min(1, keepdims=True)) / (2 * sigma**2))
    mean = weights @ points / weights.sum(1, keepdims=True)
    return mean - places, np.sqrt(squared.min(1))


def _agreement(a: np.ndarray, b: np.ndarray) -> str:
    """The cosine between the two fields, each as one long vector."""
    cosine = (a * b).sum() / (np.linalg.norm(a) * np.linalg.norm(b))
    return f"cosine between the learned field and the exact one {cosine:.3f}"
