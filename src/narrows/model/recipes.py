"""Recipes: models that have a name.

Every model of the six labs is here with the settings of its report, and a few short names that are
good defaults for anyone's images. `recipe(name, **changes)` builds one; changes merge into a part
of the same kind and replace it otherwise:

    recipe("vae-mlp", bottleneck={"size": 2}, epochs=20)

Published losses of labs A, B, E and F were means per pixel; ours are sums over the image. So what
was added to such a loss, or divided by its gradient, is multiplied here by the number of values: L1
weights of lab E3 x 784 x 256 (they were summed over the batch too), the weight decay of lab F x
2352, and Adam's eps, 1e-8, x 784 or x 2352. The last one matters: with an eps 784 times too small,
weights that have almost no gradient take full steps, output units die, and lab E1 ends at 0.021
instead of 0.017.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from narrows.choose import choose, default_options
from narrows.errors import unknown
from narrows.measure import Table
from narrows.model.detector.detector import AnomalyDetector
from narrows.model.estimator.autoencoder import Autoencoder
from narrows.model.estimator.base import ImageModel
from narrows.model.estimator.neighbours import Neighbours
from narrows.model.estimator.pca import PCA
from narrows.model.training.augment import KEEP_NOISE
from narrows.model.training.least_steps import merge_choice

ESTIMATORS = {
    "autoencoder": Autoencoder,
    "pca": PCA,
    "neighbours": Neighbours,
    "detector": AnomalyDetector,
}


@dataclass(frozen=True)
class Recipe:
    """A named model: which estimator with which options, what it is, and where it comes from."""

    summary: str
    source: str
    options: Mapping[str, Any]
    estimator: str = "autoencoder"


def part(kind: str, **options: Any) -> dict[str, Any]:
    return {"kind": kind, **options}


def mse(output: str) -> dict[str, Any]:
    """Squared error with that output: the gaussian likelihood of variance ½."""
    return part("gaussian", output=output)


def noise(sigma: float | list[float], clip: bool) -> dict[str, Any]:
    return part("gaussian", sigma=sigma, clip=clip)


def adam(values: int, lr: float = 1e-3, decay: float = 0.0) -> dict[str, Any]:
    """Adam as it was for a mean over `values` values, for a loss that is their sum (see the module)."""
    return part("adam", lr=lr, eps=1e-8 * values, weight_decay=decay * values)


# labs and denoisers train on all of their images
ALL: dict[str, Any] = {"calibration": 0}
LAST: dict[str, Any] = {"keep": "last"}  # the labs report their last epoch
OURS = "Narrows: a default for anyone's images"


def at_least(steps: int, **training: Any) -> dict[str, Any]:
    """Options of a training that takes this many steps, however few the images."""
    return {"training": {**training, "least_steps": steps}}


SMALL_SETS = at_least(500)

LAB_A = {
    "body": part("mlp", widths=[256, 128]), "bottleneck": part("plain", size=64), "likelihood": mse("tanh"),
    "corruption": noise(0.3, clip=True), "scale": "symmetric", "validation": 0.2,
    "epochs": 15, "batch_size": 128, "optimiser": adam(784),
    "training": {**LAST, "measures": ["psnr", "ssim"], "measure_scale": "symmetric"},
}  # fmt: skip
LAB_C = {
    "body": part("mlp", widths=[400]), "bottleneck": part("variational", size=20), "likelihood": "bernoulli",
    "epochs": 5, "batch_size": 128, "training": LAST, **ALL,
}  # fmt: skip
VAE = {**LAB_C, "calibration": 0.2, **at_least(500, **LAST)}
LAB_E = {
    "likelihood": mse("relu"), "epochs": 10, "batch_size": 256, "optimiser": adam(784), "training": LAST,
    **ALL,
}  # fmt: skip
E2 = {**LAB_E, "body": part("mlp", widths=[])}
E6 = {
    **LAB_E,
    "body": part("conv", channels=[8, 16, 16], stages="pooled"), "bottleneck": part("plain", size=None),
    # with about half of all seeds the relu after the one output channel starts dead: all black
    "random_state": 11,
}  # fmt: skip
LAB_F = {
    "body": part("conv", channels=[128, 64, 32, 16]), "bottleneck": part("plain", size=None),
    "likelihood": mse("sigmoid"), "corruption": noise(0.3, clip=True), "validation": 0.1, "epochs": 20,
    "batch_size": 128, "optimiser": adam(2352, decay=1e-5), "training": LAST,
}  # fmt: skip
REGULAR = part("conv", channels=[128, 64, 32, 16], dropout=0.2, batch_norm=True)
FEATURES = part("conv", channels=[32, 64, 128], batch_norm=True)

RECIPES: dict[str, Recipe] = {
    "ae-mlp": Recipe("plain autoencoder, code 32", OURS, {
        "body": part("mlp", widths=[512, 256]), "bottleneck": part("plain", size=32), "epochs": 20,
        **SMALL_SETS}),
    "ae-conv": Recipe("convolutional autoencoder, code 64", OURS, {
        "body": FEATURES, "bottleneck": part("plain", size=64), "epochs": 15, **SMALL_SETS}),
    "compression-mlp": Recipe(
        "code of integers, for archives: 12 bytes an image of MNIST, more with a lower weight", OURS, {
        "body": part("residual"), "bottleneck": part("rounded", size=64, weight=0.06, warmup=1),
        "likelihood": mse("sigmoid"), "optimiser": part("adam", lr=2e-3, betas=[0.9, 0.99]),
        "schedule": part("cosine", warmup=0.05), "epochs": 20, "batch_size": 256, **ALL, **SMALL_SETS}),
    "sparse-mlp": Recipe("one wide layer with an L1 cost, code 512", OURS, {
        "body": part("mlp", widths=[]), "bottleneck": part("sparse", size=512, weight=0.05, warmup=2),
        "epochs": 20, **at_least(300)}),  # 500 are worse for 20 images
    "denoising-mlp": Recipe("denoiser for Gaussian noise up to 0.3, code 64", OURS, {
        "body": part("mlp", widths=[512, 256]), "bottleneck": part("plain", size=64),
        "corruption": noise([0.05, 0.3], clip=True), "epochs": 20, **ALL, **SMALL_SETS}),
    "denoising-conv": Recipe(
        "convolutional denoiser for Gaussian noise up to 0.3, code a feature map", OURS, {
        "body": FEATURES, "bottleneck": part("plain", size=None), "corruption": noise([0.05, 0.3], clip=True),
        "epochs": 15, **ALL, **SMALL_SETS}),
    "denoiser-unet": Recipe(
        "U-Net denoiser for Gaussian noise up to 0.5: the strong one, no narrow code", OURS, {
        "body": part("unet", channels=[16, 32, 64], bias=False), "bottleneck": part("plain", size=None),
        "corruption": noise([0.0, 0.5], clip=True), "objective": "root", "optimiser": part("adam", lr=2e-3),
        "schedule": "cosine", "epochs": 15, "batch_size": 16, **ALL, **SMALL_SETS}),
    "denoiser-photo": Recipe(
        "denoiser of photographs, of any noise up to 0.3", OURS, {
        "body": "photo", "bottleneck": part("plain", size=None), "scale": "unit",
        "corruption": part("sensor", sigma=[0.0, 0.3], shot=0.25, clipped=0.5), "objective": "root",
        "optimiser": "muon", "schedule": part("cosine", warmup=0.01), "epochs": 20, "batch_size": 24, **ALL,
        **at_least(2000, augment=["repeat", "flips", "colours", "brightness", "grey"])}),
    "vae-mlp": Recipe("variational autoencoder, code 20: lab C's", "lab C", VAE),
    "vae-conv": Recipe("convolutional variational autoencoder, code 32", OURS, {
        "body": FEATURES, "bottleneck": part("variational", size=32), "likelihood": "bernoulli",
        "epochs": 15, **SMALL_SETS}),
    "anomaly": Recipe(
        "finds images that do not belong: chooses scale, model and score by itself", OURS, {}, "detector"),
    "neighbours": Recipe(
        "distance to the nearest images of a training set", OURS, {"scale": "each"}, "neighbours"),
    "pca": Recipe("principal components, code 30", "lab E1", {"n_components": 30}, "pca"),
    "lab-a": Recipe("denoising compressor, code 64", "lab A", LAB_A),
    "lab-a-unclipped": Recipe("lab A with unclipped noise, for its score field", "lab A's theory", {
        **LAB_A, "corruption": noise(0.3, clip=False)}),
    "lab-a-plane": Recipe("denoiser of points in the plane, to see its score field", "lab A's theory", {
        "body": part("mlp", widths=[128, 128]), "bottleneck": part("plain", size=128), "scale": "symmetric",
        "corruption": noise(0.12, clip=False), "epochs": 150, "batch_size": 256,
        "optimiser": part("adam", lr=3e-3), "schedule": "cosine", **ALL}),
    "lab-b": Recipe("compression, code 32", "lab B", {
        "body": part("mlp", widths=[128, 64]), "bottleneck": part("relu", size=32), "likelihood": "bernoulli",
        "epochs": 50, "batch_size": 256, "optimiser": adam(784), "training": LAST, **ALL}),
    "lab-c": Recipe("variational autoencoder, code 20", "lab C", LAB_C),
    "lab-d": Recipe("variational autoencoder with a plane for a code", "lab D", {
        **LAB_C, "bottleneck": part("variational", size=2), "likelihood": mse("sigmoid"), "epochs": 20}),
    "lab-e1": Recipe("deep autoencoder against PCA, code 30", "lab E1", {
        **LAB_E, "body": part("mlp", widths=[512, 256, 128]), "bottleneck": part("relu", size=30),
        "up": part("linear", widths=[128, 256])}),
    **{f"lab-e2-{h}": Recipe(f"one hidden layer of {h}", "lab E2", {**E2, "bottleneck": part("relu", size=h)})
       for h in (64, 128, 256)},
    **{f"lab-e3-{name}": Recipe(f"sparse and over-complete, L1 weight {name} as published", "lab E3", {
        **E2, "bottleneck": part("sparse", size=1156, weight=weight * 784 * 256)})
       for name, weight in (("1e-6", 1e-6), ("1e-5", 1e-5), ("1e-4", 1e-4))},
    **{f"lab-e4-{sigma}": Recipe(f"denoiser for noise {sigma}", "lab E4", {
        **E2, "bottleneck": part("relu", size=256), "corruption": noise(sigma, clip=False),
        "optimiser": adam(784, lr=8e-4)})
       for sigma in (0.3, 0.5, 0.8, 0.9)},
    "lab-e5": Recipe("a code of 8, to be perturbed", "lab E5", {
        **LAB_E, "body": part("mlp", widths=[64]), "bottleneck": part("relu", size=8),
        "likelihood": mse("sigmoid")}),
    "lab-e6-unpool": Recipe("up by unpooling", "lab E6", {**E6, "up": part("unpool", kernels=[None, 3, 3])}),
    "lab-e6-deconv": Recipe("up by transposed convolutions", "lab E6", {
        **E6, "up": part("deconv", kernels=[3, 4, 4])}),
    "lab-e6-both": Recipe("up by unpooling and transposed convolutions", "lab E6", {
        **E6, "up": "deconv+unpool"}),
    "lab-f-plain": Recipe("coloured digits, plain", "lab F (a)", LAB_F),
    "lab-f-regular": Recipe("coloured digits, dropout and batch normalisation", "lab F (b)", {
        **LAB_F, "body": REGULAR}),
    "lab-f-vae": Recipe("coloured digits, variational", "lab F (c)", {
        **LAB_F, "bottleneck": part("variational", size=None)}),
    "lab-f-norm": Recipe("lab F (a) with batch normalisation: a cure for its black phase", "lab F, ours", {
        **LAB_F, "body": part("conv", channels=[128, 64, 32, 16], batch_norm=True)}),
    "lab-f-bernoulli": Recipe("lab F (a) with cross-entropy: a cure for its black phase", "lab F, ours", {
        **LAB_F, "likelihood": "bernoulli"}),
}  # fmt: skip


def without_clean(name: str, paired: bool = False) -> dict[str, Any]:
    """Changes to the recipe of that name for images that are noisy themselves (`parts.neighbours`).

    paired: for two of each scene.
    """
    changes: dict[str, Any] = {"corruption": "two-shots"}
    if not paired:
        changes = {"objective": "neighbours", "corruption": "none"}
    augment = RECIPES[name].options.get("training", {}).get("augment")
    if augment:
        kept = [augmentation for augmentation in augment if augmentation in KEEP_NOISE]
        changes["training"] = {"augment": kept}
    return changes


def recipe(name: str, **changes: Any) -> ImageModel:
    """The model of that name, with changes. Raises `UnknownName` (did you mean), `BuildError`."""
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    estimator = ESTIMATORS[RECIPES[name].estimator]
    # what is changed on the model leaves the recipe as it is
    options = deepcopy(dict(RECIPES[name].options))
    base = {**default_options(estimator), **options}
    options |= merge_choice(base, changes)
    return choose("recipe", {name: estimator}, {"kind": name, **options})


def recipes() -> Table:
    """All recipes: name, what it is, where it comes from."""
    return Table(
        {"recipe": name, "what": r.summary, "from": r.source} for name, r in RECIPES.items()
    )
