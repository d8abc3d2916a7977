"""Body and way up of a denoiser of photographs: a small residual U-Net that is given the strength of
the noise.

    y = T x̃                               luminance and two colour differences (`measure.opponent`)
    h₀ = W cells(y, σ, c)                 each 2 x 2 pixels are one place, with four times the channels
    hₖ₊₁ = shrink(blocks(hₖ))             a convolution of 2 x 2 with stride 2
    h ← blocks(grow(h) + hₖ)              and back up, k = ..., 1, 0
    x = x̃ - Tᵀ pixels(W' h)               what is learnt is the noise

A block is h + B max(0, A h), with convolutions A and B of 3 x 3. σ is the standard deviation of the
noise in each channel of y, one for all pixels or a map; a grey picture in three channels has noise in
its luminance alone. If it is not given, it is estimated (`narrows.measure.noise`). More is removed
for a larger σ. c marks what the range of the picture has cut off: σ where a pixel is white, -σ
where it is black, averaged over its channels. Noise that is clipped has another mean.

No layer has a bias, so that f(a x̃, a σ) = a f(x̃, σ) for a > 0, but for c: what is learnt at one
exposure holds at another. Most of the work is done at half the height and width, and each result
depends on pixels up to `margin` away.

References: K. Zhang et al., "FFDNet: toward a fast and flexible solution for CNN-based image
denoising", IEEE TIP 2018, https://arxiv.org/abs/1710.04026 (cells, a map of the noise); K. Zhang et
al., "Plug-and-play image restoration with deep denoiser prior", IEEE TPAMI 2021,
https://arxiv.org/abs/2008.13751 (residual blocks in a U-Net); S. Mohan et al., "Robust and
interpretable blind image denoising via bias-free convolutional neural networks", ICLR 2020,
https://arxiv.org/abs/1906.05478.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from narrows.errors import wrong
from narrows.measure.noise import NoiseLine, estimate_noise
from narrows.measure.opponent import from_opponent, to_opponent
from narrows.parts.body import Body, Noise, SideChannel, positive
from narrows.parts.bottleneck import Bottleneck
from narrows.parts.layers import Unproject
from narrows.parts.noise import Bounds
from narrows.parts.sensor import is_grey, opponent_deviation
from narrows.parts.up import Up
from narrows.randomness import KeyedRandom

CELL = 2  # rows and columns of a cell
FIRST = 0.1  # factor on the last weights of a block, and of the network, at the start


def convolution(a: int, b: int, first: float = 1.0) -> nn.Conv2d:
    """A convolution of 3 x 3 from `a` channels to `b`; `first`: a factor on its weights at the start."""
    layer = nn.Conv2d(a, b, 3, padding=1, bias=False)
    with torch.no_grad():
        layer.weight.mul_(first)
    return layer


class Block(nn.Module):
    """h + B max(0, A h), `(N, width, H, W)`."""

    def __init__(self, width: int):
        super().__init__()
        self.a, self.b = convolution(width, width), convolution(width, width, FIRST)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.b(F.relu(self.a(h)))


def stage(width: int, count: int) -> nn.Sequential:
    """Blocks, one after the other."""
    return nn.Sequential(*(Block(width) for _ in range(count)))


class Photo(Body):
    """Cells of 2 x 2 pixels, then stages of residual blocks, each at half the size of the one before.

    widths: channels of the stages, top down. blocks: how many each has, on the way up as well. At the
    right and below, images of any size are repeated up to a multiple of `multiple`.
    """

    gives = frozenset({"cells"})
    default_up = "photo"
    takes_noise = True
    any_size = True

    def __init__(
        self,
        image: tuple[int, int, int],
        bounds: Bounds = None,
        widths: Sequence[int] = (64, 80, 96),
        blocks: Sequence[int] = (2, 1, 1),
    ):
        super().__init__(image, "relu", dropout=0.0, batch_norm=False)
        positive("widths", widths, least=1)
        positive("blocks", blocks, least=1)
        if len(widths) != len(blocks):
            raise wrong("blocks", blocks, f"{len(widths)} integers, one for each stage")
        self.bounds, self.widths, self.blocks = bounds, list(widths), list(blocks)
        self.head = convolution(CELL**2 * (2 * image[0] + 1), widths[0])
        self.layers = nn.ModuleList(map(stage, widths, blocks))
        self.shrink = nn.ModuleList(
            nn.Conv2d(a, b, 2, stride=2, bias=False) for a, b in pairwise(widths)
        )
        rows, columns = (-(-size // self.multiple) for size in image[1:])
        self.shape = (widths[-1], rows, columns)

    @property
    def multiple(self) -> int:
        """What height and width are brought to a multiple of: the pixels of a place of the last map."""
        return CELL * 2 ** (len(self.widths) - 1)

    @property
    def margin(self) -> int:  # type: ignore[override]
        """How far from a pixel others are that its result depends on, at most; a multiple of `multiple`."""
        pixels = [CELL * 2**k for k in range(len(self.widths))]  # of a place of each map
        both_ways = zip([*self.blocks, *self.blocks[:-1]], [*pixels, *pixels[:-1]])
        reach = 2 * CELL + self.multiple + sum(2 * count * size for count, size in both_ways)
        return -(-reach // self.multiple) * self.multiple

    @property
    def side_bits(self) -> int:
        """Bits of the image and of the maps that by-pass the code, for one image: 32 a value. 0 where they
        are not kept.
        """
        if not self.keeps_side:
            return 0
        rows, columns = self.shape[1:]
        maps = [
            width * rows * columns * 4 ** (len(self.widths) - 1 - k)
            for k, width in enumerate(self.widths[:-1])
        ]
        return 32 * (prod(self.image) + sum(maps))

    @property
    def widest(self) -> int:
        rows, columns = self.shape[1:]
        places = rows * columns * (self.multiple // CELL) ** 2
        return places * max(self.widths[0], self.head.in_channels)

    def encode(
        self, x: Tensor, random: KeyedRandom | None = None, noise: Noise = None
    ) -> tuple[Tensor, SideChannel]:
        """Features and the side channel of images `(N, C, H, W)`.

        noise: its standard deviation in each channel of `to_opponent(x)`, `(N, C, H or 1, W or 1)`; or
        the line of its variance on [0, 1]; None: that is estimated.
        """
        levels = noise if isinstance(noise, Tensor) else self._levels(x, noise)
        h, side = self.head(self._cells(x, levels)), [x]
        for blocks, shrink in zip(self.layers, self.shrink):
            side.append(blocks(h))
            h = shrink(side[-1])
        return self.layers[-1](h), side if self.keeps_side else []

    def _cells(self, x: Tensor, noise: Tensor) -> Tensor:
        """The image, the noise and what is cut off, in cells: `(N, 4 · (2 C + 1), H / 2, W / 2)`."""
        levels = noise.to(x.dtype).expand(x.shape)
        planes = torch.cat([to_opponent(x), levels, levels[:, :1] * self._cut_off(x)], dim=1)
        below, right = (-size % self.multiple for size in x.shape[2:])
        planes = F.pad(planes, (0, right, 0, below), mode="replicate")
        return F.pixel_unshuffle(planes, CELL).contiguous(memory_format=torch.channels_last)

    def _levels(self, x: Tensor, line: NoiseLine | None) -> Tensor:
        """The standard deviation of noise of that line, or of an estimated one."""
        black, white = self.bounds or (0.0, 1.0)
        unit = (x - black) / (white - black)
        return noise_levels(unit, line or estimate_noise(unit), is_grey(x)) * (white - black)

    def _cut_off(self, x: Tensor) -> Tensor:
        """The share of channels that are white, less that of black ones, `(N, 1, H, W)`; 0 on a scale
        without a range.
        """
        if self.bounds is None:
            return torch.zeros_like(x[:, :1])
        black, white = self.bounds
        return ((x >= white).to(x) - (x <= black).to(x)).mean(1, keepdim=True)


class PhotoUp(Up):
    """The way up of `Photo`: maps made larger, added to those of the way down, and at last the noise
    taken from the image.
    """

    needs = frozenset({"cells"})
    side = True

    def __init__(self, body: Photo, bottleneck: Bottleneck, channels: int):
        super().__init__()
        if channels != body.image[0]:
            raise wrong("outputs per value", channels // body.image[0], "1")
        self.unproject = Unproject(bottleneck.shape, body.shape, body.linear_layers)
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(b, a, 2, stride=2, bias=False) for a, b in pairwise(body.widths)
        )
        self.layers = nn.ModuleList(map(stage, body.widths[:-1], body.blocks[:-1]))
        self.last = convolution(body.widths[0], CELL**2 * channels, FIRST)

    def forward(self, z: Tensor, side: SideChannel, random: KeyedRandom | None = None) -> Tensor:
        if not side:
            cure = "reconstruct images, or use up='linear' to decode codes alone"
            raise wrong("side", None, "the maps of the way down", cure)
        image, *maps = side
        h = self.unproject(z, random)
        for grow, blocks, skip in zip(reversed(self.grow), reversed(self.layers), reversed(maps)):
            h = blocks(grow(h) + skip)
        noise = from_opponent(F.pixel_shuffle(self.last(h), CELL).float())
        return image - noise[..., : image.shape[2], : image.shape[3]]


def noise_levels(x: Tensor, noise: NoiseLine, grey: Tensor) -> Tensor:
    """The standard deviation of the noise at each pixel of images `(N, C, H, W)` on [0, 1], in the
    channels of `to_opponent(x)`, of the shape of x. grey: see `sensor.is_grey`.
    """
    gain, floor = noise.gain[..., None, None], noise.floor[..., None, None]
    return opponent_deviation(x, gain, floor, grey)
