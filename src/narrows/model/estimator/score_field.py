"""What a denoiser knows of the density of its images: the score, and the walk up it.

The score, for a model trained on unclipped Gaussian noise of one strength σ (Tweedie's formula):
∇ log p(x̃) = (E[x | x̃] - x̃) / σ², of which a trained f(x̃) is an approximation.

Reference: P. Vincent, "A connection between score matching and denoising autoencoders", Neural Computation 23, 2011,
https://doi.org/10.1162/NECO_a_00142; G. Alain, Y. Bengio, "What regularized auto-encoders learn from the
data-generating distribution", JMLR 15, 2014, https://jmlr.org/papers/v15/alain14a.html.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.errors import wrong
from narrows.model.estimator.base import ImageModel, check_integer
from narrows.model.network import Network
from narrows.parts.corruption import Gaussian as GaussianNoise
from narrows.scale import to_user


class ScoreFieldMixin(ImageModel):
    """What a model made of a network has besides, where it was trained on noise."""

    network_: Network
    corruption: Any

    def score_field(self, X: Any) -> np.ndarray:
        """∇ log p(x̃) ≈ (f(x̃) - x̃) / σ² for noisy images, float32, in their shape, per unit of the working scale.

        For models trained on unclipped Gaussian noise of one strength; others are refused.
        """
        array, layout = self._accept(X)
        noise = self.network_.corruption
        fits = isinstance(noise, GaussianNoise) and noise.bounds is None and noise.sigma is not None
        wanted = "a model trained on unclipped Gaussian noise of one sigma"
        cure = "train with corruption={'kind': 'gaussian', 'sigma': 0.3, 'clip': False}"
        if not fits:
            raise wrong("score_field", self.corruption, wanted, cure)
        variance = noise.sigma**2  # type: ignore[union-attr]

        def field(x: Tensor) -> Tensor:
            return (self._reconstruct(x) - x) / variance

        return self._each(array, layout, field, lambda score: to_user(score, layout, exact=True))

    def project(self, X: Any, steps: int = 5, rate: float = 1.0) -> np.ndarray:
        """The walk of images towards the data: x ← x + rate · (f(x) - x), `steps` times.

        Returns `(steps + 1, N, ...)` floats on [0, 1], unclipped; the first are the images as they came. Each step
        of a denoiser is one up the score, of size rate · σ².
        """
        check_integer("steps", steps)
        if not (0 < rate <= 1):
            raise wrong("rate", rate, "a number in (0, 1]")
        array, layout = self._accept(X)

        def walk(x: Tensor) -> Tensor:
            found = [x]
            for _ in range(steps):
                found.append(found[-1].lerp(self._reconstruct(found[-1]), rate))
            return torch.stack(found, dim=1)

        def give(walks: Tensor) -> np.ndarray:
            return np.stack([to_user(self.scale_.unit(x), layout, exact=True) for x in walks.unbind(1)], axis=1)

        return self._each(array, layout, walk, give).swapaxes(0, 1)
