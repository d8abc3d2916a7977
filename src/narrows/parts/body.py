"""Body: the way down, from an image to features, h, side = body.encode(x).

    mlp    D = C·H·W values → widths[0] → ... → widths[-1], each a linear layer and an activation
    conv   stages that halve height and width, each a convolution and an activation:
           pooled    convolution (same size), 2 x 2 maximum, activation;  n → ⌊n/2⌋
           strided   convolution with stride 2, activation;               n → ⌈n/2⌉
    unet   stages of two convolutions, each with an activation; the first at the image's own size,
           every other begins with stride 2

A rising activation and the maximum may change places; in this order only a quarter of the values is
activated (a step of lab E6 takes 0.9 of the time).

The step from features to the code belongs to the bottleneck; the way back up to `up`, which by
default mirrors the body. Images may have any size, odd ones too: the way up restores the sizes of
the way down.

*Side channel.* A 2 x 2 maximum forgets where it was: 2 bits a pooled value. If the way up asks for
these switches, they by-pass the code as `side`, and `side_bits` says how many bits they are. The
side channel of a U-Net is far wider: the image itself, and what each stage but the last puts out,
32 bits a value (its *skips*). Such a model is a denoiser, and compresses nothing.

A body says what it `gives`: "widths" (a chain of linear layers), "stages" (feature maps and their
sizes), "switches" (of its poolings), "skips", "blocks" (of a residual body, `residual`) and "cells" (of
`photo`). Each way up says what it needs.

References: O. Ronneberger et al., "U-Net: convolutional networks for biomedical image
segmentation", MICCAI 2015, https://arxiv.org/abs/1505.04597; S. Mohan et al., "Robust and
interpretable blind image denoising via bias-free convolutional neural networks", ICLR 2020,
https://arxiv.org/abs/1906.05478 (no bias).
"""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, prod

from torch import Tensor, nn
from torch.nn import functional as F

from narrows.errors import unknown, wrong
from narrows.measure.noise import NoiseLine
from narrows.parts.layers import Chain, after_weights
from narrows.randomness import KeyedRandom

SideChannel = list[Tensor]  # what by-passes the code
Noise = Tensor | NoiseLine | None  # what is known of it


class Body(nn.Module):
    """The contract. `shape` is the features' shape, of one image; `image` is `(C, H, W)`.

    any_size: images of any size give features of their size, by the same weights. margin: pixels
    around a tile that its result depends on, if that is known. takes_noise:
    `encode` has a third argument, `noise`: its standard deviation, or the line of its variance, if it
    is known (see `photo`).
    """

    gives: frozenset[str] = frozenset()
    default_up = "linear"
    keeps_side = False
    takes_noise = False
    any_size = False
    margin: int | None = None

    def __init__(
        self, image: tuple[int, int, int], activation: str, dropout: float, batch_norm: bool
    ):
        super().__init__()
        self.image = image
        # refuses wrong options, if no layer does
        after_weights(1, activation, batch_norm, dropout, flat=True)
        self.activation, self.dropout, self.batch_norm = activation, dropout, batch_norm
        self.shape: tuple[int, ...] = image

    @property
    def side_bits(self) -> int:
        """Bits of the side channel, for one image."""
        return 0

    @property
    def widest(self) -> int:
        """Values of one image in the widest layer."""
        return prod(self.image)

    def finish(self, channels: int, flat: bool) -> list[nn.Module]:
        """What follows a layer's weights, on the way down and in its mirror."""
        return after_weights(channels, self.activation, self.batch_norm, self.dropout, flat)

    def linear_layers(self, widths: Sequence[int]) -> list[nn.Module]:
        """A linear layer from each width to the next, and what follows its weights."""
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), *self.finish(after, flat=True)]
        return layers

    def encode(self, x: Tensor, random: KeyedRandom | None = None) -> tuple[Tensor, SideChannel]:
        """Images `(N, C, H, W)` to features `(N, *shape)` and the side channel."""
        raise NotImplementedError


