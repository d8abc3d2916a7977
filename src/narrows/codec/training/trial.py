"""Which of the two models of grey images codes them in fewer bits, by short trainings of small ones.

Values that recur exactly, as in drawings, are for groups of values (`narrows.codec.categorical`); values that
are near each other, as in photographs, for a mixture (`narrows.codec.mixture`). No statistic of an image
says this as well as the bits that both take. Where both do, a small mixture can be better than small groups,
and large groups better than a large mixture (Fashion-MNIST); so for the best models larger ones are tried.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from narrows.codec.pixel_model import PixelModel
from narrows.codec.training.fit import fit_categorical
from narrows.codec.training.mixture_fit import fit_mixture
from narrows.codec.training.sizes import FINE, MixtureSize, ModelSize

TRIED = 1 << 21  # pixels, of images evenly spaced
STEPS, BEST_STEPS = 500, 1500


def better_head(images: Sequence[np.ndarray], values: int, best: bool = False) -> str:
    """ "categorical" or "mixture", for images `(rows, columns, 1)` of values 0 to values - 1, at most 256.
    best: of large models.
    """
    step = -(-sum(image.size for image in images) // TRIED)
    some = images[:: max(1, step)]
    grey = [image[..., 0] for image in some]
    groups, mixture = _best_sizes() if best else _sizes()
    of_groups = _bits(fit_categorical, grey, values, groups)
    of_mixtures = _bits(fit_mixture, some, values, mixture)
    return "mixture" if of_mixtures < of_groups else "categorical"


def _sizes() -> tuple[ModelSize, MixtureSize]:
    return ModelSize(2, (16, 8), 4, 4, STEPS, 1024), MixtureSize(2, (16, 16), 2, STEPS, 512)


def _best_sizes() -> tuple[ModelSize, MixtureSize]:
    groups = ModelSize(5, (96, 48), 12, 12, BEST_STEPS, 2048, units=FINE)
    return groups, MixtureSize(3, (64, 48), 5, BEST_STEPS, 2048)


def _bits(
    fit: Callable[..., PixelModel], images: Sequence[np.ndarray], values: int, size: NamedTuple
) -> float:
    """Bits per pixel in the end."""
    bits: list[float] = []
    fit(images, values, size=size, progress=lambda step, steps, now: bits.append(now))
    return bits[-1]
