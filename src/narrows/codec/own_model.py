"""A pixel model of the very images that are compressed."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from narrows.codec.pixel_model import PixelModel

WORTH = 100_000  # bytes that DEFLATE leaves of images, from which a model of their own may pay


@dataclass(frozen=True)
class Training:
    """How a pixel model is trained. minutes: about how long; random_state: seed, an integer ≥ 0."""

    minutes: float = 1.0
    random_state: int = 0


def may_pay(images: Iterable[np.ndarray]) -> bool:
    """Whether there is so much in these images that a model of their own may save more than its own
    bytes. Reads no more of them than that takes.
    """
    left = 0
    for image in images:
        left += len(zlib.compress(image.tobytes(), 1))
        if left > WORTH:
            return True
    return False


def train_pixel_model(
    images: Iterable[np.ndarray], levels: int | None, training: Training
) -> PixelModel | None:
    """A pixel model of images, which are read as often as it takes; None if there is no model for images
    of their type. levels: how many different values they have, counted from 0; None: all of their type.
    """
    return None
