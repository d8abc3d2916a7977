"""Pictures of any size through a network of convolutions.

Each result depends on pixels at most m away, the network's `margin`. So a picture is taken in tiles with a
margin of m pixels, which is cut away from the result: what is left is what the complete picture at once
would give, up to rounding, in bounded memory. Tiles begin at multiples of what the network divides
the size by.

The noise is estimated once for a picture, from bands of its rows if it is large.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from narrows.levels import from_unit_values
from narrows.model.estimator.base import ImageModel
from narrows.model.use.channels import join_channels, parts_of, split_alpha, to_unit

SIDE = 512  # rows and columns of a tile, without its margin
MOST_PIXELS = 2_000_000  # from which the noise is estimated
BANDS = 16  # of rows, of a larger picture

OfTensor = Callable[[Tensor], Tensor]


class Tile(NamedTuple):
    """Rows and columns: with the margin, of the picture; without it, of the picture and of the tile."""

    with_margin: tuple[slice, slice]
    place: tuple[slice, slice]
    inside: tuple[slice, slice]


def process_any_size(model: ImageModel, picture: np.ndarray, out: np.ndarray) -> None:
    """Write what the model makes of a picture `(H, W, C)` into `out`, of its shape and type."""
    margin, levels = model.margin_, model.levels_for(picture.dtype)
    assert margin is not None  # of models that take any size
    functions = _functions(model, picture)
    for tile in tiles(picture.shape[:2], margin):
        colours, alpha = split_alpha(model, picture[tile.with_margin])
        parts = zip(functions, parts_of(model, colours))
        outputs = [_apply(model, function, part) for function, part in parts]
        unit = np.concatenate(
            [join_channels(outputs, colours.shape[2]), to_unit(model, alpha)], axis=2
        )
        out[tile.place] = from_unit_values(unit[tile.inside], out.dtype, levels)


def tiles(size: tuple[int, int], margin: int) -> Iterator[Tile]:
    """The tiles of a picture of height and width `size`, row by row."""
    for rows in _spans(size[0], margin):
        for columns in _spans(size[1], margin):
            yield Tile(*zip(rows, columns))


def _spans(length: int, margin: int) -> Iterator[tuple[slice, slice, slice]]:
    """The places of tiles in one direction: with the margin, without it, and where the latter is in
    the former.
    """
    for start in range(0, length, SIDE):
        stop, first = min(start + SIDE, length), max(0, start - margin)
        outer = slice(first, min(stop + margin, length))
        yield outer, slice(start, stop), slice(start - first, stop - first)


def _functions(model: ImageModel, picture: np.ndarray) -> list[OfTensor]:
    """What is to be applied to the tiles of each part of a picture, which the noise of it decides."""
    sample = bands_of(split_alpha(model, picture)[0])
    return [model.reconstructor(_working(model, part)) for part in parts_of(model, sample)]


def bands_of(picture: np.ndarray) -> np.ndarray:
    """The picture itself, or evenly spaced bands of its rows, with `MOST_PIXELS` about."""
    height, width = picture.shape[:2]
    rows = MOST_PIXELS // (BANDS * width) + 1
    if height * width <= MOST_PIXELS or rows * BANDS >= height:
        return picture
    starts = np.linspace(0, height - rows, BANDS).astype(int)
    return np.concatenate([picture[start : start + rows] for start in starts])


def _working(model: ImageModel, part: np.ndarray) -> Tensor:
    """A part `(H, W, C)` of a picture as `(1, C, H, W)` on the working scale."""
    unit = torch.from_numpy(to_unit(model, part)).permute(2, 0, 1)[None].contiguous()
    return model.scale_.work(unit)


def _apply(model: ImageModel, function: OfTensor, part: np.ndarray) -> np.ndarray:
    """`function` of a part `(H, W, C)`: float32 on [0, 1]."""
    result = model._without_gradients(function, _working(model, part)).cpu()
    return model.scale_.unit(result)[0].permute(1, 2, 0).numpy()
