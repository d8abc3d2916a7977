"""Structural similarity: are two images alike in brightness, contrast and pattern, window by
window?

In a window of w x w pixels with means μ, sample variances σ² and covariance σ_xy of the two images,

    SSIM = (2 μ_x μ_y + C₁)(2 σ_xy + C₂) / ((μ_x² + μ_y² + C₁)(σ_x² + σ_y² + C₂))

where C₁ = (0.01 R)², C₂ = (0.03 R)² and R is the distance from black to white. An image's value is
the mean over all the windows that fit in it, and over its colours. 1 means equal; values reach down
to -1.

The sums over all windows of a plane X are two products with banded matrices of ones, B_rows X
B_columns: at 28 x 28 faster than any loop over windows, though its cost grows as H W (H + W), a
second or more at 4000 x 2000 pixels. With S the sum over a window of n = w² pixels, σ_xy = (S_xy -
S_x S_y / n) / (n - 1), so that

    SSIM = (2 S_x S_y + n² C₁)(2 n S_xy - 2 S_x S_y + n (n - 1) C₂)
         / ((S_x² + S_y² + n² C₁)(n S_xx+yy - S_x² - S_y² + n (n - 1) C₂))

Summing ones, not weights of 1/n, keeps flat regions exact: the differences would otherwise lose to
rounding what C₂ is there to protect.

Everything is scikit-image's default (uniform 7 x 7 window, sample covariance).

Reference: Z. Wang et al., "Image quality assessment: from error visibility to structural
similarity", IEEE TIP 2004, https://doi.org/10.1109/TIP.2003.819861.
"""

from typing import Any

import torch
from torch import Tensor

from narrows.errors import ImageError
from narrows.measure.per_image import Images, peak, per_image

K1, K2 = 0.01, 0.03


def ssim(a: Images, b: Images, data_range: float | None = None, window: int = 7) -> Any:
    """Structural similarity, for each image: `(N,)`, in [-1, 1], 1 for equal images.

    Arguments as in `mse`. data_range: the distance from black to white; None means 255 for uint8,
    65535 for uint16, 1 for floats. window: its side in pixels, odd, 3 or more. Raises `ImageError`
    where it is larger than the images.
    """
    r = peak(a, b, data_range)
    if not (isinstance(window, int) and window >= 3 and window % 2 == 1):
        raise ImageError(
            f"ssim: got window={window!r}, expected an odd number of pixels, 3 or more"
        )
    return per_image(
        lambda a, b: _ssim(_unit(a, r), _unit(b, r), window),
        a,
        b,
        check=lambda a, _: _fits(a, window),
    )


def _ssim(x: Tensor, y: Tensor, window: int) -> Tensor:
    n = window**2
    # in units of the range, R = 1, and of the sums below
    C1, C2 = K1**2 * n**2, K2**2 * n * (n - 1)
    total = _window_sums(x, window)
    Sx, Sy = total(x), total(y)
    product, squares = 2 * Sx * Sy, (Sx * Sx).addcmul_(Sy, Sy)
    alike = (product + C1).mul_((total(x * y) * (2 * n)).sub_(product).add_(C2))
    most = (squares + C1).mul_((total((x * x).addcmul_(y, y)) * n).sub_(squares).add_(C2))
    return alike.div_(most).mean((-3, -2, -1))


def _unit(x: Tensor, r: float) -> Tensor:
    return x if r == 1 else x / r


def _window_sums(like: Tensor, window: int):
    """The function X -> B_rows X B_columns for planes of the size, type and device of `like`."""
    rows, columns = (_band(size, window).to(like) for size in like.shape[-2:])
    return lambda x: rows.T @ x @ columns


def _band(size: int, window: int) -> Tensor:
    """Ones `(size, size - window + 1)`: column j adds the entries j to j + window - 1."""
    row, column = torch.arange(size)[:, None], torch.arange(size - window + 1)
    return ((row >= column) & (row < column + window)).float()


def _fits(x: Tensor, window: int) -> None:
    height, width = x.shape[-2:]
    side = min(height, width)
    if side >= window:
        return
    largest = side - 1 + side % 2
    cure = f"window={largest} is the largest that fits"
    if largest < 3:
        cure = "SSIM needs at least 3 x 3 pixels"
    raise ImageError(
        f"ssim: images of {height} x {width} pixels hold no window of {window} x {window}; {cure}"
    )
