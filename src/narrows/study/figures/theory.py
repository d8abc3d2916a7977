"""The score field of a denoiser, and paths along it to the data.

The best denoiser of x̃ = x + σε is f(x̃) = E[x | x̃], and E[x | x̃] = x̃ + σ² ∇ log p(x̃), with p
the density of the noisy x̃ (Tweedie's formula). So f(x̃) - x̃ points up the density: a step of
denoising is a step towards the data.

With N training points x_i, p is a mixture of N gaussians, and its score is known exactly:

    w_i ∝ exp(-‖x̃ - x_i‖² / 2σ²),   ∇ log p(x̃) = (Σ w_i x_i - x̃) / σ²

Reference: B. Efron, "Tweedie's formula and selection bias", 2011,
https://doi.org/10.1198/jasa.2011.tm11181; G. Alain, Y. Bengio, "What regularized auto-encoders
learn from the data-generating distribution", 2014, https://arxiv.org/abs/1211.4246.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from narrows.errors import wrong
from narrows.measure import psnr
from narrows.model.use.evaluate import displayable
from narrows.parts.corruption import GaussianNoise
from narrows.study.figures.per_run import per_run
from narrows.study.record import Figure
from narrows.study.trained import Trained

POINTS_SHOWN = 1500
FIELD_OPTIONS = {"xlabel": "x₁", "ylabel": "x₂", "unit": "σ² · score"}
SCORE_OPTIONS = {"signed": True, "columns": 4, "unit": "score"}
MARGIN = 0.12  # around the points, as a share of their extent
NEAR = 3.0  # strengths of noise within which a place is near the data


@per_run
def field(run: Trained, count: int = 18, steps: int = 6, walks: int = 12) -> Iterator[Figure]:
    """The learned score field of a denoiser of points in the plane, the exact one, and paths."""
    if run.model.n_features_in_ != 2:
        raise wrong("field", run.model.n_features_in_, "a model of points in the plane, (N, 2)")
    model, points = _denoiser(run), np.asarray(run.split.train.images, dtype=np.float64)
    gain = float(model.scale_.gain)
    sigma = _sigma(run) / gain
    places, exact = _places_near(points, count, sigma)
    learned = model.score_field(places) * sigma**2 * gain
    starts = places[np.linspace(0, len(places) - 1, walks).astype(int)]
    arrays = {
        "x": places,
        "v": learned,
        "exact": exact,
        "points": points[:POINTS_SHOWN],
        "walks": model.project(starts, steps),
    }
    arrays = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    title = f"σ² · score at σ = {sigma:g}; {_agreement(learned, exact)}"
    yield Figure(run.name, "arrows", title, FIELD_OPTIONS, arrays)


def _places_near(points: np.ndarray, count: int, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """The places of a grid that are near the data, and the exact score at each, times σ²."""
    places = _places(points, count).astype(np.float32)
    exact, distance = _exact(places, points, sigma)
    near = distance < NEAR * sigma
    if not near.any():
        raise wrong("count", count, f"more: no place of the grid is within {NEAR:g} σ of a point")
    return places[near], exact[near]


@per_run
def walk(
    run: Trained, sigma: float = 0.5, steps: int = 5, images: Any = None, seed: int = 0
) -> Iterator[Figure]:
    """Images with heavy noise, moved towards the data by steps of denoising; PSNR under each.

    sigma: of the noise, on [0, 1]. A second figure shows the score field at the first of them.
    """
    model, (x, _) = _denoiser(run), run.pick(images, most=8)
    noise = np.random.default_rng(seed).standard_normal(x.shape).astype(np.float32)
    noisy = x + sigma * noise
    rows = _rows_of_walk(x, noisy, model.project(noisy, steps))
    captions = {name: _decibels(x, y) for name, y in rows.items() if name != "original"}
    arrays = {name: displayable(y) for name, y in rows.items()}
    options = {"captions": captions, "columns": len(x)}
    yield Figure(f"{run.name}-walk", "grid", "", options, arrays)
    score = displayable(model.score_field(noisy))
    if score.ndim == 3:  # a scale colours grey images alone
        title = "the score at the noisy images, per unit of the working scale"
        yield Figure(f"{run.name}-score", "tiles", title, {**SCORE_OPTIONS}, {"score": score})


def _rows_of_walk(x: np.ndarray, noisy: np.ndarray, path: Sequence[np.ndarray]) -> dict[str, Any]:
    """The images, the noisy ones, and where each step has led; the path begins with the noisy ones."""
    rows = {"original": x, "noisy": noisy}
    for step, images in enumerate(path[1:], start=1):
        rows[f"step {step}"] = images
    return rows


def _decibels(x: np.ndarray, y: np.ndarray) -> list[str]:
    return [f"{value:.1f} dB" for value in psnr(x, y, 1.0)]


def _denoiser(run: Trained) -> Any:
    """The model, if it has a score field."""
    _sigma(run)
    return run.model


def _sigma(run: Trained) -> float:
    """The strength of the noise that the model was trained on, on its working scale."""
    noise = run.model.noise_
    if isinstance(noise, GaussianNoise) and noise.sigma is not None:
        return noise.sigma
    cure = "train with corruption={'kind': 'gaussian', 'sigma': 0.3, 'clip': False}"
    raise wrong("run", run.name, "a denoiser of unclipped Gaussian noise of one strength", cure)


def _places(points: np.ndarray, count: int) -> np.ndarray:
    """A grid over the points with a margin, `(count², 2)`."""
    low, high = points.min(0), points.max(0)
    margin = MARGIN * (high - low)
    axes = [np.linspace(a, b, count) for a, b in zip(low - margin, high + margin)]
    return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)


def _exact(places: np.ndarray, points: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """σ² · score of the noisy points' density at each place; the distance to the nearest point."""
    squared = np.square(places[:, None] - points[None]).sum(-1)
    weights = np.exp(-(squared - squared.min(1, keepdims=True)) / (2 * sigma**2))
    mean = weights @ points / weights.sum(1, keepdims=True)
    return mean - places, np.sqrt(squared.min(1))


def _agreement(a: np.ndarray, b: np.ndarray) -> str:
    """The cosine between the two fields, each as one long vector."""
    cosine = (a * b).sum() / (np.linalg.norm(a) * np.linalg.norm(b))
    return f"cosine between the learned field and the exact one {cosine:.3f}"
