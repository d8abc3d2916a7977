"""Is the noise of neighbouring pixels independent? What learns from noisy images alone relies on it: it
predicts a pixel from others, and noise that these give away is taken for a part of the image.

Before such a training the correlation of the noise is estimated from some of its images, laid side
by side (`narrows.measure.noise`), and there is a warning if it is far from 0. It is if a sensor
interpolates colours or is read row by row, or if pictures were resized, sharpened or written as JPEG.
"""

import warnings

import torch

from narrows.errors import NarrowsWarning
from narrows.image_batches import ImageBatches
from narrows.measure.noise import noise_correlation
from narrows.model.training.known_noise import side_by_side
from narrows.parts.corruption import Corruption
from narrows.parts.objective import Objective

MOST_IMAGES = 256  # that it is estimated from
SMALLEST = 16  # rows and columns of an image, below which too little can be said
CORRELATED = 0.1  # in absolute value, from which on there is a warning


def warn_of_correlation(images: ImageBatches, corruption: Corruption, objective: Objective) -> None:
    """Warn if these need noise that is independent from pixel to pixel, and that of the images is not."""
    if min(images.layout.image[:2]) < SMALLEST:
        return
    if not (corruption.white_noise or objective.white_noise):
        return
    picture = side_by_side(images, torch.arange(len(images)), MOST_IMAGES)
    across, down = noise_correlation(picture).mean((0, 1)).tolist()
    if max(abs(across), abs(down)) < CORRELATED:
        return
    line = "row" if abs(across) > abs(down) else "column"
    words = (
        f"the noise of neighbouring pixels is correlated, by about {across:.2f} along rows and {down:.2f} "
        "along columns, and what is predictable of it will not be removed; "
        f"corruption={{'kind': 'blind-spot', 'structure': '{line}'}} with objective='elbo' allows for "
        f"correlation along a {line}, and two shots of each scene (corruption='two-shots') for any"
    )
    warnings.warn(words, NarrowsWarning, stacklevel=2)
