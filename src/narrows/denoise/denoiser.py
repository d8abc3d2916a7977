"""What a denoiser is: a function of a picture and its noise, and how it is cut into tiles."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from narrows.measure.noise import NoiseLine

Apply = Callable[[Tensor, NoiseLine], Tensor]


class Denoiser(NamedTuple):
    """apply: of a picture `(1, C, H, W)` and its noise. side, margin: of the tiles of large pictures, in
    pixels.
    """

    apply: Apply
    side: int
    margin: int
