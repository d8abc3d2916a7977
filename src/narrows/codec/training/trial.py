"""Which of the two models of grey images codes them in fewer bits, by short trainings of small ones.

Values that recur exactly, as in drawings, are for groups of values (`narrows.codec.categorical`); values that
are near each other, as in photographs, for a mixture (`narrows.codec.mixture`). No statistic of an image
says this as well as the bits that both take.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from narrows.codec.pixel_model import PixelModel
from narrows.codec.training.fit import fit_categorical
from narrows.codec.training.mixture_fit import fit_mixture
from narrows.codec.training.sizes import MixtureSize, ModelSize

TRIED = 1 << 21  # pixels, of images evenly spaced
STEPS = 500


def better_head(images: Sequence[np.ndarray], values: int) -> str:
    """ "categorical" or "mixture", for images `(rows, columns, 1)` of values 0 to values - 1, at most 256."""
    step = -(-sum(image.size for image in images) // TRIED)
    some = images[:: max(1, step)]
    grey = [image[..., 0] for image in some]
    of_groups = _bits(fit_categorical, grey, values, ModelSize(2, (16, 8), 4, 4, STEPS, 1024))
    of_mixtures = _bits(fit_mixture, some, values, MixtureSize(2, (16, 16), 2, STEPS, 512))
    return "mixture" if of_mixtures < of_groups else "categorical"


def _bits(
    fit: Callable[..., PixelModel], images: Sequence[np.ndarray], values: int, size: NamedTuple
) -> float:
    """Bits per pixel in the end."""
    bits: list[float] = []
    fit(images, values, size=size, progress=lambda step, steps, now: bits.append(now))
    return bits[-1]
