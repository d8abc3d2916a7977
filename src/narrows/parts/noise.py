"""What several corruptions are made of: strengths, a random generator for each image, an image
through JPEG.

*Strengths.* A strength is one number, or a pair (low, high) of which each image draws its own,
evenly. A network that is trained on such a range is blind: it need not know how strong the noise of
an image is.

*Generators.* Some draws need more than one random number: the photons of a pixel are counted by
rejection, which takes a varying count of them. So each image gets a generator of its own, whose
seed is one of the step's numbers. Ranks and later runs then draw the same, and exactly from the
distribution.
"""

from io import BytesIO
from math import inf

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from narrows.errors import wrong
from narrows.randomness import KeyedRandom

Bounds = tuple[float, float] | None


class Strength:
    """A number, or a pair (low, high) of which each image draws its own; in (0, below), the low end
    may be 0.
    """

    def __init__(
        self, what: str, value: float | tuple[float, float], expected: str, below: float = inf
    ):
        pair = value if isinstance(value, (list, tuple)) else (value, value)
        if len(pair) != 2 or not (0 <= pair[0] <= pair[1] and 0 < pair[1] < below):
            raise wrong(what, value, f"{expected}, or (low, high)")
        self.low, self.high = pair

    @property
    def single(self) -> float | None:
        """The strength of all images; None if it is drawn for each image."""
        return self.low if self.low == self.high else None

    def __call__(self, x: Tensor, random: KeyedRandom) -> float | Tensor:
        """The strength of all images `(N, C, H, W)`, or that of each, `(N, 1, 1, 1)`."""
        if self.low == self.high:
            return self.low
        return self.low + (self.high - self.low) * random.uniform("strength", x[:, :1, :1, :1])


def require_bounds(name: str, bounds: Bounds) -> tuple[float, float]:
    """Lowest and highest value of the working scale. Raises `BuildError` if it has none."""
    if bounds is None:
        raise wrong(name, "a scale without a range", "scale 'unit' or 'symmetric'")
    return bounds


def image_generators(purpose: str, x: Tensor, random: KeyedRandom) -> list[torch.Generator]:
    """A generator for each image `(N, C, H, W)`, seeded by one of 2²⁴ numbers that belong to the draw."""
    seeds = (random.uniform(purpose, x[:, 0, 0, 0]) * 2**24).long().tolist()
    return [torch.Generator(x.device).manual_seed(seed) for seed in seeds]


def through_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """An image `(H, W, 1)` or `(H, W, 3)` uint8, written as JPEG and read back. quality: 1 to 95."""
    file, is_grey = BytesIO(), image.shape[2] == 1
    Image.fromarray(image[..., 0] if is_grey else image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)).reshape(image.shape)
