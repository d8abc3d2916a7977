"""Error maps of pictures as pictures, with one scale for all of a set.

The scale is the 99.9 percentile of the errors of all pixels of up to `SAMPLE` pictures, spread evenly over
the set: a few pixels that are far off do not darken the others, and shares of a set have the same scale
as the complete set. It is at least 1 / 255, a step of 8 bits, so that rounding errors have no colour.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from narrows.data.readers.picture_stream import Picture, ignore_skipped
from narrows.data.readers.pixels import with_channels
from narrows.draw.overlay import overlay
from narrows.levels import unit_values
from narrows.measure.pixel_counts import pooled_quantile
from narrows.model.estimator.base import ImageModel
from narrows.model.estimator.inference import with_input_levels
from narrows.model.use.folders import Pictures, map_errors

SAMPLE = 256  # pictures
SHARE = 0.999  # of the pixels, which have less than full colour
LEAST = 1 / 255
OF_CHANNELS = "root mean square over the channels"

T = TypeVar("T")


def sample_of(items: Sequence[T]) -> Sequence[T]:
    """At most `SAMPLE` of them, spread evenly."""
    return items[:: -(-len(items) // SAMPLE) or 1]


def error_scale(model: ImageModel, pictures: Pictures) -> float:
    """The error of full colour, on [0, 1] or above; memory does not grow with the pictures."""
    errors = (error for _, error in map_errors(model, pictures, ignore_skipped))
    return max(pooled_quantile(errors, SHARE), LEAST)


def scale_words(model: ImageModel) -> str:
    """What errors are measured in, as text."""
    if model.scale_.is_per_image:
        return f"{OF_CHANNELS}, on the scale {model.scale_.name!r} of each image"
    return f"{OF_CHANNELS}; 1: from black to white"


def drawn_error(model: ImageModel, picture: Picture, error: Any, scale: float) -> np.ndarray:
    """A picture in grey with its error over it, uint8 `(H, W, 3)`: see `draw.overlay`.

    The picture is shown from its black to its white, those that the model reads it with; transparent
    pixels are laid over white.
    """
    levels = with_input_levels(model, picture.levels).levels_for(picture.pixels.dtype)
    grey = unit_values(with_channels(picture.pixels, 1, levels), levels)
    return overlay(grey, error, scale)
