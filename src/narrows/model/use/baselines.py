"""Classical denoisers (`denoisers`) as baselines, compared with a model on the same noisy images.

A denoiser gets the true standard deviation σ of the noise of each image,

    σ² = mean over the pixels of (x̃ - x)²,

which no network does. Measured are the outputs on [0, 1], neither clipped nor rounded.
"""

import time
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows import measure
from narrows.choose import find_part
from narrows.errors import wrong
from narrows.image_batches import ImageBatches
from narrows.measure import Table
from narrows.model.estimator.arguments import check_integer
from narrows.model.progress_bar import progress_bar
from narrows.model.protocol import Model
from narrows.model.training.pairs import with_noisy
from narrows.model.training.validate import SSIM
from narrows.model.use.denoisers import (
    BASELINES,
    Baseline,
    missing_package,
    usual_baselines,
    without_single_channel,
)
from narrows.parts.corruption import Corruption
from narrows.parts.kinds import KINDS
from narrows.randomness import PerImageRandom, keyed_generator

Measures = dict[str, np.ndarray]  # one value an image
Pair = tuple[np.ndarray, np.ndarray]  # clean and noisy images


def compare_denoisers(
    model: Model,
    X: Any,
    *,
    seed: int = 0,
    noise: Any = None,
    noisy: Any = None,
    most: int = 1000,
    baselines: Iterable[str] | None = None,
    more: Mapping[str, Baseline] = MappingProxyType({}),
) -> Table:
    """A fitted denoiser and the baselines on the same noisy images: a row each of psnr (dB), ssim,
    seconds in all.

    X: clean images; if there are more than `most`, that number is drawn at random. noise: a
    corruption; by default the model's own, and then the noisy images are those of `evaluate`.
    noisy: instead of it X with noise of your own.

    baselines: their names; by default all, bm3d if it is installed. One that is named and whose
    package is not installed has a `note` instead of numbers. more: others, by name, compared too.
    Raises `BuildError` for a model that makes no noise if none is named or given, `UnknownName`.
    """
    check_integer("most", most)
    installed, notes = _installed(usual_baselines() if baselines is None else baselines)
    denoisers = {"noisy": _unchanged, "this model": _as_baseline(model), **installed, **more}
    images = _chosen_images(model, X, noisy, most, seed)
    batches = images.batches(model._widest)
    pairs = (_pair(model, images, rows, seed, noise) for rows in batches)
    measures = _measures_by_name(denoisers, pairs, len(batches))
    table = Table({"denoiser": name, **_mean(of_batches)} for name, of_batches in measures.items())
    table.extend({"denoiser": name, "note": note} for name, note in notes.items())
    return table


def noisy_images(model: Model, x: Tensor, seed: int, noise: Any = None) -> Tensor:
    """Images `(N, C, H, W)` on the working scale with that corruption, or the model's own, as in
    `evaluate`.
    """
    if noise is None:
        corruption = _noise_of(model)
    else:
        corruption = KINDS["corruption"].make(noise, bounds=model.scale_.bounds)
    return corruption(x, PerImageRandom(x, seed, "evaluate"))[0]


def as_arrays(unit: Tensor) -> np.ndarray:
    """Images `(N, C, H, W)` as arrays: `(N, H, W)` if there is one channel, else `(N, H, W, C)`."""
    images = unit.permute(0, 2, 3, 1).numpy(force=True)
    return np.ascontiguousarray(without_single_channel(images))


def _noise_of(model: Model) -> Corruption:
    """The noise that the model was trained on. Raises `BuildError` if it makes none."""
    if model.noise_ is not None:
        return model.noise_
    trained_on = "clean images"
    if model.learns_from_noisy:
        trained_on = "noisy images alone"
    elif model.wants_pairs:
        trained_on = "pairs"
    raise wrong(
        "baselines",
        f"a model that was trained on {trained_on}",
        "a denoiser that makes noise",
        "name a noise, such as {'kind': 'gaussian', 'sigma': 0.3}, or give noisy images",
    )


def _chosen_images(model: Model, X: Any, noisy: Any, most: int, seed: int) -> ImageBatches:
    """At most `most` of the images, drawn at random."""
    array, layout = model._accept(X)
    if layout.is_table:
        raise wrong("baselines", "a table", "images, whose pixels have neighbours")
    order = torch.randperm(len(array), generator=keyed_generator(seed, "baselines"))
    images = with_noisy(ImageBatches(array, layout, model.scale_), noisy)
    return images.part(order[:most].sort().values)


def _pair(model: Model, images: ImageBatches, rows: slice, seed: int, noise: Any) -> Pair:
    """Clean and noisy images of a batch, as arrays on [0, 1]."""
    clean, scale = images.scaled_batch(rows)
    if images.noisy is None:
        noisy, scale_of_noisy = noisy_images(model, clean, seed, noise), scale
    else:
        noisy, scale_of_noisy = images.noisy.scaled_batch(rows)
    return as_arrays(scale.unit(clean)), as_arrays(scale_of_noisy.unit(noisy))


def _installed(names: Iterable[str]) -> tuple[dict[str, Baseline], dict[str, str]]:
    """The baselines of these names whose packages are installed, and a note for each of the others."""
    denoisers, notes = {}, {}
    for name in names:
        denoise = find_part("baseline", BASELINES, name)[0]
        note = missing_package(denoise)
        if note:
            notes[name] = note
        else:
            denoisers[name] = denoise
    return denoisers, notes


def _measures_by_name(
    denoisers: dict[str, Baseline], pairs: Iterable[Pair], batches: int
) -> dict[str, list[Measures]]:
    """Of each denoiser, the measures of every batch of clean and noisy images."""
    measures: dict[str, list[Measures]] = {name: [] for name in denoisers}
    with progress_bar("denoising", batches * len(denoisers)) as advance:
        for clean, noisy in pairs:
            for name, denoise in denoisers.items():
                measures[name].append(_measure(denoise, clean, noisy))
                advance(lambda name=name: name)
    return measures


def _as_baseline(model: Model) -> Baseline:
    return lambda noisy, sigma: model.denoise(noisy, exact=True)


def _unchanged(noisy: np.ndarray, sigma: Any) -> np.ndarray:
    return noisy


def _measure(denoise: Baseline, clean: np.ndarray, noisy: np.ndarray) -> Measures:
    """Measures of a batch, one value an image; its seconds, shared out."""
    sigma = np.sqrt(measure.mse(clean, noisy))
    start = time.perf_counter()
    output = denoise(noisy, sigma)
    seconds = time.perf_counter() - start
    values = {"psnr": measure.psnr(clean, output, 1.0)}
    if min(clean.shape[1:3]) >= SSIM:
        values["ssim"] = measure.ssim(clean, output, 1.0, window=SSIM)
    return {**values, "seconds": np.full(len(noisy), seconds / len(noisy))}


def _mean(batches: list[Measures]) -> dict[str, float]:
    """Means over all images; seconds in all."""
    means = {}
    for name in batches[0]:
        values = np.concatenate([batch[name] for batch in batches]).astype(np.float64)
        means[name] = float(values.mean())
        if name == "seconds":
            means[name] = float(values.sum())
    return means
