"""Non-local ridge: groups of similar patches (`patches`), combined (`ridge`), in two passes.

    pass 1    groups by the noisy picture
    pass 2    groups by the result of pass 1, more patches in each

Each group gives an estimate of all its patches, and each pixel is the weighted mean of all
estimates of it. Colours are denoised in the opponent space, in groups of its first channel.

The sizes of patches and groups are about those of the paper for three strengths of noise. In pass 2
references are 5 or 6 pixels apart instead of 4, which costs about 0.01 dB and halves the time. They
were chosen on crops of the photographs that come with scikit-image and scikit-learn.

Reference: see `ridge`.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from narrows.denoise.margins import at_least, by_tiles
from narrows.denoise.parallel import map_parts
from narrows.denoise.patches import (
    RADIUS,
    Block,
    blocks,
    box_sums,
    nearest_patches,
    patch_rows,
    sum_of_patches,
)
from narrows.denoise.ridge import combine_noisy, combine_with_pilot
from narrows.measure.noise import NoiseLine
from narrows.measure.opponent import from_opponent, opponent_variance, to_opponent


class Pass(NamedTuple):
    """The side of a patch, the patches of a group, and the pixels between references."""

    patch: int
    group: int
    step: int


PASSES = {  # by the strongest noise that they are for, σ in 255ths
    18: (Pass(patch=7, group=16, step=4), Pass(patch=7, group=55, step=5)),
    35: (Pass(patch=9, group=16, step=4), Pass(patch=8, group=80, step=5)),
    float("inf"): (Pass(patch=11, group=16, step=4), Pass(patch=9, group=120, step=6)),
}
LARGEST = 11  # patch
SMALLEST_PICTURE = LARGEST + 15  # so that a group of 120 is found in a corner too
LEAST_VARIANCE = 1e-8  # at a pixel, so that no group is without
TILE = 1020  # pixels: a multiple of all steps, as the margin is
MARGIN = 120  # at least 2 (RADIUS + patch) of each pass
assert MARGIN >= 4 * (RADIUS + LARGEST)


def non_local_ridge(images: Tensor, noise: NoiseLine) -> Tensor:
    """One denoised picture `(1, C, H, W)`, of brightness or of three colours.

    noise: of this picture.
    """
    strength = float(noise.sigma.square().mean().sqrt()) * 255
    first, second = next(passes for most, passes in PASSES.items() if strength <= most)

    def both_passes(part: Tensor) -> Tensor:
        return _both_passes(part, noise, first, second)

    def tiled(part: Tensor) -> Tensor:
        return by_tiles(both_passes, part, TILE, MARGIN)

    return at_least(tiled, images, SMALLEST_PICTURE)


def _both_passes(images: Tensor, noise: NoiseLine, first: Pass, second: Pass) -> Tensor:
    """The variance of pass 1 is that of the noisy values; of pass 2, that of pass 1's result."""
    noisy = to_opponent(images)[0]
    pilot = one_pass(noisy, _variance(noise, images), None, first)
    variance = _variance(noise, from_opponent(pilot[None]))
    return from_opponent(one_pass(noisy, variance, pilot, second)[None])


def _variance(noise: NoiseLine, images: Tensor) -> Tensor:
    """Of the noise at each pixel in the opponent space, `(C, H, W)`, above 0."""
    return opponent_variance(noise.variance(images).clamp(min=LEAST_VARIANCE))[0]


def one_pass(noisy: Tensor, variance: Tensor, pilot: Tensor | None, settings: Pass) -> Tensor:
    """The result `(C, H, W)` of pass 1 (pilot None) or 2 (pilot: the result of pass 1)."""
    guide = noisy if pilot is None else pilot
    patch, (height, width) = settings.patch, guide.shape[1:]

    def of_block(block: Block) -> tuple[Block, list[tuple[Tensor, Tensor]]]:
        groups = nearest_patches(block.pixels(guide[0], patch), block, patch, settings.group)
        estimates = [
            _estimates(
                block.pixels(noisy[channel], patch),
                block.pixels(variance[channel], patch),
                None if pilot is None else block.pixels(pilot[channel], patch),
                groups,
                patch,
            )
            for channel in range(len(noisy))
        ]
        return block, estimates

    total, weight = torch.zeros_like(noisy), torch.zeros_like(noisy)
    for block, estimates in map_parts(of_block, blocks(height, width, patch, settings.step)):
        for channel, (sums, weights) in enumerate(estimates):
            block.pixels(total[channel], patch).add_(sums)
            block.pixels(weight[channel], patch).add_(weights)
    return total.div_(weight)


def _estimates(
    noisy: Tensor, variance: Tensor, pilot: Tensor | None, groups: Tensor, patch: int
) -> tuple[Tensor, Tensor]:
    """Of one channel of a block's region `(h, w)`: the weighted sum of the estimates of each pixel,
    and the sum of their weights.
    """
    energies = box_sums(variance, patch)
    energy, (height, width) = energies.flatten()[groups], energies.shape
    patches = _grouped(noisy, groups, patch)
    if pilot is None:
        estimates, weights = combine_noisy(patches, energy)
    else:
        estimates, weights = combine_with_pilot(patches, _grouped(pilot, groups, patch), energy)
    weighted, at = estimates.mul_(weights[..., None]).flatten(0, 1), groups.flatten()
    total = noisy.new_zeros(height * width, patch**2).index_add_(0, at, weighted)
    weight = noisy.new_zeros(height * width).index_add_(0, at, weights.flatten())
    return (
        sum_of_patches(total, height, width, patch),
        box_sums(pad(weight.view(height, width), [patch - 1] * 4), patch),
    )


def _grouped(pixels: Tensor, groups: Tensor, patch: int) -> Tensor:
    """The patches of groups `(R, k)` of a region's pixels: `(R, k, n)`."""
    rows = patch_rows(pixels, patch)
    return rows.index_select(0, groups.flatten()).view(*groups.shape, -1)
