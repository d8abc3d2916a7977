"""Classical denoisers: baselines that learn nothing, and a table of them beside a model, on the same noisy images.

    median              each pixel the median of the 3 x 3 about it
    total variation     argmin_y ½ ‖y - x̃‖² + w Σ ‖∇y‖                        w = 0.7 σ
    wavelet             W⁻¹ soft(W x̃, t_b), a threshold t_b = σ² / σ_b for each band b of the wavelet transform W
    non-local means     y_i ∝ Σ_j exp(-max(d_ij - 2 σ², 0) / h²) x̃_j           h = 0.8 σ; d: between 5 x 5 patches
    bm3d                patches that are alike, stacked, and shrunk together in a transform of the stack

Images are `(N, H, W)` or `(N, H, W, C)` floats on [0, 1], and so are the results, neither clipped nor rounded. sigma
is the standard deviation of the noise, one number or one an image, `(N,)`. All but the median want to be told it; in
the table they are told what it truly was, which no network is. Their settings are the usual ones, the same for all
images.

References: L. Rudin et al., "Nonlinear total variation based noise removal algorithms", 1992,
https://doi.org/10.1016/0167-2789(92)90242-F, by A. Chambolle's algorithm; S. Chang et al., "Adaptive wavelet
thresholding for image denoising and compression", IEEE TIP 2000, https://doi.org/10.1109/83.862633; A. Buades et al.,
"A non-local algorithm for image denoising", CVPR 2005, https://doi.org/10.1109/CVPR.2005.38; K. Dabov et al., "Image
denoising by sparse 3-D transform-domain collaborative filtering", IEEE TIP 2007,
https://doi.org/10.1109/TIP.2007.901238. The programs are scikit-image's, SciPy's, and for the last its authors' own.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows import measure
from narrows.choose import choose, find_part
from narrows.errors import MissingExtra, extra, wrong
from narrows.image_batches import ImageBatches
from narrows.measure import Table
from narrows.model.estimator.autoencoder import Autoencoder
from narrows.model.estimator.base import ImageModel, check_integer
from narrows.model.progress_bar import progress_bar
from narrows.model.training.pairs import wants_pairs, with_noisy
from narrows.model.training.validate import SSIM
from narrows.model.use.evaluate import views_of
from narrows.parts.corruption import CORRUPTIONS
from narrows.randomness import PerImageRandom, keyed_generator

One = Callable[[np.ndarray, float], np.ndarray]
Baseline = Callable[[np.ndarray, Any], np.ndarray]
LEAST = 1e-3  # a strength below which a baseline would divide by nothing


def of_each(one: One) -> Baseline:
    """A denoiser of images `(N, H, W)` or `(N, H, W, C)`, from that of one image."""

    @wraps(one)
    def all_of(noisy: np.ndarray, sigma: Any) -> np.ndarray:
        strengths = np.broadcast_to(np.maximum(sigma, LEAST), len(noisy))
        images = noisy[..., 0] if noisy.shape[3:] == (1,) else noisy
        found = [one(image, float(strength)) for image, strength in zip(images, strengths)]
        return np.stack(found, dtype=np.float32).reshape(noisy.shape)

    return all_of


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
    """Small wavelet coefficients taken away; of three colours, those of luminance and chrominance."""
    restoration, _ = extra("skimage.restoration", "baselines"), extra("pywt", "baselines")
    colour = image.ndim == 3 and image.shape[2] == 3
    return restoration.denoise_wavelet(
        image, sigma=sigma, convert2ycbcr=colour, rescale_sigma=True, channel_axis=colours(image)
    )


@of_each
def non_local_means(image: np.ndarray, sigma: float) -> np.ndarray:
    """Means of pixels whose patches are alike, up to 6 pixels away."""
    restoration = extra("skimage.restoration", "baselines")
    return restoration.denoise_nl_means(
        image, patch_size=5, patch_distance=6, h=0.8 * sigma, sigma=sigma, channel_axis=colours(image)
    )


@of_each
def bm3d(image: np.ndarray, sigma: float) -> np.ndarray:
    """Block matching in three dimensions, of three colours in an opponent space. By licence for research alone."""
    package = extra("bm3d", "bm3d")
    colour = image.ndim == 3 and image.shape[2] == 3
    height, width = image.shape[:2]
    spare = [(0, max(0, 16 - height)), (0, max(0, 16 - width)), (0, 0)][: image.ndim]
    wide = np.pad(image, spare, mode="symmetric")  # smaller than two of its blocks, the program breaks down
    with np.errstate(invalid="ignore", divide="ignore"):  # it divides by the range of each colour
        found = package.bm3d_rgb(wide, sigma) if colour else package.bm3d(wide, sigma)
    return (found if np.isfinite(found).all() else package.bm3d(wide, sigma))[:height, :width]


BASELINES: dict[str, Baseline] = {
    "median": median,
    "total variation": total_variation,
    "wavelet": wavelet,
    "non-local means": non_local_means,
    "bm3d": bm3d,
}


def compare_denoisers(
    model: ImageModel,
    X: Any,
    *,
    seed: int = 0,
    noise: Any = None,
    noisy: Any = None,
    most: int = 1000,
    baselines: Iterable[str] = tuple(BASELINES),
) -> Table:
    """A fitted denoiser and the baselines on the same noisy images: a row each of psnr (dB), ssim, seconds in all.

    X: clean images; of more than `most`, so many are drawn at random. noise: a corruption; by default the model's
    own, and then the noisy images are those of `evaluate`. noisy: in its place X with noise of your own.

    baselines: their names. One whose package is not installed has a `note` in place of numbers. Raises `BuildError`
    for a model that makes no noise where none is named or given, `UnknownName`.
    """
    check_integer("most", most)
    chosen = {name: find_part("baseline", BASELINES, name)[0] for name in baselines}
    array, layout = model._accept(X)
    if layout.is_table:
        raise wrong("baselines", "a table", "images, whose pixels have neighbours")
    order = torch.randperm(len(array), generator=keyed_generator(seed, "baselines"))[:most]
    pixels = with_noisy(ImageBatches(array, layout, model.scale_), noisy).part(order.sort().values)
    missing = {name: note for name, denoiser in chosen.items() if (note := lacks(denoiser))}
    denoisers: dict[str, Baseline] = {
        "noisy": _as_it_is,
        "this model": lambda noisy, _: model.denoise(noisy, exact=True),
    }
    denoisers |= {name: denoiser for name, denoiser in chosen.items() if name not in missing}
    found: dict[str, list[dict[str, np.ndarray]]] = defaultdict(list)
    batches = pixels.batches(model._widest)
    with progress_bar("denoising", len(batches) * len(denoisers)) as advance:
        for rows in batches:
            x = pixels.batch(rows)
            spoilt = noisy_of(model, x, seed, noise) if pixels.noisy is None else pixels.noisy.batch(rows)
            pair = [as_arrays(model.scale_.unit(images)) for images in (x, spoilt)]
            for name, denoiser in denoisers.items():
                found[name].append(_measured(denoiser, *pair))
                advance(lambda name=name: name)
    table = Table({"denoiser": name, **_together(parts)} for name, parts in found.items())
    table.extend({"denoiser": name, "note": note} for name, note in missing.items())
    return table


def noisy_of(model: ImageModel, x: Tensor, seed: int, noise: Any = None) -> Tensor:
    """Images `(N, C, H, W)` on the working scale with that corruption, or the model's own, as `evaluate` has it."""
    if noise is not None:
        part = choose("corruption", CORRUPTIONS, noise, bounds=model.scale_.bounds)
        return part(x, PerImageRandom(x, seed, "evaluate"))[0]
    views = views_of(model, x, seed).views if isinstance(model, Autoencoder) else {}
    cure = "name a noise, such as {'kind': 'gaussian', 'sigma': 0.3}, or give noisy images"
    trained = f"a model that was trained on {'pairs' if wants_pairs(model) else 'clean images'}"
    if "noisy" not in views:
        raise wrong("baselines", trained, "a denoiser that makes noise", cure)
    return views["noisy"]


