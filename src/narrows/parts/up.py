"""The way up: from a code back to an image, out = up(z, side).

    linear          linear layers; by default the body's widths in reverse
    tied            linear layers whose weights are the transposes of the way down (biases of their own)
    deconv          transposed convolutions with stride 2
    unpool          each value put back where its maximum was (the switches), then a convolution
    deconv+unpool   the same, with a transposed convolution of stride 1
    resize          the feature map made larger (nearest or bilinear), then a convolution
    unet            hₖ = two convolutions of (grow(hₖ₊₁) + skipₖ), and at last x̃ + a convolution of h₀

The ways up of a convolutional body meet again, exactly, the sizes that its way down went through. A transposed
convolution with kernel k takes n to 2(n - 1) + k - 2p + o; padding p and output padding o in {0, 1} are solved for
each axis so that this is the size wanted. What follows each layer but the last (activation, dropout, batch
normalisation) is as in the body; the last non-linearity belongs to the likelihood.

Each says with `needs` what its body must give. Switches and skips by-pass the code: see `Body.side_bits`. The last
way up adds to the image that went in, so that what is learnt is the noise.

References: M. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014,
https://arxiv.org/abs/1311.2901 (unpooling); A. Odena et al., "Deconvolution and checkerboard artifacts", Distill
2016, https://distill.pub/2016/deconv-checkerboard/ (resize against deconv); K. Zhang et al., "Beyond a Gaussian
denoiser", IEEE TIP 2017, https://arxiv.org/abs/1608.03981 (the noise is learnt, not the image).
"""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from narrows.errors import unknown, wrong
from narrows.parts.body import Body, Conv, Mlp, Side, Unet, positive
from narrows.parts.bottleneck import Bottleneck
from narrows.parts.layers import Chain
from narrows.parts.transposed import Transposed
from narrows.randomness import KeyedRandom

Size = tuple[int, int]


class Up(nn.Module):
    """The contract. `channels` is the number of channels to put out: the likelihood's need, times the image's."""

    needs: frozenset[str] = frozenset()
    side = False

    def forward(self, z: Tensor, side: Side, random: KeyedRandom | None = None) -> Tensor:
        """Codes `(N, *shape)` and the side channel to `(N, channels, H, W)`."""
        raise NotImplementedError


class Linear(Up):
    """Linear layers to the image. widths: of the hidden layers, bottom up; by default the body's in reverse."""

    def __init__(self, body: Body, bottleneck: Bottleneck, channels: int, widths: Sequence[int] | None = None):
        super().__init__()
        if widths is None:
            widths = body.widths[:0:-1] if isinstance(body, Mlp) else []
            widths = widths[1:] if bottleneck.is_feature_map else widths
        positive("widths", widths)
        self.shape = (channels, *body.image[1:])
        steps = list(zip([prod(bottleneck.shape), *widths], widths))
        layers = [layer for a, b in steps for layer in (nn.Linear(a, b), *body.finish(b, flat=True))]
        last = widths[-1] if widths else prod(bottleneck.shape)
        self.layers = Chain([*layers, nn.Linear(last, prod(self.shape))])

    def forward(self, z: Tensor, side: Side, random: KeyedRandom | None = None) -> Tensor:
        return self.layers(z.flatten(1), random).view(-1, *self.shape)


