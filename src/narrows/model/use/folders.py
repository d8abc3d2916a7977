"""Pictures of all sizes through a model, one after another: what the verbs of the command line do with a folder.

Pictures as large as the model's own images go some hundred at a time; larger ones in tiles (`tiles`); smaller ones
are skipped, with the reason. Only some pictures are in memory.

What a machine computes of one image depends in its last bit on how many stand beside it in a batch. Here that must
not be, so that a folder in parts gives what the whole gives: see `evenly`.
"""

from collections.abc import Callable, Iterable, Iterator
from copy import copy
from itertools import groupby
from typing import Any

import numpy as np

from narrows.data.readers.picture_stream import Picture
from narrows.errors import ImageError
from narrows.model.estimator.base import ImageModel
from narrows.model.use.tiles import error_map, fits_model, process_tiled, worst_tile_score

SOME = 256  # pictures in one go
EVEN = 64  # images in a batch
Skip = Callable[[str, str], None]
Work = Callable[[np.ndarray], np.ndarray]


def with_fixed_batches(model: ImageModel) -> ImageModel:
    """The same model; it looks at as many images in every batch, the last one filled up.

    This is for images of its own size. The tiles of a picture are as many whatever stands beside it.
    """
    found = copy(model)
    found.even = EVEN
    return found


def process_pictures(
    model: ImageModel, verb: str, pictures: Iterable[Picture], skip: Skip
) -> Iterator[tuple[Picture, Any]]:
    """Each picture, and its pixels as `model.reconstruct` or `model.denoise` (`verb`) gives them back."""
    return _each(
        model,
        pictures,
        getattr(with_fixed_batches(model), verb),
        lambda images: process_tiled(model, images, verb),
        skip,
    )


def score_pictures(
    model: ImageModel, pictures: Iterable[Picture], skip: Skip, kind: str | None = None
) -> Iterator[tuple[Picture, Any]]:
    """Each picture and its anomaly score, of a kind; of a larger one, that of its oddest tile."""
    own = with_fixed_batches(model).anomaly_score
    return _each(
        model, pictures, lambda images: own(images, kind), lambda images: worst_tile_score(model, images, kind), skip
    )


def map_errors(model: ImageModel, pictures: Iterable[Picture], skip: Skip) -> Iterator[tuple[Picture, Any]]:
    """Each picture and where its error is, uint8 `(H, W)`: the root of the mean squared error over its channels."""

    def shown(images: np.ndarray) -> np.ndarray:
        channels = images.shape[3] if images.ndim == 4 else 1
        return np.rint(np.sqrt(error_map(model, images) / channels).clip(0, 1) * 255).astype(np.uint8)

    return _each(model, pictures, shown, shown, skip)


def _each(
    model: ImageModel, pictures: Iterable[Picture], own: Work, other: Work, skip: Skip
) -> Iterator[tuple[Picture, Any]]:
    """`own` of pictures of the model's form, `other` of others, neighbours of one form together."""
    for shape, group in _together(pictures):
        images = np.stack([picture.pixels for picture in group])
        direct = fits_model(model, shape)
        try:
            found = own(images) if direct else other(images)
        except ImageError as error:
            for picture in group:
                skip(picture.name, str(error))
        else:
            yield from zip(group, found)


def _together(pictures: Iterable[Picture]) -> Iterator[tuple[tuple[int, ...], list[Picture]]]:
    """Neighbours of one form, at most `SOME` of them and of large ones fewer."""
    for (shape, _), alike in groupby(pictures, lambda picture: (picture.pixels.shape, picture.pixels.dtype)):
        step = max(1, min(SOME, 4_000_000 // int(np.prod(shape))))
        group = []
        for picture in alike:
            group.append(picture)
            if len(group) == step:
                yield shape, group
                group = []
        if group:
            yield shape, group
