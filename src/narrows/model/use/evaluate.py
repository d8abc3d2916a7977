"""How good a model is: measures of its reconstructions, bounds and codes over a set of images.

Up to three views of the same images are measured, each against the clean image, one value an image,
then averaged:

    ""           the reconstruction of the clean image, through the mean code
    "denoised"   of the noisy images that are given with the clean ones, of a model of any kind; else,
                 if the model was trained on corrupted images, of an image corrupted in the same way
                 ("noisy" says how far that image was from the clean one, the number to beat)
    "sampled"    if codes are sampled: through a sampled code

A model that learns from noisy images takes those that it is given alone as such: they are no clean
images, and nothing is compared with them.

Measures are on [0, 1] (or on [-1, 1] with a range of 2, if asked), of the model's output before it
is clipped or rounded. Random numbers belong to the image and the seed, so that the numbers are the
same at every call.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from sklearn.base import clone
from torch import Tensor

from narrows import measure
from narrows.image_batches import ImageBatches
from narrows.measure import Table
from narrows.model.estimator.base import ImageModel
from narrows.model.outputs import Views
from narrows.model.protocol import Model
from narrows.model.recipes import recipe
from narrows.model.training.pairs import with_noisy
from narrows.model.training.validate import (
    SPANS,
    SSIM,
    on_measure_scale,
    validate_measure_scale,
)
from narrows.model.use.baselines import noisy_images
from narrows.scale import Scale

VIEW_TITLES = {
    "": "reconstruction",
    "noisy": "noisy",
    "denoised": "denoised",
    "sampled": "by a sampled code",
}


def evaluate(
    model: Model, X: Any, noisy: Any = None, *, seed: int = 0, measure_scale: str = "unit"
) -> dict[str, float]:
    """Measures of a fitted model over images, by name; see the module for the views.

    noisy: the same images with noise of your own, in the same order. A model trained on such pairs
        makes no noise itself: without them its reconstructions of clean images are measured, and
        nothing is said of denoising.

    signal_power (the mean of x², x on [0, 1]); mse (per pixel), psnr and snr (dB), ssim; elbo, nll
    and kl (nats an image, with the likelihood's constant), of variational models; bce (nats an
    image), of Bernoulli ones; code_rms (root mean square of the code's units); active_units (of an
    image, on average), dead_units; code_size, side_bits and parameters. A variational unit is dead
    if the variance of its mean over the images is below 0.01 (Y. Burda et al., 2016). Of the views
    of a table there is mse alone, on the working scale.
    """
    validate_measure_scale(measure_scale)
    totals: dict[str, float] = defaultdict(float)
    statistics = measure.CodeStatistics()
    for batch in _batches(model, X, noisy, seed):
        statistics.add(batch.views.codes)
        of_images = {}
        if is_compared(model, noisy):
            of_images = {**_measures(model, batch, measure_scale), **batch.views.terms}
        for name, values in of_images.items():
            totals[name] += values.double().sum().item()
    means = {name: total / statistics.count for name, total in totals.items()}
    return {**means, **_code_measures(model, statistics), **sizes(model)}


def is_compared(model: Model, noisy: Any = None) -> bool:
    """Whether there are clean images to compare with: those that come with noisy ones, or that the
    model takes as clean.
    """
    return noisy is not None or not model.learns_from_noisy


def sizes(model: Model) -> dict[str, float]:
    """Numbers in the code, bits of the side channel, and parameters."""
    side = {"side_bits": model.side_bits_} if model.side_bits_ else {}
    return {"code_size": model.code_size_, **side, "parameters": model.n_parameters_}


def compare(models: Iterable[ImageModel | str], X: Any, X_test: Any, seed: int = 0) -> Table:
    """A table of models on the same images: those not yet fitted (recipes by name too) are fitted
    to X first.
    """
    table, seen = Table(), Counter[str]()
    for given in models:
        name, model = _named(given)
        seen[name] += 1
        if seen[name] > 1:
            name = f"{name} ({seen[name]})"
        model, fitting = _fitted(model, X)
        table.append({"model": name, **fitting, **evaluate(model, X_test, seed=seed)})
    return table


def _named(given: ImageModel | str) -> tuple[str, ImageModel]:
    """A model, and what it is called in a table: its recipe or its class."""
    if isinstance(given, str):
        return given, recipe(given)
    return type(given).__name__, given


def _fitted(model: ImageModel, X: Any) -> tuple[ImageModel, dict[str, float]]:
    """A model as it is if it is fitted; else a clone fitted to X, and how long that took."""
    if model.__sklearn_is_fitted__():
        return model, {}
    start = time.perf_counter()
    fitted = cast(ImageModel, clone(model)).fit(X)
    return fitted, {"fit_seconds": time.perf_counter() - start}


def image_rows(model: Model, X: Any, seed: int = 0, noisy: Any = None) -> dict[str, np.ndarray]:
    """Images and what the model makes of them: title → `(k, H, W)` or `(k, H, W, C)` on [0, 1], for
    figures.

    noisy: the same images with noise of your own, see `evaluate`.
    """
    images = _with_noisy(model, X, noisy)
    batch = _batch(model, images, slice(0, len(images)), seed)
    views = batch.unit_views()
    if not is_compared(model, noisy):
        given = batch.scale.unit(batch.x)
        return {"noisy": _to_figure(given), "denoised": _to_figure(views[""])}
    if "denoised" in views:
        del views[""]
    rows = {"original": _to_figure(batch.scale.unit(batch.x))}
    for name, image in views.items():
        rows[VIEW_TITLES[name]] = _to_figure(image)
    return rows


def displayable(images: np.ndarray) -> np.ndarray:
    """Images in a form that can be drawn: grey `(N, H, W)` for one channel or two, else as they are."""
    if images.ndim == 4 and images.shape[-1] < 3:
        return images[..., 0]
    return images


def image_measures(clean: Tensor, image: Tensor, data_range: float) -> dict[str, Tensor]:
    """mse, psnr, snr and, of images large enough for its window, ssim: one value an image."""
    values = {
        "mse": measure.mse(clean, image),
        "psnr": measure.psnr(clean, image, data_range),
        "snr": measure.snr(clean, image),
    }
    if min(clean.shape[-2:]) >= SSIM:
        values["ssim"] = measure.ssim(clean, image, data_range, window=SSIM)
    return values


def _with_noisy(model: Model, X: Any, noisy: Any) -> ImageBatches:
    """Images as the model takes them, with their noisy ones if these are given."""
    array, layout = model._accept(X)
    return with_noisy(ImageBatches(array, layout, model.scale_), noisy)


@dataclass
class Batch:
    """Images on the working scale, their views, and the scales of the images and of noisy ones."""

    x: Tensor
    views: Views
    scale: Scale
    scale_of_noisy: Scale

    def unit_views(self) -> dict[str, Tensor]:
        """The images of the views by name, on [0, 1]."""
        scales = {"noisy": self.scale_of_noisy, "denoised": self.scale_of_noisy}
        views = self.views.images.items()
        return {name: scales.get(name, self.scale).unit(image) for name, image in views}


def _batches(model: Model, X: Any, noisy: Any, seed: int) -> Iterator[Batch]:
    """The images batch by batch, and their views."""
    images = _with_noisy(model, X, noisy)
    for rows in images.batches(model._widest):
        yield _batch(model, images, rows, seed)


def _batch(model: Model, images: ImageBatches, rows: slice, seed: int) -> Batch:
    """Images and their views. Noisy images have a scale of their own if it is per image, as when
    `denoise` gets them.
    """
    x, scale = images.scaled_batch(rows)
    noisy, scale_of_noisy = None, scale
    if images.noisy is not None:
        noisy, scale_of_noisy = images.noisy.scaled_batch(rows)
    elif model.noise_ is not None and scale.is_per_image:
        noisy, scale_of_noisy = scale.rescale(noisy_images(model, x, seed))
    return Batch(x, model.views(x, seed, noisy), scale, scale_of_noisy)


def _measures(model: Model, batch: Batch, measure_scale: str) -> dict[str, Tensor]:
    """Measures of every view, one value an image; "denoised_psnr" is the psnr of that view."""
    if model.layout_.is_table:
        return {"mse": _mean_square(batch.views.images[""] - batch.x)}
    unit, span = batch.scale.unit(batch.x), SPANS[measure_scale]
    clean = on_measure_scale(unit, measure_scale)
    values = {"signal_power": _mean_square(unit)}
    for view, image in batch.unit_views().items():
        output = on_measure_scale(image, measure_scale)
        values |= _of_view(view, image_measures(clean, output, span))
    return values


def _of_view(view: str, measures: dict[str, Tensor]) -> dict[str, Tensor]:
    """Measures by their names in a view: psnr is "psnr" in the view "", else "denoised_psnr"."""
    if not view:
        return measures
    return {f"{view}_{name}": of_images for name, of_images in measures.items()}


def _mean_square(x: Tensor) -> Tensor:
    """The mean of x² over the values of each image, `(n,)`."""
    return x.square().flatten(1).mean(1)


def _code_measures(model: Model, statistics: measure.CodeStatistics) -> dict[str, float]:
    """How large the units of the code are, and what the model says of them."""
    measures = {"code_rms": statistics.rms}
    if statistics.count >= 2:
        measures |= model.code_measures(statistics)
    return measures


def _to_figure(unit: Tensor) -> np.ndarray:
    """Images `(N, C, H, W)` as arrays on [0, 1]."""
    return displayable(unit.clamp(0, 1).permute(0, 2, 3, 1).numpy())
