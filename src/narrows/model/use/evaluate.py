"""How good a model is: measures of its reconstructions, bounds and codes over a set of images.

Up to three views of the same images are measured, each against the clean image, one value an image, then averaged:

    ""           the reconstruction of the clean image, through the mean code
    "denoised"   of the noisy images that are given beside the clean ones, of a model of any kind; else, where the
                 model was trained on corrupted images, of an image corrupted in the same way ("noisy" says how far
                 that image was from the clean one, the mark to beat)
    "sampled"    where codes are sampled: through a sampled code

Measures are on [0, 1] (or on [-1, 1] with a range of 2, if asked), of the model's output before it is clipped or
rounded. Random numbers belong to the image and the seed, so figures repeat.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor

from narrows import measure
from narrows.errors import wrong
from narrows.image_batches import ImageBatches
from narrows.measure import Table
from narrows.model.estimator.autoencoder import Autoencoder
from narrows.model.estimator.base import ImageModel
from narrows.model.recipes import recipe
from narrows.model.training.pairs import with_noisy
from narrows.model.training.validate import SPANS, SSIM, on_measure_scale
from narrows.parts.corruption import Clean, Corruption
from narrows.parts.likelihood import Bernoulli
from narrows.randomness import PerImageRandom

ROWS = {"": "reconstruction", "noisy": "noisy", "denoised": "denoised", "sampled": "by a sampled code"}
COLLAPSED = 0.01  # variance over images of a unit's mean, below which a variational unit says nothing of them


def evaluate(
    model: ImageModel, X: Any, noisy: Any = None, *, seed: int = 0, measure_scale: str = "unit"
) -> dict[str, float]:
    """Measures of a fitted model over images, by name; see the module for the views.

    noisy: the same images with noise of your own, in the same order. A model trained on such pairs makes no noise
    itself: without them its reconstructions of clean images are measured, and nothing is said of denoising.

    signal_power (the mean of x², x on [0, 1]); mse (per pixel), psnr and snr (dB), ssim; elbo, nll and kl (nats an
    image, with the likelihood's constant), of variational models; bce (nats an image), of Bernoulli ones; code_rms
    (root mean square of the code's units); active_units (of an image, on average), dead_units; code_size, side_bits
    and parameters. A variational unit is dead where the variance of its mean over the images is below 0.01 (Y. Burda
    et al., 2016). Tables have of their views mse alone, on the working scale.
    """
    if measure_scale not in SPANS:
        raise wrong("measure_scale", measure_scale, "'unit' or 'symmetric'")
    array, layout = model._accept(X)
    pixels = with_noisy(ImageBatches(array, layout, model.scale_), noisy)
    totals: dict[str, float] = defaultdict(float)
    units = measure.CodeStatistics()
    for rows in pixels.batches(model._widest):
        x = pixels.batch(rows)
        seen = views_of(model, x, seed, pixels.noisy_at(rows))
        units.add(seen.codes)
        for name, values in (_measures(model, x, seen.views, measure_scale) | seen.terms).items():
            totals[name] += float(values.double().sum())
    means = {name: total / len(pixels) for name, total in totals.items()}
    return means | _of_codes(model, units) | sizes(model)


def sizes(model: ImageModel) -> dict[str, float]:
    """Numbers in the code, bits beside it, and parameters."""
    found = {"code_size": model.code_size_}
    if model.side_bits_:
        found["side_bits"] = model.side_bits_
    return {**found, "parameters": model.n_parameters_}


def compare(models: Iterable[ImageModel | str], X: Any, X_test: Any, seed: int = 0) -> Table:
    """A table of models on the same images: those not yet fitted (recipes by name too) are fitted to X first."""
    rows, seen = Table(), Counter()
    for model in models:
        name = model if isinstance(model, str) else type(model).__name__
        seen[name] += 1
        row: dict[str, Any] = {"model": name if seen[name] == 1 else f"{name} ({seen[name]})"}
        model = recipe(model) if isinstance(model, str) else model
        if not model.__sklearn_is_fitted__():
            start = time.perf_counter()
            model = cast(ImageModel, clone(model)).fit(X)
            row["fit_seconds"] = time.perf_counter() - start
        rows.append({**row, **evaluate(model, X_test, seed=seed)})
    return rows


@dataclass
class BatchViews:
    """What a model makes of a batch of images: the module's views by name, terms of the likelihood `(n,)`, codes."""

    views: dict[str, Tensor]
    terms: dict[str, Tensor]
    codes: Tensor


def views_of(model: ImageModel, x: Tensor, seed: int = 0, noisy: Tensor | None = None) -> BatchViews:
    """What the model makes of images on the working scale, and of noisy ones if there are any; on the CPU."""
    with torch.no_grad():
        device = getattr(model, "device_", torch.device("cpu"))
        x, noisy = x.to(device), None if noisy is None else noisy.to(device)
        seen = _look(model, x, seed, noisy) if isinstance(model, Autoencoder) else _plainly(model, x, noisy)
    views, terms = ({name: found.cpu() for name, found in group.items()} for group in (seen.views, seen.terms))
    return BatchViews(views, terms, seen.codes.cpu())


def _plainly(model: ImageModel, x: Tensor, noisy: Tensor | None) -> BatchViews:
    codes = model._encode(x)
    return BatchViews({"": model._decode(codes), **_cleaned(model, noisy)}, {}, codes)


def _look(model: Autoencoder, x: Tensor, seed: int, noisy: Tensor | None) -> BatchViews:
    """One way down and up for each view; the terms are of the same codes as the views."""
    network, likelihood = model.network_, model.network_.likelihood
    code, out = network.through(x)
    views, terms = {"": likelihood.mean(out)}, {}
    if isinstance(likelihood, Bernoulli):
        terms["bce"] = likelihood.nll(out, x).sum((1, 2, 3))
    views |= _cleaned(model, _spoilt(network.corruption, x, seed) if noisy is None else noisy)
    if code.posterior is not None:
        sampled, out = network.through(x, PerImageRandom(x, seed, 0))
        views["sampled"] = likelihood.mean(out)
        terms["nll"] = likelihood.nll(out, x).sum((1, 2, 3)) + likelihood.constant * x[0].numel()
        terms["kl"] = network.prior.kl(code.posterior, sampled.z.flatten(1))
        terms["elbo"] = -terms["nll"] - terms["kl"]
    return BatchViews(views, terms, (code.posterior.mean if code.posterior else code.z).flatten(1))


def _spoilt(corruption: Corruption, x: Tensor, seed: int) -> Tensor | None:
    """Images with the noise that a model was trained on; None where it was trained on none, or on pairs."""
    makes_none = isinstance(corruption, Clean) or getattr(corruption, "paired", False)
    return None if makes_none else corruption(x, PerImageRandom(x, seed, "evaluate"))[0]


def _cleaned(model: ImageModel, noisy: Tensor | None) -> dict[str, Tensor]:
    return {} if noisy is None else {"noisy": noisy, "denoised": model._reconstruct(noisy)}


def image_rows(model: ImageModel, X: Any, seed: int = 0, noisy: Any = None) -> dict[str, np.ndarray]:
    """Images beside what the model makes of them: name -> `(k, H, W)` or `(k, H, W, C)`, in [0, 1], to be shown.

    noisy: the same images with noise of your own, see `evaluate`.
    """
    array, layout = model._accept(X)
    pixels, every = with_noisy(ImageBatches(array, layout, model.scale_), noisy), slice(0, len(array))
    x = pixels.batch(every)
    seen = views_of(model, x, seed, pixels.noisy_at(every))
    found = {"original": x, **{ROWS[name]: image for name, image in seen.views.items()}}
    if "denoised" in found:
        del found["reconstruction"]
    unit = {name: model.scale_.unit(image).clamp(0, 1) for name, image in found.items()}
    return {name: displayable(image.permute(0, 2, 3, 1).numpy()) for name, image in unit.items()}


def displayable(images: np.ndarray) -> np.ndarray:
    """Images in a form that can be shown: grey `(N, H, W)` for one channel or two, else as they are."""
    return images[..., 0] if images.ndim == 4 and images.shape[-1] < 3 else images


def _measures(model: ImageModel, x: Tensor, views: dict[str, Tensor], measure_scale: str) -> dict[str, Tensor]:
    if model.layout_.is_table:
        return {"mse": (views[""] - x).square().flatten(1).mean(1)}

    clean, span = on_measure_scale(x, model.scale_, measure_scale), SPANS[measure_scale]
    found = {"signal_power": model.scale_.unit(x).square().flatten(1).mean(1)}
    for view, image in views.items():
        for name, values in image_measures(clean, on_measure_scale(image, model.scale_, measure_scale), span).items():
            found[f"{view}_{name}".strip("_")] = values
    return found


def image_measures(clean: Tensor, image: Tensor, data_range: float) -> dict[str, Tensor]:
    """mse, psnr, snr and, of images large enough for its window, ssim: one value an image."""
    found = {
        "mse": measure.mse(clean, image),
        "psnr": measure.psnr(clean, image, data_range),
        "snr": measure.snr(clean, image),
    }
    if min(clean.shape[-2:]) >= SSIM:
        found["ssim"] = measure.ssim(clean, image, data_range, window=SSIM)
    return found


def _of_codes(model: ImageModel, units: measure.CodeStatistics) -> dict[str, float]:
    """How large units are; active ones of an image; dead ones: never above 0 or, where 0 means nothing, unmoved."""
    size = {"code_rms": units.rms}
    if not isinstance(model, Autoencoder) or units.count < 2:
        return size
    bottleneck = model.network_.bottleneck
    if bottleneck.variational:
        return {**size, "dead_units": int((units.variance < COLLAPSED).sum())}
    if bottleneck.rectified:
        return {**size, "active_units": units.active, "dead_units": int(units.dead.sum())}
    return {**size, "dead_units": int(units.constant.sum())}