class Tied(Up):
    """out = b₁ + W₁ᵀ φ(b₂ + W₂ᵀ ...): the weights of the way down, transposed."""

    needs = frozenset({"widths"})

    def __init__(self, body: Mlp, bottleneck: Bottleneck, channels: int):
        super().__init__()
        if channels != body.image[0]:
            raise wrong("outputs per value", channels // body.image[0], "1", "use up='linear'")
        downs = [*body.linears, *bottleneck.linears]
        cure = "give the body widths, or the bottleneck a size"
        if not bool(downs):
            raise wrong("linear layers on the way down", 0, "1 at least", cure)
        self.downs = [downs]  # in a list, so that the weights are counted once, in the body
        self.shape = body.image
        self.biases = nn.ParameterList(torch.zeros(down.in_features) for down in reversed(downs))
        widths = [down.in_features for down in reversed(downs)][:-1]
        self.between = nn.ModuleList(Chain(body.finish(width, flat=True)) for width in widths)

    def forward(self, z: Tensor, side: Side, random: KeyedRandom | None = None) -> Tensor:
        h, size = z.flatten(1), z.flatten(1).shape[1]
        for k, (down, bias) in enumerate(zip(reversed(self.downs[0]), self.biases)):
            weight = down.weight[:size] if k == 0 else down.weight  # of two heads, the first: the mean
            h = F.linear(h, weight.t(), bias)
            h = self.between[k](h, random) if k < len(self.between) else h
        return h.view(-1, *self.shape)


class Unproject(Chain):
    """From a code that is a vector back to a feature map; nothing where the code is a feature map."""

    def __init__(self, body: Body, bottleneck: Bottleneck):
        features, size = prod(body.shape), prod(bottleneck.shape)
        direct = bottleneck.shape == body.shape
        super().__init__([] if direct else [nn.Linear(size, features), *body.finish(features, flat=True)])
        self.shape = body.shape

    def forward(self, h: Tensor, random: KeyedRandom | None = None) -> Tensor:
        return super().forward(h.flatten(1), random).view(-1, *self.shape) if len(self) else h


class ConvUp(Up):
    """Stages that double height and width: grow, then convolve. What differs between the kinds is below.

    channels_up: channels after each stage but the last, bottom up; by default the body's in reverse.
    kernels: one size for all stages, or one for each; None for a stage without a convolution.
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
        hidden = list(body.channels[-2:0:-1] if channels_up is None else channels_up)
        if len(hidden) != stages - 1:
            raise wrong("channels_up", channels_up, f"{stages - 1} whole numbers")
        positive("channels_up", hidden)
        sizes = list(kernels) if isinstance(kernels, Sequence) else [kernels] * stages
        if len(sizes) != stages:
            raise wrong("kernels", kernels, f"one number, or {stages}")
        self.sizes = body.sizes[-2::-1]
        self.unproject = Unproject(body, bottleneck)
        widths = [body.shape[0], *hidden, channels]
        steps = zip(widths, widths[1:], sizes, body.sizes[::-1], self.sizes)
        self.layers = nn.ModuleList(self.convolution(*step) for step in steps)
        self.after = nn.ModuleList(Chain(body.finish(width, flat=False)) for width in hidden)

    def convolution(self, a: int, b: int, kernel: int | None, low: Size, high: Size) -> nn.Module:
        """The layer from `a` channels at size `low` to `b` channels at size `high`; by default it keeps the size."""
        if kernel is None:
            if a != b:
                raise wrong("kernels", None, f"a convolution where the channels change ({a} to {b})")
            return nn.Identity()
        if not (kernel > 0 and kernel % 2 == 1):
            raise wrong("kernels", kernel, "odd numbers")
        return nn.Conv2d(a, b, kernel, padding=kernel // 2)

    def grow(self, h: Tensor, size: Size, switches: Tensor | None) -> Tensor:
        """Make the feature map larger, before the convolution."""
        return h

    def forward(self, z: Tensor, side: Side, random: KeyedRandom | None = None) -> Tensor:
        h = self.unproject(z, random)
        switches = side[::-1] or [None] * len(self.layers)
        for k, layer in enumerate(self.layers):
            h = layer(self.grow(h, self.sizes[k], switches[k]))
            h = self.after[k](h, random) if k < len(self.after) else h
        return h


class Deconv(ConvUp):
    """Transposed convolutions with stride 2, padded so that the size comes out exactly. kernels ≥ 3."""

    def convolution(self, a: int, b: int, kernel: int | None, low: Size, high: Size) -> nn.Module:
        if not (kernel is not None and kernel >= 3):
            raise wrong("kernels", kernel, "whole numbers ≥ 3")
        kernel = kernel or 3
        spare = [2 * (n - 1) + kernel - m for n, m in zip(low, high)]
        padding = [-(-s // 2) for s in spare]
        out = [2 * p - s for p, s in zip(padding, spare)]
        return Transposed(a, b, kernel, 2, (padding[0], padding[1]), (out[0], out[1]))


class Unpool(ConvUp):
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
        fits = channels_up is None or list(channels_up) == mirror
        if not fits:
            raise wrong("channels_up", channels_up, f"{mirror}, as the switches have", "leave it out")
        super().__init__(body, bottleneck, channels, channels_up, kernels)

    def grow(self, h: Tensor, size: Size, switches: Tensor | None) -> Tensor:
        cure = "reconstruct images, or use up='resize' to decode codes alone"
        if switches is None:
            raise wrong("side", None, "the switches of the way down", cure)
        return F.max_unpool2d(h, switches, 2, output_size=size)  # type: ignore[arg-type]


class DeconvUnpool(Unpool):
    """Each value back where its maximum was, then a transposed convolution with stride 1."""

    def convolution(self, a: int, b: int, kernel: int | None, low: Size, high: Size) -> nn.Module:
        if kernel is None or kernel % 2 != 1:
            raise wrong("kernels", kernel, "odd numbers")
        return Transposed(a, b, kernel or 1, padding=(kernel or 1) // 2)


class Resize(ConvUp):
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

    def grow(self, h: Tensor, size: Size, switches: Tensor | None) -> Tensor:
        return F.interpolate(h, size, mode=self.mode)


class Skips(Up):
    """A U-Net's way up: each map made larger, added to the skip of its size, and convolved twice; then the image."""

    needs = frozenset({"skips"})
    side = True

    def __init__(self, body: Unet, bottleneck: Bottleneck, channels: int):
        super().__init__()
        if channels != body.image[0]:
            raise wrong("outputs per value", channels // body.image[0], "1")
        self.unproject = Unproject(body, bottleneck)
        steps = list(pairwise(body.channels[::-1]))
        self.grow = nn.ModuleList(Transposed(a, b, 2, stride=2, bias=body.bias) for a, b in steps)
        self.layers = nn.ModuleList(Chain([*body.convolution(b, b), *body.convolution(b, b)]) for _, b in steps)
        self.last = nn.Conv2d(body.channels[0], channels, 3, padding=1, bias=body.bias)

    def forward(self, z: Tensor, side: Side, random: KeyedRandom | None = None) -> Tensor:
        cure = "reconstruct images, or use up='linear' to decode codes alone"
        if not (len(side) > 0):
            raise wrong("side", None, "the skips of the way down", cure)
        image, *skips = side
        h = self.unproject(z, random)
        for grow, layer, skip in zip(self.grow, self.layers, skips[::-1]):
            h = layer(grow(h)[..., : skip.shape[-2], : skip.shape[-1]] + skip, random)
        return image + self.last(h)


UPS = {
    "linear": Linear,
    "tied": Tied,
    "deconv": Deconv,
    "unpool": Unpool,
    "deconv+unpool": DeconvUnpool,
    "resize": Resize,
    "unet": Skips,
}
