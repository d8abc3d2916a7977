"""Pictures that are smaller or much larger than a denoiser's window.

A small picture is continued by its mirror image. A large one is cut into tiles with a margin around
each, which is denoised too and then cut off. If the margin is as wide as the denoiser looks, and the
tiles begin on the denoiser's grid, each pixel is what it is without tiles, and memory is bounded.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]
Slices = tuple[slice, slice]  # rows and columns


class Tile(NamedTuple):
    """Where a tile is: with its margin, and without it; and where the latter is in the former."""

    with_margin: Slices
    place: Slices
    inside: Slices


def tiles(height: int, width: int, side: int, margin: int) -> Iterator[Tile]:
    """The tiles of a picture, row by row."""
    for rows, columns in product(_spans(height, side, margin), _spans(width, side, margin)):
        yield Tile(*zip(rows, columns))


def _spans(length: int, side: int, margin: int) -> Iterator[tuple[slice, slice, slice]]:
    """The places of tiles in one direction."""
    for start in range(0, length, side):
        end, first = min(length, start + side), max(0, start - margin)
        with_margin = slice(first, min(length, end + margin))
        yield with_margin, slice(start, end), slice(start - first, end - first)


def at_least(function: Function, images: Tensor, side: int) -> Tensor:
    """`function` of images `(..., H, W)`, mirrored at their lower and right edges to `side` pixels."""
    height, width = images.shape[-2:]
    if min(height, width) >= side:
        return function(images)
    rows, columns = _mirrored(height, side), _mirrored(width, side)
    return function(images[..., rows, :][..., columns])[..., :height, :width]


def _mirrored(length: int, side: int) -> Tensor:
    """Places 0, 1, ..., length - 1, length - 1, ..., 0, 0, ... of at least `side` pixels."""
    place = torch.arange(max(length, side)) % (2 * length)
    return torch.minimum(place, 2 * length - 1 - place)
