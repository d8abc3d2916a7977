"""Three colours as brightness and two differences, each of length 1 and at right angles:

    (R + G + B) / √3,    (R - B) / √2,    (R - 2 G + B) / √6

Structure is mostly in the first, so that patches are compared there. Noise that is equally strong and
independent in R, G and B is so in these too; of other noise v it has, with the matrix M of the rows
above, the variances M² v (each weight squared).
"""

import torch
from torch import Tensor


def _matrix(channels: int) -> Tensor:
    """`(C, C)`: of three channels M; of others the identity."""
    if channels != 3:
        return torch.eye(channels)
    rows = torch.tensor([[1.0, 1, 1], [1, 0, -1], [1, -2, 1]])
    return rows / rows.norm(dim=1, keepdim=True)


def to_opponent(images: Tensor) -> Tensor:
    """Images `(..., C, H, W)` in the opponent space if C is 3, else as they are."""
    return _mixed(_matrix(images.shape[-3]), images)


def from_opponent(images: Tensor) -> Tensor:
    """The inverse of `to_opponent`."""
    return _mixed(_matrix(images.shape[-3]).mT, images)


def opponent_variance(variance: Tensor) -> Tensor:
    """Of independent noise of the colours, `(..., C, H, W)`: its variance in the opponent space."""
    return _mixed(_matrix(variance.shape[-3]).square(), variance)


def _mixed(matrix: Tensor, images: Tensor) -> Tensor:
    return torch.einsum("dc,...chw->...dhw", matrix.to(images), images)
