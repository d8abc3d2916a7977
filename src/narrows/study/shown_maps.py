"""Pictures next to their error maps, as rows of a grid: all brought to one size, with one scale.

A picture whose longer side is above `SIDE` pixels is reduced by an integer: each block of the picture
becomes its mean, of the map its maximum, so that a small defect does not vanish. A smaller one is
enlarged by an integer. Nothing is stretched or interpolated; white fills what is left.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from narrows.data.readers.picture_stream import Picture, ignore_skipped
from narrows.data.readers.pixels import with_channels
from narrows.draw.overlay import overlay
from narrows.levels import unit_values
from narrows.measure.pixel_counts import pooled_quantile
from narrows.model.estimator.base import ImageModel
from narrows.model.estimator.inference import with_input_levels
from narrows.model.use.error_maps import LEAST, SHARE
from narrows.model.use.folders import map_errors

SIDE = 256  # pixels


class ShownMap(NamedTuple):
    """A picture in colour on [0, 1], `(H, W, 3)`, and its error `(H, W)`."""

    name: str
    colours: np.ndarray
    error: np.ndarray


def shown_maps(model: ImageModel, pictures: Iterable[Picture]) -> Iterator[ShownMap]:
    """Pictures with their errors, none larger than `SIDE`; a picture that the model cannot take is
    left out.
    """
    for picture, error in map_errors(model, pictures, ignore_skipped):
        levels = with_input_levels(model, picture.levels).levels_for(picture.pixels.dtype)
        colours = unit_values(with_channels(picture.pixels, 3, levels), levels)
        colours = np.nan_to_num(colours).clip(0, 1)
        yield ShownMap(picture.name, *_reduced(colours, error))


def scale_of(maps: Iterable[ShownMap]) -> float:
    """The error of full colour; see `narrows.model.use.error_maps`."""
    return max(pooled_quantile((shown.error for shown in maps), SHARE), LEAST)


def rows_of(maps: list[ShownMap], scale: float) -> dict[str, np.ndarray]:
    """The rows "image" and "error", uint8 `(k, H, W, 3)`."""
    grey = [with_channels(shown.colours, 1) for shown in maps]
    images = [np.rint(255 * shown.colours).astype(np.uint8) for shown in maps]
    errors = [overlay(values, shown.error, scale) for values, shown in zip(grey, maps)]
    return {"image": _of_one_size(images), "error": _of_one_size(errors)}


def _reduced(colours: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A picture and its error, divided by the least integer with which they fit."""
    block = -(-max(error.shape) // SIDE)
    counts = _by_blocks(np.ones_like(error), block, np.add)
    means = _by_blocks(colours, block, np.add) / counts[..., None]
    return means, _by_blocks(error, block, np.maximum)


def _by_blocks(values: np.ndarray, block: int, function: np.ufunc) -> np.ndarray:
    for axis in (0, 1):
        starts = np.arange(0, values.shape[axis], block)
        values = function.reduceat(values, starts, axis=axis)
    return values


def _of_one_size(images: list[np.ndarray]) -> np.ndarray:
    """Images `(H, W, 3)`, enlarged by integers to the largest side of all, in the middle of white."""
    longest = max(max(image.shape[:2]) for image in images)
    large = []
    for image in images:
        times = longest // max(image.shape[:2])
        large.append(image.repeat(times, 0).repeat(times, 1))
    height, width = np.max([image.shape[:2] for image in large], axis=0)
    out = np.full((len(large), height, width, 3), 255, np.uint8)
    for room, image in zip(out, large):
        top, left = (height - image.shape[0]) // 2, (width - image.shape[1]) // 2
        room[top : top + image.shape[0], left : left + image.shape[1]] = image
    return out
