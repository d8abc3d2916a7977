"""Classical denoisers, which learn nothing.

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
but the median need it. Their settings are the usual ones, the same for all images.

References: L. Rudin et al., "Nonlinear total variation based noise removal algorithms", 1992,
https://doi.org/10.1016/0167-2789(92)90242-F, by A. Chambolle's algorithm; S. Chang et al.,
"Adaptive wavelet thresholding for image denoising and compression", IEEE TIP 2000,
https://doi.org/10.1109/83.862633; A. Buades et al., "A non-local algorithm for image denoising",
CVPR 2005, https://doi.org/10.1109/CVPR.2005.38; K. Dabov et al., "Image denoising by sparse 3-D
transform-domain collaborative filtering", IEEE TIP 2007, https://doi.org/10.1109/TIP.2007.901238.
The programs are scikit-image's, SciPy's, and for the last its authors' own.
"""

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from narrows.errors import MissingExtra, extra

OneImage = Callable[[np.ndarray, float], np.ndarray]
Baseline = Callable[[np.ndarray, Any], np.ndarray]
SMALLEST_SIGMA = 1e-3  # below which a baseline would divide by almost 0


def of_each(denoise_one: OneImage) -> Baseline:
    """A denoiser of images `(N, H, W)` or `(N, H, W, C)`, from that of one image."""

    @wraps(denoise_one)
    def denoise_all(noisy: np.ndarray, sigma: Any) -> np.ndarray:
        strengths = np.broadcast_to(np.maximum(sigma, SMALLEST_SIGMA), len(noisy))
        results = map(denoise_one, without_single_channel(noisy), strengths.tolist())
        return np.stack(list(results), dtype=np.float32).reshape(noisy.shape)

    return denoise_all


def without_single_channel(images: np.ndarray) -> np.ndarray:
    """Images `(N, H, W)` if there is one channel, else `(N, H, W, C)`."""
    if images.shape[3:] == (1,):
        return images[..., 0]
    return images


def _colour_axis(image: np.ndarray) -> int | None:
    """The axis of the colours, for scikit-image; None for `(H, W)`."""
    return -1 if image.ndim == 3 else None


def _has_three_colours(image: np.ndarray) -> bool:
    """Whether an image is `(H, W, 3)`, not grey."""
    return image.ndim == 3 and image.shape[2] == 3


def _restoration() -> Any:
    """scikit-image's package of denoisers. Raises `MissingExtra`."""
    return extra("skimage.restoration", "baselines")


@of_each
def median(image: np.ndarray, sigma: float) -> np.ndarray:
    """The median of 3 x 3 pixels, in each colour."""
    from scipy.ndimage import median_filter

    return median_filter(image, size=(3, 3, 1)[: image.ndim])


@of_each
def total_variation(image: np.ndarray, sigma: float) -> np.ndarray:
    """Few and sharp edges, close to the noisy image."""
    denoise = _restoration().denoise_tv_chambolle
    return denoise(image, weight=0.7 * sigma, channel_axis=_colour_axis(image))


@of_each
def wavelet(image: np.ndarray, sigma: float) -> np.ndarray:
    """Small wavelet coefficients removed; of three colours, those of luminance and chrominance."""
    denoise = _restoration().denoise_wavelet
    extra("pywt", "baselines")  # scikit-image needs it for this denoiser alone
    return denoise(
        image,
        sigma=sigma,
        convert2ycbcr=_has_three_colours(image),
        rescale_sigma=True,
        channel_axis=_colour_axis(image),
    )


@of_each
def non_local_means(image: np.ndarray, sigma: float) -> np.ndarray:
    """Means of pixels with similar patches, up to 6 pixels away."""
    return _restoration().denoise_nl_means(
        image,
        patch_size=5,
        patch_distance=6,
        h=0.8 * sigma,
        sigma=sigma,
        channel_axis=_colour_axis(image),
    )


@of_each
def bm3d(image: np.ndarray, sigma: float) -> np.ndarray:
    """Block matching in three dimensions, of three colours in an opponent space. Its licence allows
    research only.
    """
    package = _bm3d_package()
    denoise = package.bm3d_rgb if _has_three_colours(image) else package.bm3d
    height, width = image.shape[:2]
    padded = _two_blocks_wide(image)
    with np.errstate(invalid="ignore", divide="ignore"):  # it divides by the range of each colour
        result = denoise(padded, sigma)
    if not np.isfinite(result).all():
        result = package.bm3d(padded, sigma)
    return result[:height, :width]


def _bm3d_package() -> Any:
    try:
        return import_module("bm3d")
    except ImportError as error:  # no extra of ours brings it, because of its licence
        raise MissingExtra("this needs bm3d, which is not installed: pip install bm3d") from error


def _two_blocks_wide(image: np.ndarray) -> np.ndarray:
    """The image, mirrored to at least two of the program's blocks in each direction: 16 pixels."""
    height, width = image.shape[:2]
    margins = [(0, max(0, 16 - height)), (0, max(0, 16 - width)), (0, 0)]
    return np.pad(image, margins[: image.ndim], mode="symmetric")


BASELINES: dict[str, Baseline] = {
    "median": median,
    "total variation": total_variation,
    "wavelet": wavelet,
    "non-local means": non_local_means,
    "bm3d": bm3d,
}


def usual_baselines() -> list[str]:
    """The names of all, bm3d only if it is installed: its licence is not for everyone."""
    return [name for name in BASELINES if name != "bm3d" or find_spec("bm3d")]


def missing_package(denoise: Baseline) -> str:
    """What has to be installed before a baseline can be used; empty if it can."""
    try:
        denoise(np.zeros((1, 16, 16), np.float32), 0.1)
    except MissingExtra as error:
        return str(error)
    return ""
