"""The usual size of the error at each pixel: some parts of normal images are harder than others.

With e(p) the squared error at pixel p, averaged over channels, of n images that the model has not
been fitted on, m its mean and s its deviation,

    u(p) = √(m² + s²) = √(mean of e²)        r(p) = e(p) / (u(p) + u₀)

u₀ is a tenth of the mean of u over all pixels. Without it a pixel that never varied, such as the
border of a digit, is divided by next to nothing, and a speck of dust outweighs every real defect.

Where the n images themselves are scored, for thresholds, each is compared with the other n - 1: its
own large error would make itself look usual.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

FLOOR = 0.1  # u₀ as a share of the mean of u
SMALLEST = 1e-12  # of u, where no image has an error


@dataclass(frozen=True)
class UsualError:
    """squares: the mean of e², `(H, W)`. count: n. with_own: whether the images that are compared are
    among the n.
    """

    squares: Tensor
    count: int = 0
    with_own: bool = False

    @classmethod
    def of(cls, batches: Iterable[Tensor]) -> Self:
        """Of squared errors `(n, C, H, W)`, batch by batch."""
        total, count = torch.zeros(()), 0
        for errors in batches:
            total = total + per_pixel(errors).double().square().sum(0).cpu()
            count += len(errors)
        return cls((total / count).float(), count)

    def among(self) -> "UsualError":
        """The same for the n images themselves."""
        return replace(self, with_own=True)

    def ratio(self, errors: Tensor) -> Tensor:
        """r, `(n, 1, H, W)`, of squared errors `(n, C, H, W)`."""
        e = per_pixel(errors)
        squares = self.squares.to(e.device).expand_as(e)
        if self.with_own and self.count > 1:
            others = self.count * squares - e.square()
            squares = others.clamp(min=0) / (self.count - 1)
        usual = squares.sqrt()
        floor = FLOOR * usual.mean((1, 2), keepdim=True) + SMALLEST
        return (e / (usual + floor)).unsqueeze(1)


def per_pixel(errors: Tensor) -> Tensor:
    """The mean over channels, `(n, H, W)`, of `(n, C, H, W)`."""
    return errors[:, 0] if errors.shape[1] == 1 else errors.mean(1)
