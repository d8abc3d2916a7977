"""A few small images of every kind, and tiny models fitted to them once."""

import os
from pathlib import Path

import numpy as np
import pytest

import narrows as nw


@pytest.fixture(scope="session")
def labelled() -> tuple[np.ndarray, np.ndarray]:
    """200 digits, `(200, 8, 8)` uint8, and what they are."""
    X, y = nw.load_data("digits", split="train")
    return X[:200], y[:200]


@pytest.fixture(scope="session")
def digits(labelled) -> np.ndarray:
    return labelled[0]


@pytest.fixture(scope="session")
def grey() -> np.ndarray:
    """32 digits, `(32, 28, 28)` uint8: MNIST's where `$NARROWS_DATA` has it, else scikit-learn's
    enlarged.
    """
    if Path(os.environ.get("NARROWS_DATA") or "nowhere", "mnist").is_dir():
        X, _ = nw.load_data("mnist", split="test")
        return X[:32].copy()
    X, _ = nw.load_data("digits", split="train")
    return np.pad(X[:32].repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2)))


@pytest.fixture(scope="session")
def colour(grey) -> np.ndarray:
    """32 digits, each in a colour of its own, `(32, 28, 28, 3)` float32."""
    colours = np.random.default_rng(0).uniform(0.3, 1, (len(grey), 1, 1, 3))
    return (grey[..., None] / 255 * colours).astype(np.float32)


@pytest.fixture(scope="session")
def table() -> np.ndarray:
    """200 rows of 5 features of very different sizes, float64."""
    random = np.random.default_rng(0)
    return random.normal(size=(200, 5)) @ random.normal(size=(5, 5)) * [1, 10, 100, 0.1, 1] + [
        0,
        5,
        -300,
        0,
        1,
    ]


@pytest.fixture(scope="session")
def ae(digits) -> nw.Autoencoder:
    """A plain autoencoder of `digits`, code 8."""
    return nw.Autoencoder(
        body="mlp", bottleneck={"kind": "plain", "size": 8}, epochs=15, batch_size=32
    ).fit(digits)


@pytest.fixture(scope="session")
def vae(digits) -> nw.Autoencoder:
    """A variational autoencoder of `digits`, code 4."""
    bottleneck = {"kind": "variational", "size": 4}
    rate = {"kind": "adam", "rate": 3e-3}
    return nw.Autoencoder(
        "mlp", bottleneck, likelihood="bernoulli", epochs=40, batch_size=32, optimiser=rate
    ).fit(digits)


@pytest.fixture(scope="session")
def pca(digits) -> nw.PCA:
    return nw.PCA(8).fit(digits)


@pytest.fixture(scope="session")
def pooled(digits) -> nw.Autoencoder:
    """An autoencoder whose way up uses the switches of its pooling."""
    body = {"kind": "conv", "channels": [4, 8], "stages": "pooled"}
    bottleneck = {"kind": "plain", "size": None}
    return nw.Autoencoder(body, bottleneck, up="unpool", epochs=2, batch_size=32).fit(digits)
