"""Residual body and way up: linear maps, and between them blocks that add to what they are given.

    down   h = W x + b      then, n times,   h ← h + W₂ φ(W₁ LN(h) + b₁) + b₂      features h
    up     h = W z + b      then, n times, the same with weights of their own      out = W' h + b'

h has `width` values, the inner layer of a block `hidden`; LN is layer normalisation. The sum carries
gradients past every block.

References: K. He et al., "Identity mappings in deep residual networks", ECCV 2016,
https://arxiv.org/abs/1603.05027; R. Xiong et al., "On layer normalization in the transformer
architecture", ICML 2020, https://arxiv.org/abs/2002.04745 (normalisation within the block).
"""

from math import prod

from torch import Tensor, nn

from narrows.parts.body import Body, SideChannel, positive
from narrows.parts.bottleneck import Bottleneck
from narrows.parts.layers import Chain
from narrows.parts.up import Up
from narrows.randomness import KeyedRandom


class Block(nn.Module):
    """h + W₂ φ(W₁ LN(h) + b₁) + b₂, `(N, width)`. inner: φ and what else follows W₁."""

    def __init__(self, width: int, hidden: int, inner: list[nn.Module]):
        super().__init__()
        self.layers = Chain(
            [nn.LayerNorm(width), nn.Linear(width, hidden), *inner, nn.Linear(hidden, width)]
        )

    def forward(self, h: Tensor, random: KeyedRandom | None = None) -> Tensor:
        return h + self.layers(h, random)


class Residual(Body):
    """A linear layer on the flattened image, and residual blocks.

    width: values between blocks. hidden: values within a block. blocks: how many, ≥ 1. activation, dropout
    (rate within each block): as in `mlp`.
    """

    gives = frozenset({"blocks"})
    default_up = "residual"

    def __init__(
        self,
        image: tuple[int, int, int],
        width: int = 512,
        hidden: int = 1024,
        blocks: int = 1,
        activation: str = "silu",
        dropout: float = 0.0,
    ):
        super().__init__(image, activation, dropout, batch_norm=False)
        positive("width, hidden and blocks", [width, hidden, blocks])
        self.width, self.hidden, self.blocks = width, hidden, blocks
        self.shape = (width,)
        self.layers = nn.ModuleList(self.layers_from(prod(image)))

    def layers_from(self, values: int) -> list[nn.Module]:
        """A linear map from that many values, and the blocks; of the way up too."""
        blocks = [
            Block(self.width, self.hidden, self.finish(self.hidden, flat=True))
            for _ in range(self.blocks)
        ]
        return [nn.Linear(values, self.width), *blocks]

    @property
    def widest(self) -> int:
        return max(self.width, self.hidden)

    def encode(self, x: Tensor, random: KeyedRandom | None = None) -> tuple[Tensor, SideChannel]:
        return through(self.layers, x.flatten(1), random), []


class ResidualUp(Up):
    """The residual body mirrored: a linear layer on the code, residual blocks, a linear layer."""

    needs = frozenset({"blocks"})

    def __init__(self, body: Residual, bottleneck: Bottleneck, channels: int):
        super().__init__()
        self.shape = (channels, *body.image[1:])
        self.layers = nn.ModuleList(body.layers_from(prod(bottleneck.shape)))
        self.last = nn.Linear(body.width, prod(self.shape))

    def forward(self, z: Tensor, side: SideChannel, random: KeyedRandom | None = None) -> Tensor:
        return self.last(through(self.layers, z.flatten(1), random)).view(-1, *self.shape)


def through(layers: nn.ModuleList, h: Tensor, random: KeyedRandom | None) -> Tensor:
    """A linear layer, then blocks."""
    first, *blocks = layers
    h = first(h)
    for block in blocks:
        h = block(h, random)
    return h
