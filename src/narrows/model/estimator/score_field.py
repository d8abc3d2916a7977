"""What a denoiser knows of the density of its images: the score, and steps along it.

The score, for a model trained on unclipped Gaussian noise of one strength σ (Tweedie's formula):
∇ log p(x̃) = (E[x | x̃] - x̃) / σ², of which a trained f(x̃) is an approximation.

References: P. Vincent, "A connection between score matching and denoising autoencoders", Neural
Computation 23, 2011, https://doi.org/10.1162/NECO_a_00142; G. Alain, Y. Bengio, "What regularized
auto-encoders learn from the data-generating distribution", JMLR 15, 2014,
https://jmlr.org/papers/v15/alain14a.html.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.errors import wrong
from narrows.model.estimator.arguments import check_integer
from narrows.model.estimator.base import ImageModel
from narrows.parts.corruption import GaussianNoise
from narrows.scale import Scale, to_user


def score_field(model: ImageModel, X: Any) -> np.ndarray:
    """∇ log p(x̃) ≈ (f(x̃) - x̃) / σ² of noisy images, see `Autoencoder.score_field`."""
    array, layout = model._accept(X)
    if model.scale_.is_per_image:  # that of x̃ is not that of x, which σ is measured on
        raise wrong("score_field", f"scale {model.scale_.name!r}", "one scale for all images")
    variance = _noise_sigma(model) ** 2

    def field(x: Tensor) -> Tensor:
        return (model._reconstruct(x) - x) / variance

    return model._map(array, layout, field, lambda score, _: to_user(score, layout, exact=True))


def project(model: ImageModel, X: Any, steps: int, rate: float) -> np.ndarray:
    """Steps of images towards the data, see `Autoencoder.project`."""
    check_integer("steps", steps)
    if not 0 < rate <= 1:
        raise wrong("rate", rate, "a number in (0, 1]")
    array, layout = model._accept(X)

    def follow(x: Tensor) -> Tensor:
        path = [x]
        for _ in range(steps):
            path.append(path[-1].lerp(model._reconstruct(path[-1]), rate))
        return torch.stack(path, dim=1)

    def to_array(paths: Tensor, scale: Scale) -> np.ndarray:
        steps_of = [to_user(scale.unit(x), layout, exact=True) for x in paths.unbind(1)]
        return np.stack(steps_of, axis=1)

    return model._map(array, layout, follow, to_array).swapaxes(0, 1)


def _noise_sigma(model: ImageModel) -> float:
    """The σ of the unclipped Gaussian noise that the model was trained on."""
    noise = model.noise_
    if isinstance(noise, GaussianNoise) and noise.bounds is None and noise.sigma is not None:
        return noise.sigma
    raise wrong(
        "score_field",
        model.get_params(deep=False).get("corruption"),
        "a model trained on unclipped Gaussian noise of one sigma",
        "train with corruption={'kind': 'gaussian', 'sigma': 0.3, 'clip': False}",
    )
