"""A few images, and named sets where this machine has them."""

import os
from pathlib import Path

import numpy as np
import pytest

from narrows.data.named_sets.fetch import SUMS


@pytest.fixture
def images() -> np.ndarray:
    """Five images of 4 x 3, uint8."""
    return np.random.default_rng(0).integers(0, 256, (5, 4, 3), np.uint8)


@pytest.fixture
def has():
    """Skip the test unless `$NARROWS_DATA` holds the set."""

    def check(name: str) -> None:
        root = Path(os.environ.get("NARROWS_DATA") or "nowhere", name)
        if not all((root / file).exists() or (root / f"{file}.gz").exists() for file in SUMS[name]):
            pytest.skip(f"$NARROWS_DATA does not hold {name}")

    return check
