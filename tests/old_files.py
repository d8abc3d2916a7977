"""What is asked of the files in `fixtures/v0.1`, when they are made and when they are read."""

from pathlib import Path
from typing import Any

import numpy as np

import narrows as nw

FOLDER = Path(__file__).parent / "fixtures" / "v0.1"
PYTHON = {  # the training that `python.safetensors` was stopped in, after 2 epochs
    "body": {"kind": "mlp", "widths": [8], "dropout": 0.2, "batch_norm": True},
    "bottleneck": {"kind": "variational", "size": 2, "warmup": 3},
    "schedule": "one-cycle",
    "validation": 0.25,
    "epochs": 5,
    "batch_size": 16,
    "training": {"patience": 4, "clip": 1.0},
}

FURTHER = ("plain", "root")  # models with an optimiser of their own


def images(name: str, split: str = "test") -> np.ndarray:
    """Images of the form that the model of that name was fitted on."""
    X = nw.load_data("digits", split=split)[0][::9]
    if name == "table":
        return X.reshape(len(X), 64)[:, 20:44].astype(np.float64)
    if name == "colour":
        return np.stack([X, X // 2, 255 - X], axis=-1)
    return X


def results(model: Any, X: np.ndarray) -> dict[str, Any]:
    """What a model gives for four images: plain numbers, with 6 decimals."""
    few = X[:4]
    found = {
        "codes": model.transform(few),
        "images": model.reconstruct(few, exact=True).reshape(4, -1)[:, ::7],
        "scores": model.score_samples(few),
        "sums": [
            float(np.sum(model.reconstruct(X, exact=True))),
            float(np.sum(model.transform(X))),
        ],
        **{f"anomaly {kind}": model.anomaly_score(few, kind) for kind in model.thresholds_},
        "anomaly": model.anomaly_score(few),
        "threshold": model.threshold_,
        "thresholds": dict(model.thresholds_),
        "history": getattr(model, "history_", {}),
        "measures": nw.evaluate(model, X),
        "samples": samples(model),
    }
    return {name: rounded(value) for name, value in found.items()}


def further(name: str) -> list[float]:
    """The losses of a saved model after another epoch, by the optimiser that is in its file."""
    model = nw.load(FOLDER / "models" / f"{name}.safetensors")
    return rounded(model.partial_fit(images(name, "train")).history_["loss"])


def samples(model: Any) -> Any:
    """Two new images of a model; none where an image needs more than a code."""
    try:
        return model.sample(2).reshape(2, -1)[:, ::7]
    except nw.NarrowsError:
        return []


def rounded(value: Any) -> Any:
    """Numbers with 6 decimals, in lists and dicts."""
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items() if "seconds" not in name}
    return np.round(np.asarray(value, dtype=float), 6).tolist()
