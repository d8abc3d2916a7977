"""Pictures that are smaller or much larger than a denoiser's window.

A small picture is continued by its mirror image. A large one is cut into tiles with a margin around
each, which is denoised too and then cut off. If the margin is as wide as the denoiser looks, and the
tiles begin on the denoiser's grid, each pixel is what it is without tiles, and memory is bounded.
"""

from collections.abc import Callable, Iterator
from itertools import product

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]
Span = tuple[
    int, int, int, int
]  # of a tile in one direction: margin's start, start, end, margin's end


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


def by_tiles(function: Function, images: Tensor, tile: int, margin: int) -> Tensor:
    """`function` of images `(..., H, W)`, a tile and the margin around it at a time."""
    height, width = images.shape[-2:]
    result = torch.empty_like(images)
    for rows, columns in product(_spans(height, tile, margin), _spans(width, tile, margin)):
        top, first, last, bottom = rows
        left, start, end, right = columns
        part = function(images[..., top:bottom, left:right])
        inner = part[..., first - top : last - top, start - left : end - left]
        result[..., first:last, start:end] = inner
    return result


def _spans(length: int, tile: int, margin: int) -> Iterator[Span]:
    for start in range(0, length, tile):
        end = min(length, start + tile)
        yield max(0, start - margin), start, end, min(length, end + margin)
