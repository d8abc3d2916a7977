"""Where neighbours are compared: a space with a code for each image, and an image for each code.

    Blurred        f(x) = P x Qᵀ     the image, blurred and sampled on a grid; a table as it is
    NetworkCodes   f(x) = E(x)       the code of an autoencoder (the mean of q(z|x), where it has one)

Two strokes that are a pixel apart have nothing in common pixel by pixel, and almost everything once
they are blurred: the blur, a Gaussian whose deviation is a share of the image's shorter side (1 pixel
of 28), is what makes the distance one between shapes. On a grid of at most 16 x 16 hardly anything is
lost of what it leaves. Both are linear, in rows and in columns: P and Q.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from narrows.layout import Layout
from narrows.model.estimator.base import ImageModel

GRID = 16  # samples along the longer side of an image, at most


class Space(Protocol):
    """size: numbers in a code. widest: values of an image in the widest layer of its encoder. models:
    what it is made of, by name.
    """

    @property
    def size(self) -> int: ...

    @property
    def widest(self) -> int: ...

    @property
    def models(self) -> Mapping[str, ImageModel]: ...

    def encode(self, x: Tensor) -> Tensor:
        """Images `(n, C, H, W)` on the scale on which they are compared → codes `(n, size)`."""
        ...

    def decode(self, z: Tensor) -> Tensor:
        """Codes `(n, size)` → images `(n, C, H, W)`."""
        ...

    def visible(self, x: Tensor, codes: Tensor) -> Tensor:
        """What the space sees of images, `(n, C, H, W)`: what neighbours are subtracted from."""
        ...


@dataclass(frozen=True)
class Blurred:
    """layout: of the images. blur: the deviation, as a share of the shorter side."""

    layout: Layout
    blur: float
    widest = 0

    @property
    def models(self) -> Mapping[str, ImageModel]:
        return {}

    @property
    def size(self) -> int:
        channels, height, width = self.layout.chw
        if self.layout.is_table:
            return width
        return channels * ceil(height / self._step) * ceil(width / self._step)

    def encode(self, x: Tensor) -> Tensor:
        if self.layout.is_table:
            return x.flatten(1)
        height, width = x.shape[-2:]
        deviation, step = self.blur * min(height, width), self._step
        rows = sampling(height, deviation, step).to(x.device)
        columns = sampling(width, deviation, step).to(x.device)
        return (rows @ x.contiguous() @ columns.T).flatten(1)

    def decode(self, z: Tensor) -> Tensor:
        channels, height, width = self.layout.chw
        if self.layout.is_table:
            return z.view(-1, channels, height, width)
        grid = z.view(-1, channels, ceil(height / self._step), ceil(width / self._step))
        return interpolate(grid, (height, width), mode="bilinear", align_corners=False)

    def visible(self, x: Tensor, codes: Tensor) -> Tensor:
        return self.decode(codes)

    @property
    def _step(self) -> int:
        """Pixels from one sample to the next."""
        return ceil(max(self.layout.image[:2]) / GRID)


@dataclass(frozen=True)
class NetworkCodes:
    """network: a fitted autoencoder, whose working scale is that of the images."""

    network: Any

    @property
    def models(self) -> Mapping[str, ImageModel]:
        return {"network": self.network}

    @property
    def size(self) -> int:
        return self.network.code_size_

    @property
    def widest(self) -> int:
        return self.network._widest

    def encode(self, x: Tensor) -> Tensor:
        return self.network._encode(x)

    def decode(self, z: Tensor) -> Tensor:
        return self.network._decode(z)

    def visible(self, x: Tensor, codes: Tensor) -> Tensor:
        return x


def sampling(length: int, deviation: float, step: int) -> Tensor:
    """P, `(⌈length / step⌉, length)`: a line of pixels → the line, blurred by a Gaussian of that
    deviation in pixels and averaged over each `step` of them. Each row has the sum 1.
    """
    places = torch.arange(length, dtype=torch.float32)
    blur = torch.eye(length)
    if deviation > 0:
        weights = torch.exp(-0.5 * ((places[:, None] - places) / deviation).square())
        blur = weights / weights.sum(1, keepdim=True)
    rows = blur.split(step)
    return torch.stack([few.mean(0) for few in rows])
