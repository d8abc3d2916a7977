"""Pictures of all sizes, one after another: what the verbs of the command line do with a folder.

Pictures as large as the model's own images are processed some hundred at a time; larger ones in
tiles (`tiles`); smaller ones are skipped, with the reason. Only some pictures are in memory.

What a machine computes of one image depends in its last bit on how many images are in its batch.
Here that must not be, so that a folder in shares gives what the complete folder gives: see
`with_fixed_batches`.
"""

from collections.abc import Callable, Iterable, Iterator
from copy import copy
from itertools import groupby, islice
from math import prod
from typing import Any

import numpy as np

from narrows.data.readers.picture_stream import Picture
from narrows.errors import ImageError
from narrows.levels import Levels
from narrows.model.estimator.base import ImageModel
from narrows.model.estimator.inference import with_input_levels
from narrows.model.use.channels import colour_channels
from narrows.model.use.tiles import (
    error_map,
    fits_model,
    process_tiled,
    worst_tile_score,
)

MOST_PICTURES = 256  # in a group
MOST_VALUES = 4_000_000  # in the pictures of a group
FIXED_BATCH = 64  # images in every batch
Skip = Callable[[str, str], None]
Work = Callable[[ImageModel, np.ndarray], np.ndarray]
Pictures = Iterable[Picture]
Results = Iterator[tuple[Picture, Any]]


def with_fixed_batches(model: ImageModel) -> ImageModel:
    """The same model, with the same number of images in every batch, the last one filled up.

    This is for images of its own size. A picture always has the same tiles, whatever the other
    pictures.
    """
    fixed = copy(model)
    fixed.batch_size_fixed = FIXED_BATCH
    return fixed


def process_pictures(model: ImageModel, verb: str, pictures: Pictures, skip: Skip) -> Results:
    """Each picture, and its pixels as `model.reconstruct` or `model.denoise` (`verb`) gives them back."""

    def own_size(model: ImageModel, images: np.ndarray) -> np.ndarray:
        return getattr(with_fixed_batches(model), verb)(images)

    def other_size(model: ImageModel, images: np.ndarray) -> np.ndarray:
        return process_tiled(model, images, verb)

    return _process(model, pictures, own_size, other_size, skip)


def score_pictures(
    model: ImageModel, pictures: Pictures, skip: Skip, kind: str | None = None
) -> Results:
    """Each picture and its anomaly score, of a kind; of a larger one, that of its worst tile."""

    def own_size(model: ImageModel, images: np.ndarray) -> np.ndarray:
        return with_fixed_batches(model).anomaly_score(images, kind)

    def other_size(model: ImageModel, images: np.ndarray) -> np.ndarray:
        return worst_tile_score(model, images, kind)

    return _process(model, pictures, own_size, other_size, skip)


def map_errors(model: ImageModel, pictures: Pictures, skip: Skip) -> Results:
    """Each picture and where its error is, float32 `(H, W)` on [0, 1] or above: the root of the mean
    squared error over its channels, without alpha that the model does not know.
    """
    return _process(model, pictures, _root_error, _root_error, skip)


def _root_error(model: ImageModel, images: np.ndarray) -> np.ndarray:
    channels = prod(images.shape[3:])  # 1 for (N, H, W)
    return np.sqrt(error_map(model, images) / colour_channels(model, channels))


def _process(
    model: ImageModel, pictures: Pictures, own_size: Work, other_size: Work, skip: Skip
) -> Results:
    """`own_size` of pictures of the model's form, `other_size` of others, neighbours of one form together.

    Raises `ImageError` if the model is of a table.
    """
    if model.layout_.is_table:
        raise ImageError(
            f"the model was fitted on a table of {model.layout_.image[1]} columns, and these are pictures"
        )
    for group in _groups(pictures):
        images = np.stack([picture.pixels for picture in group])
        work = own_size if fits_model(model, images.shape[1:]) else other_size
        try:
            results = work(with_input_levels(model, group[0].levels), images)
        except ImageError as error:
            for picture in group:
                skip(picture.name, str(error))
        else:
            yield from zip(group, results)


def _groups(pictures: Pictures) -> Iterator[list[Picture]]:
    """Neighbours of one form, at most `MOST_PICTURES` of them and fewer of large ones."""
    for (shape, *_), alike in groupby(pictures, _form):
        size = max(1, min(MOST_PICTURES, MOST_VALUES // prod(shape)))
        while group := list(islice(alike, size)):
            yield group


def _form(picture: Picture) -> tuple[tuple[int, ...], np.dtype, Levels | None]:
    return picture.pixels.shape, picture.pixels.dtype, picture.levels
