"""The way up: from a code back to an image, out = up(z, side).

    linear          linear layers; by default the body's widths in reverse
    tied            linear layers whose weights are the transposes of the way down (biases of their own)
    deconv          transposed convolutions with stride 2
    unpool          each value put back where its maximum was (the switches), then a convolution
    deconv+unpool   the same, with a transposed convolution of stride 1
    resize          the feature map made larger (nearest or bilinear), then a convolution
    unet            hₖ = two convolutions of (grow(hₖ₊₁) + skipₖ), and at last x̃ + a convolution of h₀

The ways up of a convolutional body restore exactly the sizes of its way down. A transposed
convolution with kernel k takes n to 2(n - 1) + k - 2p + o; padding p and output padding o in {0, 1}
are solved for each axis so that this is the target size. What follows each layer but the last
(activation, dropout, batch normalisation) is as in the body; the last non-linearity belongs to the
likelihood.

Each says in `needs` what its body must give. Switches and skips by-pass the code: see
`Body.side_bits`. The U-Net's way up adds to the image that went in, so that what is learnt is the
noise.

References: M. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014,
https://arxiv.org/abs/1311.2901 (unpooling); A. Odena et al., "Deconvolution and checkerboard
artifacts", Distill 2016, https://distill.pub/2016/deconv-checkerboard/ (resize against deconv); K.
Zhang et al., "Beyond a Gaussian denoiser", IEEE TIP 2017, https://arxiv.org/abs/1608.03981 (the
noise is learnt, not the image).
"""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from narrows.errors import unknown, wrong
from narrows.parts.body import Body, Conv, Mlp, SideChannel, Unet, positive
from narrows.parts.bottleneck import Bottleneck
from narrows.parts.layers import Chain, Unproject, one_each
from narrows.parts.transposed import Transposed, paddings_of
from narrows.randomness import KeyedRandom

MapSize = tuple[int, int]  # height and width


class Up(nn.Module):
    """The contract. channels: how many to put out, those of the image times the `outputs` of the
    likelihood.
    """

    needs: frozenset[str] = frozenset()
    side = False

    def forward(self, z: Tensor, side: SideChannel, random: KeyedRandom | None = None) -> Tensor:
        """Codes `(N, *shape)` and the side channel to `(N, channels, H, W)`."""
        raise NotImplementedError


class LinearUp(Up):
    """Linear layers to the image. widths: of the hidden layers, bottom up; by default the body's in
    reverse.
    """

    def __init__(
        self, body: Body, bottleneck: Bottleneck, channels: int, widths: Sequence[int] | None = None
    ):
        super().__init__()
        if widths is None:
            widths = self._mirrored(body, bottleneck)
        positive("widths", widths)
        self.shape = (channels, *body.image[1:])
        widths = [prod(bottleneck.shape), *widths]
        self.layers = Chain([*body.linear_layers(widths), nn.Linear(widths[-1], prod(self.shape))])

    @staticmethod
    def _mirrored(body: Body, bottleneck: Bottleneck) -> Sequence[int]:
        """The body's widths in reverse; its last one is the code itself if that is the feature map."""
        if not isinstance(body, Mlp):
            return []
        widths = body.widths[:0:-1]
        if bottleneck.is_feature_map:
            return widths[1:]
        return widths

    def forward(self, z: Tensor, side: SideChannel, random: KeyedRandom | None = None) -> Tensor:
        return self.layers(z.flatten(1), random).view(-1, *self.shape)


