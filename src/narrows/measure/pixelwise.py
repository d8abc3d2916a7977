"""Measures of one image against another, pixel by pixel.

Of an image x of D values (pixels times channels) and an estimate y of it, with R the distance from
black to white (`data_range`):

    mse     MSE(x, y) = 1/D Σ (xᵢ - yᵢ)²                            per pixel, in squared units of the images
    psnr    PSNR(x, y) = 10 log₁₀ (R² / MSE)                        dB per image; infinite where x = y
    snr     SNR(x, y) = 10 log₁₀ (Σ xᵢ² / Σ (xᵢ - yᵢ)²)             dB per image; infinite where x = y
    bce     BCE(x, p) = - Σ xᵢ log pᵢ + (1 - xᵢ) log (1 - pᵢ)       nats per image, summed over its values

MSE and PSNR do not mind which image comes first; SNR and BCE do: the clean one first. Means over a
set are means of these values over the images. The mean of PSNRs is not the PSNR of the mean MSE: by
Jensen's inequality it is never lower. A BCE with grey pixels is no log-likelihood, and its least
value is the entropy of the pixels, not 0.

Arguments, in all of them: numpy arrays `(N, H, W)` or `(N, H, W, C)` give an array `(N,)`; torch
tensors `(..., C, H, W)` give a tensor of the batch shape. Shapes must agree, else `ImageError`.

Reference: A. Horé, D. Ziou, "Image quality metrics: PSNR vs. SSIM", ICPR 2010,
https://doi.org/10.1109/ICPR.2010.579.
"""

from typing import Any

from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from narrows.errors import ImageError
from narrows.measure.per_image import Images, peak, per_image

PIXELS = (-3, -2, -1)  # the places of channels, rows and columns


def mse(a: Images, b: Images) -> Any:
    """Mean squared error per pixel, for each image: `(N,)`, 0 or more, in squared units of the
    images.

    For uint8 images that is on 0..255; both arguments must be on one scale, else `ImageError`.
    """
    _one_scale(a, b)
    return per_image(lambda a, b: (a - b).square().mean(PIXELS), a, b)


def psnr(a: Images, b: Images, data_range: float | None = None) -> Any:
    """Peak signal-to-noise ratio in dB, for each image: `(N,)`; `inf` where the two images are
    equal.

    data_range: the distance from black to white; None means 255 for uint8, 65535 for uint16, 1 for
    floats.
    """
    r = peak(a, b, data_range)
    return per_image(lambda a, b: 10 * (r**2 / (a - b).square().mean(PIXELS)).log10(), a, b)


def snr(clean: Images, estimate: Images) -> Any:
    """Signal-to-noise ratio in dB, for each image: `(N,)`; the signal is `clean`, mean and all.

    `inf` where the two images are equal, `-inf` where only `clean` is black.
    """
    _one_scale(clean, estimate)
    return per_image(_snr, clean, estimate)


def bce(x: Images, p: Images) -> Any:
    """Binary cross-entropy of the probabilities p for the pixels x, in nats, summed over each
    image: `(N,)`.

    Both in [0, 1] (integer images are divided by their peak first), else `ImageError`. Logarithms
    are bounded below by -100, torch's convention, so that a wrong certainty costs 100 nats and not
    infinity.
    """
    r = peak(x, p)
    cost = lambda x, p: binary_cross_entropy(p / r, x / r, reduction="none").sum(PIXELS)  # noqa: E731
    return per_image(cost, x, p, check=lambda x, p: _probabilities(x / r, p / r))


def _snr(x: Tensor, y: Tensor) -> Tensor:
    signal, noise = x.square().sum(PIXELS), (x - y).square().sum(PIXELS)
    ratio = (signal / noise).where(noise > 0, float("inf"))  # 0/0, black for black, is equal too
    return 10 * ratio.log10()


def _one_scale(a: Images, b: Images) -> None:
    """Refuse uint8 with floats: the error of 0..255 against [0, 1] has no meaning."""
    if hasattr(a, "dtype") and hasattr(b, "dtype") and a.dtype != b.dtype:
        peak(a, b)


def _probabilities(x: Tensor, p: Tensor) -> None:
    for name, values in (("x", x), ("p", p)):
        if not values.numel():
            continue
        low, high = values.min().item(), values.max().item()
        if not (low >= 0 and high <= 1):
            raise ImageError(
                f"bce: {name} runs from {low:.4g} to {high:.4g}, expected values in [0, 1]; scale or clip it"
            )
