"""Patches of a picture, those that are alike, and pictures made of overlapping patches.

A patch is p x p pixels, n = p² values; its position is that of its upper left pixel, so that a
picture of H x W has (H - p + 1) (W - p + 1) of them. Reference patches are on a grid of `step`
pixels, and on the last row and column of positions. For each of them the k patches y_j that
minimise

    ‖y_r - y_j‖² = ‖y_r‖² + ‖y_j‖² - 2 y_r · y_j

are sought among those at most `RADIUS` positions away. As only the last term belongs to a pair, a
block of 8 x 8 references is compared with all patches around it by one product of matrices.

Of each pixel there are in the end many estimates, one from each patch that covers it. Their
weighted mean is that of the patches' sums at each pixel, divided by the sums of the weights.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

RADIUS = 18  # positions, from a reference to the farthest patch of its group, each way
BLOCK = 36  # pixels a side, whose references are compared at once
Places = tuple[int, ...]


class Block(NamedTuple):
    """Neighbouring references, and the region of all patches that their groups may have.

    top, left: the first position of the region. height, width: its positions.
    references: `(R,)`, positions in the region, counted row by row.
    candidates: `(R, W)`, the same of the patches that each may have in its group.
    outside: `(R, W)`, whether such a patch would be outside of the picture.
    """

    top: int
    left: int
    height: int
    width: int
    references: Tensor
    candidates: Tensor
    outside: Tensor

    def pixels(self, picture: Tensor, patch: int) -> Tensor:
        """The pixels `(h, w)` of a picture `(H, W)` that the patches of the region cover."""
        bottom, right = self.top + self.height + patch - 1, self.left + self.width + patch - 1
        return picture[self.top : bottom, self.left : right]


def blocks(height: int, width: int, patch: int, step: int) -> Iterator[Block]:
    """All references of a picture, in blocks."""
    rows = _grid(height - patch, step)
    columns = _grid(width - patch, step)
    for of_rows in rows:
        for of_columns in columns:
            yield _block(of_rows, of_columns, height - patch, width - patch)


def _grid(last: int, step: int) -> list[Places]:
    """Positions of references in one direction, each `step`-th and the last, cut into blocks."""
    places = (*range(0, last, step), last)
    size = BLOCK // step
    return [places[start : start + size] for start in range(0, len(places), size)]


def _block(rows: Places, columns: Places, last_row: int, last_column: int) -> Block:
    top, left = max(0, rows[0] - RADIUS), max(0, columns[0] - RADIUS)
    height = min(last_row, rows[-1] + RADIUS) - top + 1
    width = min(last_column, columns[-1] + RADIUS) - left + 1
    inside = _inside(_relative(rows, top), _relative(columns, left), height, width)
    return Block(top, left, height, width, *inside)


def _relative(places: Places, first: int) -> Places:
    return tuple(place - first for place in places)


@lru_cache(maxsize=16)  # of all blocks but those at an edge it is the same
def _inside(rows: Places, columns: Places, height: int, width: int) -> tuple[Tensor, ...]:
    """`references`, `candidates` and `outside` of a block, from its references' places in the region."""
    down, below = _near(rows, height)
    across, right = _near(columns, width)
    references = torch.tensor(rows)[:, None] * width + torch.tensor(columns)
    candidates = down[:, None, :, None] * width + across[:, None, :]
    outside = below[:, None, :, None] | right[:, None, :]
    count = references.numel()
    return references.flatten(), candidates.reshape(count, -1), outside.reshape(count, -1)


def _near(places: Places, length: int) -> tuple[Tensor, Tensor]:
    """The places within `RADIUS` of each, in one direction, and which of them are outside."""
    near = torch.tensor(places)[:, None] + torch.arange(-RADIUS, RADIUS + 1)
    inside = near.clamp(0, length - 1)
    return inside, inside != near


def patch_rows(pixels: Tensor, patch: int) -> Tensor:
    """All patches of pixels `(h, w)`, one a row: `(positions, n)`."""
    return pixels.unfold(0, patch, 1).unfold(1, patch, 1).reshape(-1, patch * patch)


def sum_of_patches(rows: Tensor, height: int, width: int, patch: int) -> Tensor:
    """The sum of overlapping patches, all of a region of height x width positions, at each pixel.

    rows: `(positions, n)`. Returns `(height + p - 1, width + p - 1)`. Sums down, then across: p + p
    additions instead of n.
    """
    patches = rows.view(height, width, patch, patch)
    down = rows.new_zeros(height + patch - 1, width, patch)
    for i in range(patch):
        down[i : i + height] += patches[:, :, i]
    pixels = rows.new_zeros(height + patch - 1, width + patch - 1)
    for j in range(patch):
        pixels[:, j : j + width] += down[:, :, j]
    return pixels


def box_sums(pixels: Tensor, patch: int) -> Tensor:
    """The sum of the pixels `(h, w)` of each patch: `(h - p + 1, w - p + 1)`."""
    down = avg_pool2d(pixels[None], (patch, 1), stride=1)
    return avg_pool2d(down, (1, patch), stride=1)[0] * patch**2


def nearest_patches(pixels: Tensor, block: Block, patch: int, count: int) -> Tensor:
    """The group of each reference: `(R, count)` positions in the region, in no order.

    pixels: those of the region. The reference, the middle one of its candidates, is always in its
    group, among others at distance 0 too: so every pixel has an estimate.
    """
    centred = pixels - pixels.mean()  # products of small values lose fewer digits
    squares = box_sums(centred.square(), patch).flatten()
    rows = patch_rows(centred, patch)
    at = block.references
    distances = torch.addmm(squares, rows[at], rows.mT, alpha=-2).add_(squares[at][:, None])
    among = distances.gather(1, block.candidates).clamp_(min=torch.finfo(distances.dtype).tiny)
    among.masked_fill_(block.outside, torch.inf)[:, among.shape[1] // 2] = 0
    return block.candidates.gather(1, smallest(among, count))


def smallest(values: Tensor, count: int) -> Tensor:
    """Where the smallest values of each row are, `(R, count)`, in no order. No value is below 0.

    The bits of floats from 0 upwards are ordered as integers are. So the lowest bits of each value
    are replaced by its place (of 961 places: 10 bits, 13 remain of the mantissa's 23), and NumPy
    partitions these integers several times faster than torch finds the smallest values with their
    places.
    """
    places = values.shape[1]
    low_bits = (1 << (places - 1).bit_length()) - 1
    keys = values.view(torch.int32).bitwise_and(~low_bits)
    keys.bitwise_or_(torch.arange(places, dtype=torch.int32))
    partitioned = np.partition(keys.numpy(), count - 1, axis=1)[:, :count]
    return torch.from_numpy(partitioned).bitwise_and(low_bits).long()
