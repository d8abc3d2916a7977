"""Pieces of a photograph that scikit-learn brings."""

import numpy as np
import pytest
from sklearn.datasets import load_sample_image


@pytest.fixture(scope="session")
def colour() -> np.ndarray:
    """`(96, 112, 3)` on [0, 1]: roofs against the sky, shrunk by 2."""
    photo = load_sample_image("china.jpg")[60:252, 150:374].astype(np.float32) / 255
    return photo.reshape(96, 2, 112, 2, 3).mean((1, 3))


@pytest.fixture(scope="session")
def grey(colour) -> np.ndarray:
    """`(96, 112)`."""
    return colour.mean(2)


@pytest.fixture(scope="session")
def with_noise():
    """Adds Gaussian noise of σ = 25/255, not clipped."""

    def add(clean: np.ndarray, sigma: float = 25 / 255) -> np.ndarray:
        noise = np.random.default_rng(0).normal(0, sigma, clean.shape)
        return (clean + noise).astype(np.float32)

    return add