class TiedUp(Up):
    """out = b₁ + W₁ᵀ φ(b₂ + W₂ᵀ ...): the weights of the way down, transposed."""

    needs = frozenset({"widths"})

    def __init__(self, body: Mlp, bottleneck: Bottleneck, channels: int):
        super().__init__()
        if channels != body.image[0]:
            raise wrong("outputs per value", channels // body.image[0], "1", "use up='linear'")
        downs = [*body.linears, *bottleneck.linears]
        cure = "give the body widths, or the bottleneck a size"
        if not downs:
            raise wrong("linear layers on the way down", 0, "1 at least", cure)
        self.downs = [downs]  # in a list, so that the weights are counted once, in the body
        self.shape = body.image
        self.biases = nn.ParameterList(torch.zeros(down.in_features) for down in reversed(downs))
        widths = [down.in_features for down in reversed(downs)][:-1]
        self.between = nn.ModuleList(Chain(body.finish(width, flat=True)) for width in widths)

    def forward(self, z: Tensor, side: SideChannel, random: KeyedRandom | None = None) -> Tensor:
        h = z.flatten(1)
        for down, bias, after in zip(reversed(self.downs[0]), self.biases, [*self.between, None]):
            weight = down.weight[: h.shape[1]]  # of a code with two heads, the first: the mean
            h = F.linear(h, weight.t(), bias)
            if after is not None:
                h = after(h, random)
        return h.view(-1, *self.shape)


class ConvUp(Up):
    """Stages that double height and width: grow, then convolve. What differs between the kinds is
    below.

    channels_up: channels after each stage but the last, bottom up; by default the body's in
    reverse. kernels: one size for all stages, or one for each; None for a stage without a
    convolution.
    """

    needs = frozenset({"stages"})

    def __init__(
        self,
        body: Conv,
        bottleneck: Bottleneck,
        channels: int,
        channels_up: Sequence[int] | None = None,
        kernels: int | Sequence[int | None] = 3,
    ):
        super().__init__()
        stages = len(body.layers)
        hidden = body.channels[-2:0:-1] if channels_up is None else list(channels_up)
        if len(hidden) != stages - 1:
            raise wrong("channels_up", channels_up, f"{stages - 1} integers")
        positive("channels_up", hidden)
        kernels = one_each("kernels", kernels, stages)
        self.sizes = body.sizes[-2::-1]
        self.unproject = Unproject(bottleneck.shape, body.shape, body.linear_layers)
        changes = pairwise([body.shape[0], *hidden, channels])
        steps = zip(changes, kernels, pairwise(body.sizes[::-1]))
        self.layers = nn.ModuleList(
            self.convolution(*ab, kernel, *sizes) for ab, kernel, sizes in steps
        )
        self.after = nn.ModuleList(Chain(body.finish(width, flat=False)) for width in hidden)

    def convolution(
        self, a: int, b: int, kernel: int | None, low: MapSize, high: MapSize
    ) -> nn.Module:
        """The layer from `a` channels at size `low` to `b` channels at size `high`; by default it
        keeps the size.
        """
        if kernel is None:
            if a != b:
                raise wrong(
                    "kernels", None, f"a convolution where the channels change ({a} to {b})"
                )
            return nn.Identity()
        if not (kernel > 0 and kernel % 2 == 1):
            raise wrong("kernels", kernel, "odd numbers")
        return nn.Conv2d(a, b, kernel, padding=kernel // 2)

    def grow(self, h: Tensor, size: MapSize, switches: Tensor | None) -> Tensor:
        """Make the feature map larger, before the convolution."""
        return h

    def forward(self, z: Tensor, side: SideChannel, random: KeyedRandom | None = None) -> Tensor:
        h = self.unproject(z, random)
        switches = side[::-1] or [None] * len(self.layers)
        for layer, after, size, places in zip(
            self.layers, [*self.after, None], self.sizes, switches
        ):
            h = layer(self.grow(h, size, places))
            if after is not None:
                h = after(h, random)
        return h


class DeconvUp(ConvUp):
    """Transposed convolutions with stride 2, padded so that the size comes out exactly. kernels ≥ 3."""

    def convolution(
        self, a: int, b: int, kernel: int | None, low: MapSize, high: MapSize
    ) -> nn.Module:
        if kernel is None or kernel < 3:
            raise wrong("kernels", kernel, "integers ≥ 3")
        padding, out_padding = zip(*(paddings_of(kernel, n, m) for n, m in zip(low, high)))
        return Transposed(a, b, kernel, 2, padding, out_padding)


class UnpoolUp(ConvUp):
    """Each value back where its maximum was, zeros elsewhere, then a convolution."""

    needs = frozenset({"stages", "switches"})
    side = True

    def __init__(
        self,
        body: Conv,
        bottleneck: Bottleneck,
        channels: int,
        channels_up: Sequence[int] | None = None,
        kernels: int | Sequence[int | None] = 3,
    ):
        mirror = body.channels[-2:0:-1]
        if channels_up is not None and list(channels_up) != mirror:
            raise wrong(
                "channels_up", channels_up, f"{mirror}, as the switches have", "leave it out"
            )
        super().__init__(body, bottleneck, channels, channels_up, kernels)

    def grow(self, h: Tensor, size: MapSize, switches: Tensor | None) -> Tensor:
        if switches is None:
            cure = "reconstruct images, or use up='resize' to decode codes alone"
            raise wrong("side", None, "the switches of the way down", cure)
        return F.max_unpool2d(h, switches, 2, output_size=size)  # type: ignore[arg-type]


class DeconvUnpoolUp(UnpoolUp):
    """Each value back where its maximum was, then a transposed convolution with stride 1."""

    def convolution(
        self, a: int, b: int, kernel: int | None, low: MapSize, high: MapSize
    ) -> nn.Module:
        if kernel is None or kernel % 2 != 1:
            raise wrong("kernels", kernel, "odd numbers")
        return Transposed(a, b, kernel, padding=kernel // 2)


class ResizeUp(ConvUp):
    """The feature map made larger, then a convolution. mode: "nearest" or "bilinear"."""

    def __init__(
        self,
        body: Conv,
        bottleneck: Bottleneck,
        channels: int,
        channels_up: Sequence[int] | None = None,
        kernels: int | Sequence[int | None] = 3,
        mode: str = "nearest",
    ):
        if mode not in ("nearest", "bilinear"):
            raise unknown("mode", mode, ("nearest", "bilinear"))
        super().__init__(body, bottleneck, channels, channels_up, kernels)
        self.mode = mode

    def grow(self, h: Tensor, size: MapSize, switches: Tensor | None) -> Tensor:
        return F.interpolate(h, size, mode=self.mode)


class UnetUp(Up):
    """A U-Net's way up: each map made larger, added to the skip of its size, and convolved twice;
    then the image.
    """

    needs = frozenset({"skips"})
    side = True

    def __init__(self, body: Unet, bottleneck: Bottleneck, channels: int):
        super().__init__()
        if channels != body.image[0]:
            raise wrong("outputs per value", channels // body.image[0], "1")
        self.unproject = Unproject(bottleneck.shape, body.shape, body.linear_layers)
        steps = list(pairwise(body.channels[::-1]))
        self.grow = nn.ModuleList(Transposed(a, b, 2, stride=2, bias=body.bias) for a, b in steps)
        self.layers = nn.ModuleList(
            Chain([*body.convolution(b, b), *body.convolution(b, b)]) for _, b in steps
        )
        self.last = nn.Conv2d(body.channels[0], channels, 3, padding=1, bias=body.bias)

    def forward(self, z: Tensor, side: SideChannel, random: KeyedRandom | None = None) -> Tensor:
        if not side:
            cure = "reconstruct images, or use up='linear' to decode codes alone"
            raise wrong("side", None, "the skips of the way down", cure)
        image, *skips = side
        h = self.unproject(z, random)
        for grow, layer, skip in zip(self.grow, self.layers, skips[::-1]):
            h = layer(grow(h)[..., : skip.shape[-2], : skip.shape[-1]] + skip, random)
        return image + self.last(h)
