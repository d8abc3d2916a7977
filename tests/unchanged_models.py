"""The models that `unchanged.py` trains: every recipe, every part, and every way to fit."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import narrows as nw

STEPS, BATCH = 10, 16
Fit = Callable[[], tuple[Any, Any]]  # gives a fitted model, and images of its form

CONV = {"kind": "conv", "channels": [4, 8], "batch_norm": True}
POOLED = {"kind": "conv", "channels": [4, 8], "stages": "pooled"}
UNET = {"kind": "unet", "channels": [4, 8]}
VARIATIONAL = {"kind": "variational", "beta": 4.0, "warmup": 3}
TUNED = {"ema": 0.9, "clip": 1.0, "measures": ["psnr", "ssim"], "measure_scale": "symmetric"}
VARIANTS: dict[str, dict[str, Any]] = {
    "masking": {"corruption": "masking"},
    "salt and pepper": {"corruption": "salt-and-pepper"},
    "photons": {"corruption": "poisson"},
    "jpeg": {"corruption": "jpeg"},
    "mixed noise": {"corruption": "mixed", "body": CONV},
    "pairs": {"corruption": "pairs", "validation": 0.2},
    "only hidden": {"corruption": {"kind": "masking", "only_hidden": True}},
    "range of noise": {"corruption": {"kind": "gaussian", "sigma": [0.1, 0.5], "clip": True}},
    "relu": {"bottleneck": "relu"},
    "sparse": {"bottleneck": "sparse"},
    "top k": {"bottleneck": {"kind": "topk", "size": 20, "k": 3}},
    "warm-up": {"bottleneck": VARIATIONAL, "prior": "mixture"},
    "linear": {"body": CONV, "up": "linear"},
    "deconv": {"body": CONV, "up": "deconv"},
    "resize": {"body": CONV, "up": "resize"},
    "bilinear": {"body": CONV, "up": {"kind": "resize", "mode": "bilinear"}, "prior": "mixture"},
    "unpool": {"body": POOLED, "up": "unpool"},
    "deconv and unpool": {"body": POOLED, "up": "deconv+unpool"},
    "tied": {"up": "tied"},
    "unet": {"body": UNET, "bottleneck": {"kind": "plain", "size": None}},
    "residual": {"body": {"kind": "residual", "width": 32, "hidden": 16, "dropout": 0.1}},
    "rounded": {"bottleneck": {"kind": "rounded", "warmup": 1}},
    "dropout": {"body": {"widths": [32], "dropout": 0.3, "batch_norm": True}},
    "laplace": {"likelihood": "laplace", "scale": "symmetric", "validation": 0.2},
    "bernoulli": {"likelihood": "bernoulli", "bottleneck": "variational", "prior": "gaussian"},
    "contractive": {"penalties": ["contractive"], "body": {"activation": "tanh"}},
    "exactly": {"penalties": [{"kind": "contractive", "exact": True}], "bottleneck": "variational"},
    "root": {"objective": "root", "schedule": "one-cycle", "optimiser": "sgd"},
    "decoupled": {"optimiser": {"weight_decay": 0.1, "decoupled": True}, "random_state": 7},
    "tuned": {"training": TUNED, "validation": 0.2, "schedule": {"kind": "cosine", "warmup": 0.2}},
    "patience": {"training": {"patience": 1, "keep": "last"}, "validation": 0.5, "epochs": 6},
    "half precision": {"training": {"precision": "bf16"}},
}


def pictures(count: int, colour: bool = False) -> np.ndarray:
    """Digits enlarged to 28 x 28, grey or each in a colour of its own, uint8."""
    large = nw.load_data("digits")[0][:count].repeat(4, 1).repeat(4, 2)[:, 2:30, 2:30]
    if not colour:
        return large
    colours = np.random.default_rng(0).uniform(0.3, 1, (count, 1, 1, 3))
    return np.rint(large[..., None] * colours).astype(np.uint8)


def of_recipe(name: str, colour: bool) -> tuple[Any, Any]:
    """A recipe after one epoch of 10 steps."""
    model = nw.recipe(name)
    options, share = model.get_params(), 0.0
    if model.fits_in_epochs:
        share = options["validation"] or options["calibration"]
        model.set_params(epochs=1, batch_size=BATCH, random_state=0)
    X = pictures(round(STEPS * BATCH / (1 - share)), colour)
    model.fit(X)
    assert not model.fits_in_epochs or len(model.steps_["loss"]) == STEPS
    return model, X[:20]


def of_variant(options: dict[str, Any]) -> tuple[Any, Any]:
    """A model with these parts after two epochs of 5 steps, as a rule."""
    X = pictures(STEPS * BATCH // 2)
    noisy = X // 2 if options.get("corruption") == "pairs" else None
    model = nw.recipe("ae-mlp", **{"epochs": 2, "batch_size": BATCH, **options})
    return model.fit(X, noisy=noisy), X[:20]


def fits() -> dict[str, Fit]:
    """Other ways to fit, and other forms of images."""
    X = nw.load_data("digits")[0][:160]
    points, table, counts = nw.load_data("spiral")[0][:160], X.reshape(160, 64), np.arange(160) % 4
    small = {"epochs": 2, "batch_size": 32, "body": {"widths": [16]}}
    ae, vae = partial(nw.recipe, "ae-mlp", **small), partial(nw.recipe, "vae-mlp", **small)
    return {
        "weighted": lambda: (vae().fit(X, sample_weight=counts), X),
        "in parts": lambda: (ae().partial_fit(X[:80]).partial_fit(X[80:]), X),
        "after a fit": lambda: (vae().fit(X[:80]).partial_fit(X[80:]), X),
        "standard": lambda: (ae(scale="standard").fit(table), table),
        "flat images": lambda: (ae(image_shape=(8, 8)).fit(table / 255), table / 255),
        "floats": lambda: (ae(scale="symmetric").fit(X[:, :5] / 255), X[:, :5] / 255),
        "16 bits": lambda: (ae().fit(X.astype(np.uint16) * 257), X.astype(np.uint16) * 257),
        "points": lambda: (nw.recipe("lab-a-plane", epochs=3).fit(points), points),
        "weighted components": lambda: (nw.PCA(5).fit(X, sample_weight=counts), X),
        "few images": lambda: (nw.PCA(5, add_mean=False).fit(X[:20]), X[:20]),
    }


def models() -> dict[str, Fit]:
    """All models by name."""
    names = [next(iter(row.values())) for row in nw.recipes()]
    found: dict[str, Fit] = {}
    for name in names:
        found[f"recipe {name}, grey"] = partial(of_recipe, name, False)
        found[f"recipe {name}, colour"] = partial(of_recipe, name, True)
    for name, options in VARIANTS.items():
        found[f"variant {name}"] = partial(of_variant, options)
    return found | {f"fit {name}": fit for name, fit in fits().items()}
