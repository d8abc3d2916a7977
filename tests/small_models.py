"""Small models that tests of the training share, and what they compare."""

import torch

import narrows as nw

STILL = {"kind": "adam", "rate": 1e-30}  # moves no weight
CONSTANT = "ignore:the model predicts a constant"  # as it does where hardly anything was learnt
# few images for the default share of false alarms, or none that were held out
UNCALIBRATED = "ignore:.*(are too few for a share|training images themselves)"
SMALL = {"kind": "mlp", "widths": [16]}
BETA = {"kind": "variational", "size": 3, "beta": 4.0, "warmup": 10}
NOISY = {
    "body": {"kind": "mlp", "widths": [16], "dropout": 0.3},
    "bottleneck": {"kind": "variational", "size": 3},
    "corruption": {"kind": "gaussian", "sigma": 0.3},
}


def model(**options):
    """An autoencoder that is trained on all images that `fit` is given, as laws of training suppose."""
    small = {"body": SMALL, "epochs": 3, "batch_size": 32, "calibration": 0}
    return nw.Autoencoder(**{**small, **options})


def weights(model):
    return {name: value.clone() for name, value in model.network_.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def timeless(history):
    return {name: list(values) for name, values in history.items() if "seconds" not in name}


def told(history: dict, steps: int | None = None) -> dict:
    """A history as a logger is told of it: by epoch, from 1."""
    rows = list(zip(*history.values()))[:steps]
    return {k: dict(zip(history, row)) for k, row in enumerate(rows, start=1)}
