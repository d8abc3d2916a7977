"""Real images: MNIST's where `$NARROWS_DATA` has it, else scikit-learn's digits brought to 28 x 28."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def digits() -> np.ndarray:
    """300 digits, `(300, 28, 28)` uint8."""
    path = Path(os.environ.get("NARROWS_DATA", "")) / "mnist" / "t10k-images-idx3-ubyte.gz"
    if path.is_file():
        return np.frombuffer(gzip.open(path).read(16 + 300 * 784), np.uint8, offset=16).reshape(
            -1, 28, 28
        )
    from sklearn.datasets import load_digits

    small = load_digits().images[:300] * (255 / 16)
    return np.pad(small.repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2))).astype(
        np.uint8
    )


@pytest.fixture(scope="session")
def pairs(digits) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Clean and noisy images in [0, 1], float32: grey, colour, and bright (hardest for float32)."""
    random = np.random.default_rng(0)

    def noisy(x):
        return np.clip(x + 0.3 * random.normal(size=x.shape), 0, 1).astype(np.float32)

    grey = (digits / 255).astype(np.float32)
    colour = grey[:100, ..., None] * random.uniform(0.3, 1, (100, 1, 1, 3)).astype(np.float32)
    bright = 1 - grey[:100] * np.float32(0.02)
    return {
        "grey": (grey, noisy(grey)),
        "colour": (colour, noisy(colour)),
        "bright": (bright, noisy(bright)),
    }
