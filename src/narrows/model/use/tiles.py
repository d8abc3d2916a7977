"""Pictures that are larger than the images a model was fitted on, or have other channels.

A picture of H × W is covered by tiles of the model's h × w that overlap by half. The model's
outputs for them are joined with weights that fall to almost 0 at a tile's edge, so that no seam
shows:

    out(p) = Σ_t w(p - t) f(x_t)(p - t) / Σ_t w(p - t),      w(i, j) = sin²(π (i + ½) / h) sin²(π (j + ½) / w)

The places t are those of a regular grid, the last ones flush with the picture's edge: no pixel is
invented. If f changes nothing, neither does this.

A network that takes images of any size needs no such tiles (`any_size`). `channels` says what a model of
grey makes of colours, and the other way round.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice, product
from math import prod
from typing import Any

import numpy as np

from narrows.errors import ImageError
from narrows.levels import from_unit_values
from narrows.model.estimator.base import ImageModel
from narrows.model.use.any_size import process_any_size
from narrows.model.use.channels import (
    join_channels,
    parts_of,
    split_alpha,
    to_unit,
    with_channels,
)

Function = Callable[[np.ndarray], np.ndarray]
Place = tuple[int, int]  # top, left
Size = tuple[int, int]  # height, width
# in the tiles of a batch, so that not all of a large picture's tiles are in memory
MOST_VALUES = 4_000_000


def process_tiled(model: ImageModel, images: Any, verb: str) -> np.ndarray:
    """`model.reconstruct` or `model.denoise` (`verb`) of pictures of any size, in their own form and type.

    images: `(N, H, W)` or `(N, H, W, C)`, at least as large as the images that the model was fitted
    on, unless it takes images of any size. Raises `ImageError` if they are smaller.
    """
    images = np.asarray(images)
    out = np.empty_like(images)
    process = partial(_process_in_tiles, verb=verb) if model.margin_ is None else process_any_size
    for picture, result in zip(with_channels(images), with_channels(out)):
        process(model, picture, result)
    return out


def _process_in_tiles(model: ImageModel, picture: np.ndarray, out: np.ndarray, verb: str) -> None:
    """Write what the model makes of a picture `(H, W, C)` into `out`, of its shape and type."""
    unit = _process_channels(model, picture, _unrounded(model, verb))
    out[...] = from_unit_values(unit, out.dtype, model.levels_for(out.dtype))


def worst_tile_score(model: ImageModel, images: Any, kind: str | None = None) -> np.ndarray:
    """The anomaly score of pictures of any size `(N,)`: that of their worst tile, in their worst
    channel.

    kind: as of `model.anomaly_score`.
    """
    pictures = with_channels(np.asarray(images))
    worst = [_tile_scores(model, picture, kind).max() for picture in pictures]
    return np.array(worst, dtype=np.float32)


def error_map(model: ImageModel, images: Any) -> np.ndarray:
    """The squared error at each pixel, summed over channels, of pictures of any size.

    Returns float32 `(N, H, W)`: on [0, 1]; of a model whose scale is per image, the joined
    `model.error_map` of the tiles.
    """
    pictures = with_channels(np.asarray(images))
    errors_of = _joined_errors if model.scale_.is_per_image else _errors_of_joined
    return np.stack([errors_of(model, picture) for picture in pictures])


def _errors_of_joined(model: ImageModel, picture: np.ndarray) -> np.ndarray:
    """The squared errors `(H, W)` of the joined reconstruction of a picture `(H, W, C)`."""
    reconstruction = _process_channels(model, picture, _unrounded(model, "reconstruct"))
    return np.square(reconstruction - to_unit(model, picture)).sum(2)


def _joined_errors(model: ImageModel, picture: np.ndarray) -> np.ndarray:
    """The squared errors `(H, W)` of the tiles of a picture `(H, W, C)`, each on its own scale."""

    def errors(tiles: np.ndarray) -> np.ndarray:
        return model.error_map(_as_fitted(model, tiles))[..., None]

    parts = parts_of(model, picture)
    of_parts = [join_tiles(errors, part, _tile_size(model))[..., 0] for part in parts]
    channels = split_alpha(model, picture)[0].shape[2]  # a grey picture may have been made three
    return np.sum(of_parts, axis=0) * np.float32(channels / sum(part.shape[2] for part in parts))


def join_tiles(function: Function, picture: np.ndarray, size: Size) -> np.ndarray:
    """`function` of tiles `(n, h, w, C)` of a picture `(H, W, C)`, joined: float32 `(H, W, C)`."""
    height, width = size
    weight = np.outer(_window(height), _window(width))[..., None]
    total = np.zeros(picture.shape, np.float32)
    for places, tiles in _tile_batches(picture, size):
        for place, tile in zip(places, function(tiles)):
            total[_pixels(place, size)] += weight * tile
    total /= _sum_of_windows(picture.shape[0], height)[:, None, None]
    total /= _sum_of_windows(picture.shape[1], width)[:, None]
    return total


def fits_model(model: ImageModel, shape: tuple[int, ...]) -> bool:
    """Whether pictures `(H, W)` or `(H, W, C)` are as large as the model's own images, and have
    their channels.
    """
    return (*shape, 1)[:3] == model.layout_.image


def _tile_scores(model: ImageModel, picture: np.ndarray, kind: str | None) -> np.ndarray:
    """The anomaly scores of all tiles of a picture `(H, W, C)`, in all its channels."""
    scores = []
    for part in parts_of(model, picture):
        for _, tiles in _tile_batches(part, _tile_size(model)):
            scores.append(model.anomaly_score(_as_fitted(model, tiles), kind))
    return np.concatenate(scores)


def _tile_batches(picture: np.ndarray, size: Size) -> Iterator[tuple[list[Place], np.ndarray]]:
    """Places and tiles `(n, h, w, C)` of a picture, batch by batch."""
    values = prod(size) * picture.shape[2]
    most = max(1, MOST_VALUES // values)
    remaining = _places(picture, size)
    while places := list(islice(remaining, most)):
        tiles = [picture[_pixels(place, size)] for place in places]
        yield places, np.stack(tiles)


def _places(picture: np.ndarray, size: Size) -> Iterator[Place]:
    """Where the tiles of a picture are, row by row. Raises `ImageError` if it is smaller than one."""
    height, width = picture.shape[:2]
    if height < size[0] or width < size[1]:
        raise ImageError(
            f"the picture has {height} x {width} pixels, the model needs {size[0]} x {size[1]}; "
            f"bring it to that size with size={size} (--size {size[0]} {size[1]})"
        )
    return product(_starts(height, size[0]), _starts(width, size[1]))


def _pixels(place: Place, size: Size) -> tuple[slice, slice]:
    """The rows and columns of the tile at a place."""
    top, left = place
    return slice(top, top + size[0]), slice(left, left + size[1])


def _starts(length: int, side: int) -> list[int]:
    """Where tiles begin: every half a side, the last one flush with the end."""
    return [*range(0, length - side, max(1, side // 2)), length - side]


def _sum_of_windows(length: int, side: int) -> np.ndarray:
    """The sum of the weights at each place of one direction."""
    total = np.zeros(length, np.float32)
    for start in _starts(length, side):
        total[start : start + side] += _window(side)
    return total


def _window(side: int) -> np.ndarray:
    return np.sin(np.pi * (np.arange(side, dtype=np.float32) + 0.5) / side) ** 2


def _process_channels(model: ImageModel, picture: np.ndarray, function: Function) -> np.ndarray:
    """`function` of the tiles of a picture `(H, W, C)`; floats on [0, 1].

    It gets the model's channels, and what comes back has those of the picture.
    """
    colours, alpha = split_alpha(model, picture)
    outputs = [join_tiles(function, part, _tile_size(model)) for part in parts_of(model, picture)]
    joined = join_channels(outputs, colours.shape[2])
    if alpha.shape[2] == 0:
        return joined
    return np.concatenate([joined, to_unit(model, alpha)], axis=2)


def _unrounded(model: ImageModel, verb: str) -> Function:
    """The model's own verb, of tiles `(n, h, w, C)`: floats on [0, 1], neither clipped nor rounded."""
    method = getattr(model, verb)
    return lambda tiles: method(_as_fitted(model, tiles), exact=True).reshape(tiles.shape)


def _as_fitted(model: ImageModel, tiles: np.ndarray) -> np.ndarray:
    """Tiles `(n, h, w, C)` in the form of the images that the model was fitted on."""
    return tiles.reshape(len(tiles), *model.layout_.given)


def _tile_size(model: ImageModel) -> Size:
    return model.layout_.image[:2]
