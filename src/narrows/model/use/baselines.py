"""Classical denoisers: baselines that learn nothing, compared with a model on the same noisy
images.

    median              each pixel the median of the 3 x 3 about it
    total variation     argmin_y ½ ‖y - x̃‖² + w Σ ‖∇y‖, w = 0.7 σ
    wavelet             W⁻¹ soft(W x̃, t_b), a threshold t_b = σ² / σ_b for each band b of the
                        wavelet transform W
    non-local means     y_i ∝ Σ_j exp(-max(d_ij - 2 σ², 0) / h²) x̃_j, h = 0.8 σ; d: between 5 x 5
                        patches
    bm3d                patches that are alike, stacked, and shrunk together in a transform of the
                        stack

Images are `(N, H, W)` or `(N, H, W, C)` floats on [0, 1], and so are the results, neither clipped
nor rounded. sigma is the standard deviation of the noise, one number or one an image, `(N,)`. All
but the median need it; in the table they get the true one, which no network does. Their settings
are the usual ones, the same for all images.

References: L. Rudin et al., "Nonlinear total variation based noise removal algorithms", 1992,
https://doi.org/10.1016/0167-2789(92)90242-F, by A. Chambolle's algorithm; S. Chang et al.,
"Adaptive wavelet thresholding for image denoising and compression", IEEE TIP 2000,
https://doi.org/10.1109/83.862633; A. Buades et al., "A non-local algorithm for image denoising",
CVPR 2005, https://doi.org/10.1109/CVPR.2005.38; K. Dabov et al., "Image denoising by sparse 3-D
transform-domain collaborative filtering", IEEE TIP 2007, https://doi.org/10.1109/TIP.2007.901238.
The programs are scikit-image's, SciPy's, and for the last its authors' own.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import wraps
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows import measure
from narrows.choose import find_part
from narrows.errors import MissingExtra, extra, wrong
from narrows.image_batches import ImageBatches
from narrows.measure import Table
from narrows.model.estimator.arguments import check_integer
from narrows.model.progress_bar import progress_bar
from narrows.model.protocol import Model
from narrows.model.training.pairs import with_noisy
from narrows.model.training.validate import SSIM
from narrows.parts.kinds import KINDS
from narrows.randomness import PerImageRandom, keyed_generator

OneImage = Callable[[np.ndarray, float], np.ndarray]
Baseline = Callable[[np.ndarray, Any], np.ndarray]
Measures = dict[str, np.ndarray]  # one value an image
SMALLEST_SIGMA = 1e-3  # below which a baseline would divide by almost 0


def of_each(denoise_one: OneImage) -> Baseline:
    """A denoiser of images `(N, H, W)` or `(N, H, W, C)`, from that of one image."""

    @wraps(denoise_one)
    def denoise_all(noisy: np.ndarray, sigma: Any) -> np.ndarray:
        strengths = np.broadcast_to(np.maximum(sigma, SMALLEST_SIGMA), len(noisy))
        images = noisy[..., 0] if noisy.shape[3:] == (1,) else noisy
        results = [denoise_one(image, float(sigma)) for image, sigma in zip(images, strengths)]
        return np.stack(results, dtype=np.float32).reshape(noisy.shape)

    return denoise_all


def colours(image: np.ndarray) -> int | None:
    """The place of the colours, for scikit-image; None for `(H, W)`."""
    return -1 if image.ndim == 3 else None


@of_each
def median(image: np.ndarray, sigma: float) -> np.ndarray:
    """The median of 3 x 3 pixels, in each colour."""
    from scipy.ndimage import median_filter

    return median_filter(image, size=(3, 3, 1)[: image.ndim])


@of_each
def total_variation(image: np.ndarray, sigma: float) -> np.ndarray:
    """Few and sharp edges, close to the noisy image."""
    restoration = extra("skimage.restoration", "baselines")
    return restoration.denoise_tv_chambolle(image, weight=0.7 * sigma, channel_axis=colours(image))


@of_each
def wavelet(image: np.ndarray, sigma: float) -> np.ndarray:
    """Small wavelet coefficients removed; of three colours, those of luminance and chrominance."""
    restoration, _ = extra("skimage.restoration", "baselines"), extra("pywt", "baselines")
    colour = image.ndim == 3 and image.shape[2] == 3
    return restoration.denoise_wavelet(
        image, sigma=sigma, convert2ycbcr=colour, rescale_sigma=True, channel_axis=colours(image)
    )


@of_each
def non_local_means(image: np.ndarray, sigma: float) -> np.ndarray:
    """Means of pixels with similar patches, up to 6 pixels away."""
    restoration = extra("skimage.restoration", "baselines")
    return restoration.denoise_nl_means(
        image,
        patch_size=5,
        patch_distance=6,
        h=0.8 * sigma,
        sigma=sigma,
        channel_axis=colours(image),
    )


@of_each
def bm3d(image: np.ndarray, sigma: float) -> np.ndarray:
    """Block matching in three dimensions, of three colours in an opponent space. Its licence allows
    research only.
    """
    try:
        package = import_module("bm3d")
    except ImportError as error:  # no extra of ours brings it, because of its licence
        raise MissingExtra("this needs bm3d, which is not installed: pip install bm3d") from error
    colour = image.ndim == 3 and image.shape[2] == 3
    height, width = image.shape[:2]
    margins = [(0, max(0, 16 - height)), (0, max(0, 16 - width)), (0, 0)][: image.ndim]
    # the program fails on less than two of its blocks
    padded = np.pad(image, margins, mode="symmetric")
    denoise = package.bm3d_rgb if colour else package.bm3d
    with np.errstate(invalid="ignore", divide="ignore"):  # it divides by the range of each colour
        result = denoise(padded, sigma)
    if not np.isfinite(result).all():
        result = package.bm3d(padded, sigma)
    return result[:height, :width]


BASELINES: dict[str, Baseline] = {
    "median": median,
    "total variation": total_variation,
    "wavelet": wavelet,
    "non-local means": non_local_means,
    "bm3d": bm3d,
}


def compare_denoisers(
    model: Model,
    X: Any,
    *,
    seed: int = 0,
    noise: Any = None,
    noisy: Any = None,
    most: int = 1000,
    baselines: Iterable[str] = tuple(BASELINES),
) -> Table:
    """A fitted denoiser and the baselines on the same noisy images: a row each of psnr (dB), ssim,
    seconds in all.

    X: clean images; if there are more than `most`, that number is drawn at random. noise: a
    corruption; by default the model's own, and then the noisy images are those of `evaluate`.
    noisy: instead of it X with noise of your own.

    baselines: their names. One whose package is not installed has a `note` instead of numbers.
    Raises `BuildError` for a model that makes no noise if none is named or given, `UnknownName`.
    """
    check_integer("most", most)
    denoisers, notes = _installed(baselines)
    denoisers = {"noisy": _unchanged, "this model": _as_baseline(model), **denoisers}
    images = _chosen_images(model, X, noisy, most, seed)
    batches = images.batches(model._widest)
    measures: dict[str, list[Measures]] = defaultdict(list)
    with progress_bar("denoising", len(batches) * len(denoisers)) as advance:
        for rows in batches:
            clean, corrupted = _pair(model, images, rows, seed, noise)
            for name, denoise in denoisers.items():
                measures[name].append(_measure(denoise, clean, corrupted))
                advance(lambda name=name: name)
    table = Table({"denoiser": name, **_mean(batches)} for name, batches in measures.items())
    table.extend({"denoiser": name, "note": note} for name, note in notes.items())
    return table


def noisy_images(model: Model, x: Tensor, seed: int, noise: Any = None) -> Tensor:
    """Images `(N, C, H, W)` on the working scale with that corruption, or the model's own, as in
    `evaluate`.
    """
    if noise is not None:
        corruption = KINDS["corruption"].make(noise, bounds=model.scale_.bounds)
    elif model.noise_ is not None:
        corruption = model.noise_
    else:
        trained_on = "pairs" if model.wants_pairs else "clean images"
        raise wrong(
            "baselines",
            f"a model that was trained on {trained_on}",
            "a denoiser that makes noise",
            "name a noise, such as {'kind': 'gaussian', 'sigma': 0.3}, or give noisy images",
        )
    return corruption(x, PerImageRandom(x, seed, "evaluate"))[0]


def missing_package(denoise: Baseline) -> str:
    """What has to be installed before a baseline can be used; empty if it can."""
    try:
        denoise(np.zeros((1, 16, 16), np.float32), 0.1)
    except MissingExtra as error:
        return str(error)
    return ""


def as_arrays(unit: Tensor) -> np.ndarray:
    """Images `(N, C, H, W)` as arrays: `(N, H, W)` if there is one channel, else `(N, H, W, C)`."""
    images = unit.permute(0, 2, 3, 1).numpy(force=True)
    if images.shape[3] == 1:
        images = images[..., 0]
    return np.ascontiguousarray(images)


def _chosen_images(model: Model, X: Any, noisy: Any, most: int, seed: int) -> ImageBatches:
    """At most `most` of the images, drawn at random."""
    array, layout = model._accept(X)
    if layout.is_table:
        raise wrong("baselines", "a table", "images, whose pixels have neighbours")
    order = torch.randperm(len(array), generator=keyed_generator(seed, "baselines"))
    images = with_noisy(ImageBatches(array, layout, model.scale_), noisy)
    return images.part(order[:most].sort().values)


def _pair(
    model: Model, images: ImageBatches, rows: slice, seed: int, noise: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Clean and noisy images of a batch, as arrays on [0, 1]."""
    clean, noisy = images.batch(rows), images.noisy_at(rows)
    if noisy is None:
        noisy = noisy_images(model, clean, seed, noise)
    return as_arrays(model.scale_.unit(clean)), as_arrays(model.scale_.unit(noisy))


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


def _as_baseline(model: Model) -> Baseline:
    return lambda noisy, sigma: model.denoise(noisy, exact=True)


def _unchanged(noisy: np.ndarray, sigma: Any) -> np.ndarray:
    return noisy


def _measure(denoise: Baseline, clean: np.ndarray, noisy: np.ndarray) -> Measures:
    """Measures of a batch, one value an image; its seconds, shared out."""
    sigma = np.sqrt(measure.mse(clean, noisy))
    start = time.perf_counter()
    output = denoise(noisy, sigma)
    seconds = (time.perf_counter() - start) / len(noisy)
    values = {"psnr": measure.psnr(clean, output, 1.0)}
    if min(clean.shape[1:3]) >= SSIM:
        values["ssim"] = measure.ssim(clean, output, 1.0, window=SSIM)
    return {**values, "seconds": np.full(len(noisy), seconds)}


def _mean(batches: list[Measures]) -> dict[str, float]:
    """Means over all images; seconds in all."""
    means = {}
    for name in batches[0]:
        values = np.concatenate([batch[name] for batch in batches]).astype(np.float64)
        means[name] = float(values.sum() if name == "seconds" else values.mean())
    return means