class Mlp(Body):
    """Linear layers on the flattened image.

    widths: of the hidden layers, top down; [] for none. activation: see `narrows.parts.layers`.
    dropout: rate after each layer, in [0, 1). batch_norm: before each activation.
    """

    gives = frozenset({"widths"})

    def __init__(
        self,
        image: tuple[int, int, int],
        widths: Sequence[int] = (256, 128),
        activation: str = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
    ):
        super().__init__(image, activation, dropout, batch_norm)
        positive("widths", widths)
        self.widths = [prod(image), *widths]
        self.shape = (self.widths[-1],)
        self.layers = Chain(self.linear_layers(self.widths))

    @property
    def widest(self) -> int:
        return max(self.widths)

    @property
    def linears(self) -> list[nn.Linear]:
        """The linear layers, top down."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def encode(self, x: Tensor, random: KeyedRandom | None = None) -> tuple[Tensor, SideChannel]:
        return self.layers(x.flatten(1), random), []


class Conv(Body):
    """Convolutional stages, each of which halves height and width.

    channels: of the stages, top down. stages: "strided" or "pooled". kernel: odd.
    activation, dropout (rate after each stage), batch_norm (before each activation): as in `Mlp`.
    """

    default_up = "deconv"

    def __init__(
        self,
        image: tuple[int, int, int],
        channels: Sequence[int] = (32, 64, 128),
        stages: str = "strided",
        kernel: int = 3,
        activation: str = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
    ):
        super().__init__(image, activation, dropout, batch_norm)
        positive("channels", channels, least=1)
        if not (kernel > 0 and kernel % 2 == 1):
            raise wrong("kernel", kernel, "an odd number")
        if stages not in ("strided", "pooled"):
            raise unknown("kind of stage", stages, ("strided", "pooled"))
        self.pooled = stages == "pooled"
        self.gives = frozenset({"stages", "switches"} if self.pooled else {"stages"})
        self.channels = [image[0], *channels]
        self.sizes = self._sizes(image[1:], len(channels))
        self.shape = (channels[-1], *self.sizes[-1])
        self.layers, self.after = nn.ModuleList(), nn.ModuleList()
        for a, b in pairwise(self.channels):
            layer, after = self._stage(a, b, kernel)
            self.layers.append(layer)
            self.after.append(after)

    def _stage(self, a: int, b: int, kernel: int) -> tuple[Chain, Chain]:
        """A convolution from `a` channels to `b` with its batch normalisation; what follows the
        maximum.
        """
        stride = 1 if self.pooled else 2
        norms, after = int(self.batch_norm), self.finish(b, flat=False)
        return Chain([nn.Conv2d(a, b, kernel, stride, kernel // 2), *after[:norms]]), Chain(
            after[norms:]
        )

    def _sizes(self, size: tuple[int, int], count: int) -> list[tuple[int, int]]:
        """Height and width before the first stage, and after each."""
        fitting = min(size).bit_length() - 1
        if self.pooled and count > fitting:
            cure = f"at most {fitting} pooled stages fit an image of {size[0]} x {size[1]}"
            raise wrong("stages", count, "fewer", cure)
        sizes = [size]
        for _ in range(count):
            height, width = sizes[-1]
            if self.pooled:
                sizes.append((height // 2, width // 2))
            else:
                sizes.append((ceil(height / 2), ceil(width / 2)))
        return sizes

    @property
    def side_bits(self) -> int:
        """Bits of the switches, for one image: log2(4) = 2 for each pooled value. 0 where they are
        not kept.
        """
        if not self.keeps_side:
            return 0
        return 2 * sum(c * h * w for c, (h, w) in zip(self.channels[1:], self.sizes[1:]))

    @property
    def widest(self) -> int:
        sizes = self.sizes if self.pooled else self.sizes[1:]  # where the convolution puts out
        return max(c * h * w for c, (h, w) in zip(self.channels[1:], sizes))

    def encode(self, x: Tensor, random: KeyedRandom | None = None) -> tuple[Tensor, SideChannel]:
        h, side = x, []
        for stage, after in zip(self.layers, self.after):
            h = stage(h)
            if self.keeps_side:
                h, switches = F.max_pool2d(h, 2, return_indices=True)
                side.append(switches)
            elif self.pooled:
                h = F.max_pool2d(h, 2)
            h = after(h, random)
        return h, side


class Unet(Body):
    """Stages of two convolutions of 3 x 3; what each but the last puts out may by-pass the code.

    channels: of the stages, top down; the first has the image's size, each other half that of the
    one before. activation, dropout (rate after each convolution), batch_norm (before each
    activation): as in `Mlp`. bias: of the convolutions, on both ways. Without one a network of
    relus is homogeneous, f(a x̃) = a f(x̃) for a > 0: it has no number of its own to compare the
    noise with, and what it learns at one strength serves at others.
    """

    gives = frozenset({"skips"})
    default_up = "unet"
    any_size = True

    def __init__(
        self,
        image: tuple[int, int, int],
        channels: Sequence[int] = (16, 32, 64),
        activation: str = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
        bias: bool = True,
    ):
        super().__init__(image, activation, dropout, batch_norm)
        positive("channels", channels, least=1)
        if not isinstance(bias, bool):
            raise wrong("bias", bias, "True or False")
        self.channels, self.bias = list(channels), bias
        self.sizes = [(ceil(image[1] / 2**k), ceil(image[2] / 2**k)) for k in range(len(channels))]
        self.shape = (channels[-1], *self.sizes[-1])
        self.layers = nn.ModuleList()
        for k, (a, b) in enumerate(pairwise([image[0], *channels])):
            first = self.convolution(a, b, stride=min(k + 1, 2))
            self.layers.append(Chain([*first, *self.convolution(b, b)]))

    def convolution(self, a: int, b: int, stride: int = 1) -> list[nn.Module]:
        """A convolution from `a` channels to `b`, and what follows it; of the way up too."""
        return [nn.Conv2d(a, b, 3, stride, padding=1, bias=self.bias), *self.finish(b, flat=False)]

    @property
    def side_bits(self) -> int:
        """Bits of the image and the skips, for one image: 32 a value. 0 where they are not kept."""
        if not self.keeps_side:
            return 0
        return 32 * (
            prod(self.image) + sum(c * h * w for c, (h, w) in zip(self.channels[:-1], self.sizes))
        )

    @property
    def widest(self) -> int:
        return max(c * h * w for c, (h, w) in zip(self.channels, self.sizes))

    def encode(self, x: Tensor, random: KeyedRandom | None = None) -> tuple[Tensor, SideChannel]:
        h, side = x, []
        for stage in self.layers:
            side.append(h)
            h = stage(h, random)
        return h, side if self.keeps_side else []


def positive(what: str, numbers: Sequence[int], least: int = 0) -> None:
    """Refuse widths or channels that are not a list of integers ≥ 1, or fewer than `least`."""
    is_list = not isinstance(numbers, (int, str)) and len(numbers) >= least
    if is_list and all(isinstance(n, int) and n >= 1 for n in numbers):
        return
    expected = "a list of integers ≥ 1"
    if least:
        expected += f", {least} at least"
    raise wrong(what, numbers, expected)