def lacks(denoiser: Baseline) -> str:
    """What has to be installed before a baseline can be used; nothing where it can."""
    try:
        denoiser(np.zeros((1, 16, 16), np.float32), 0.1)
    except MissingExtra as error:
        return str(error)
    return ""


def as_arrays(unit: Tensor) -> np.ndarray:
    """Images `(N, C, H, W)` as arrays `(N, H, W)` where there is one channel, else `(N, H, W, C)`."""
    images = unit.permute(0, 2, 3, 1).numpy(force=True)
    return np.ascontiguousarray(images[..., 0] if images.shape[3] == 1 else images)


def _as_it_is(noisy: np.ndarray, sigma: Any) -> np.ndarray:
    return noisy


def _measured(denoiser: Baseline, clean: np.ndarray, noisy: np.ndarray) -> dict[str, np.ndarray]:
    """Measures of a batch, one value an image; its seconds, shared out."""
    sigma = np.sqrt(measure.mse(clean, noisy))
    start = time.perf_counter()
    put_out = denoiser(noisy, sigma)
    seconds = (time.perf_counter() - start) / len(noisy)
    found = {"psnr": measure.psnr(clean, put_out, 1.0)}
    if min(clean.shape[1:3]) >= SSIM:
        found["ssim"] = measure.ssim(clean, put_out, 1.0, window=SSIM)
    return {**found, "seconds": np.full(len(noisy), seconds)}


def _together(parts: list[dict[str, np.ndarray]]) -> dict[str, float]:
    """Means over all images; seconds in all."""
    joined = {name: np.concatenate([part[name] for part in parts]).astype(np.float64) for name in parts[0]}
    return {name: float(values.sum() if name == "seconds" else values.mean()) for name, values in joined.items()}
