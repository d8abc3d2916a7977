"""Arrays that every kind of figure can draw."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def digits() -> np.ndarray:
    """12 grey images `(12, 8, 8)` in [0, 1]: scikit-learn's digits."""
    from sklearn.datasets import load_digits

    return (load_digits().images[:12] / 16).astype(np.float32)


@pytest.fixture(scope="session")
def examples(digits) -> dict:
    """kind -> (arrays, options)."""
    random = np.random.default_rng(0)
    points = {"x": random.normal(size=(200, 2)), "labels": np.arange(200) % 10}
    return {
        "curves": (
            {"train": random.random(9), "validation": random.random(9)},
            {"ylabel": "loss (nats per image)"},
        ),
        "grid": ({"original": digits, "noisy": digits + 0.3}, {"captions": {"noisy": range(12)}}),
        "tiles": ({"filters": random.normal(size=(9, 5, 5))}, {"signed": True, "unit": "weight"}),
        "scatter": (points, {"xlabel": "z1", "ylabel": "z2", "unit": "digit"}),
        "heatmap": (
            {"r": random.normal(size=(4, 5))},
            {"numbers": True, "unit": "dB", "rows": "abcd"},
        ),
        "arrows": ({"x": points["x"], "v": -points["x"]}, {"unit": "per pixel"}),
        "histogram": (
            {"edges": np.linspace(-1, 3, 6), "normal": [1, 4, 3, 1, 0], "test": [0, 1, 1, 4, 4]},
            {"xlabel": "score", "marks": {"threshold": 1.5}},
        ),
        "tradeoff": (
            {
                "ours": [[10, np.nan, 20, 0.5], [30, np.nan, 30, 0.9]],
                "theirs": [[40, 90, 21, 0.6], [20, 70, 15, 0.4], [60, 110, 28, 0.8]],
            },
            {"panels": ["PSNR, dB", "SSIM"], "xlabel": "bytes", "note": "of 9 images"},
        ),
        "bars": (
            {"published": [1, 2, np.nan], "ours": [2, 1, 3]},
            {"names": ["a", "b", "c"], "ylabel": "MSE"},
        ),
    }
