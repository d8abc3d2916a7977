"""Blind spots: a noisy image is predicted from itself, at pixels that the network does not see
(Noise2Void).

    x̃ᵢ = y at a random place near i for pixels i of a random set,    x̃ᵢ = yᵢ elsewhere
    loss = -log p(y | f(x̃)) over the set

As the network cannot see yᵢ, it learns to predict it from its surroundings: not its noise, if that is
independent of theirs and has mean 0. All channels of a pixel are replaced together, so that their
noise may be correlated, as it is after the colours of a sensor were interpolated.

If the noise of a row is correlated (a sensor that is read row by row, a scan), the neighbours in the
row give it away. With structure = "row" those are replaced as well, but do not count; and no value
comes from the row itself (StructN2V). The same for columns.

References: A. Krull et al., "Noise2Void: learning denoising from single noisy images", CVPR 2019,
https://arxiv.org/abs/1811.10980; C. Broaddus et al., "Removing structured noise with self-supervised
blind-spot networks", ISBI 2020, https://doi.org/10.1109/ISBI45749.2020.9098336.
"""

from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from narrows.errors import unknown, wrong
from narrows.parts.corruption import Corrupted, Corruption
from narrows.parts.noise import Bounds
from narrows.randomness import KeyedRandom

NEAR = 2  # rows and columns away, from which a value may come
REACH = 5  # pixels of a row or column that are replaced on each side
AXES = {None: (), "row": (0,), "column": (1,)}  # in which a value may not come from the same place


class BlindSpot(Corruption):
    """Noisy images, some of whose pixels are replaced by a neighbour; the loss counts these alone.

    rate: share of the pixels replaced, in (0, 1). structure: "row" or "column", if the noise is
    correlated along it: then its pixels on both sides are replaced as well, but do not count.
    """

    target = "noisy"
    only_hidden = True
    makes_noise = False

    def __init__(self, bounds: Bounds, rate: float = 0.02, structure: str | None = None):
        if not (0 < rate < 1):
            raise wrong("rate", rate, "a share in (0, 1)")
        if structure not in AXES:
            raise unknown("structure", structure, ("row", "column"))
        self.rate, self.structure = rate, structure
        self.white_noise = structure is None
        self.offsets = [
            offset
            for offset in product(range(-NEAR, NEAR + 1), repeat=2)
            if any(offset) and all(offset[axis] for axis in AXES[structure])
        ]

    def __call__(self, x: Tensor, random: KeyedRandom) -> Corrupted:
        hidden = random.uniform("mask", x[:, :1]) < self.rate
        return Corrupted(torch.where(self._replaced(hidden), self._others(x, random), x), hidden)

    def _replaced(self, hidden: Tensor) -> Tensor:
        """The pixels that count, and those along the structure, `(N, 1, H, W)`."""
        if self.structure is None:
            return hidden
        along = (0, REACH) if self.structure == "row" else (REACH, 0)
        size = (2 * along[0] + 1, 2 * along[1] + 1)
        return F.max_pool2d(hidden.float(), size, stride=1, padding=along) > 0

    def _others(self, x: Tensor, random: KeyedRandom) -> Tensor:
        """For each pixel another one near it, in all channels the same; beyond the border are those of
        the opposite one.
        """
        height, width = x.shape[2:]
        number = (random.uniform("neighbour", x[:, :1]) * len(self.offsets)).long()
        down, right = torch.tensor(self.offsets, device=x.device)[number].unbind(-1)
        rows = (torch.arange(height, device=x.device).view(-1, 1) + down) % height
        columns = (torch.arange(width, device=x.device) + right) % width
        places = (rows * width + columns).flatten(2).expand(-1, x.shape[1], -1)
        return x.flatten(2).gather(2, places).view(x.shape)
