"""Networks that are given the noise as denoisers of pictures: the one that comes with the package, and
those that users train (`narrows train denoiser-photo`).

    photo          the weights in the package, trained by `photo.toml`; `docs/denoise.md` is its card
    of_model       a fitted model whose body takes the noise (`narrows.parts.photo`)

A network of colour gets a grey picture three times, and the mean of its channels comes back; a network
of grey gets colours one by one.
"""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from narrows.denoise.denoiser import Denoiser
from narrows.errors import wrong
from narrows.measure.noise import NoiseLine
from narrows.model.files.store import load

SIDE = 512  # of a tile, in pixels, a multiple of those of a network's maps
COLOURS = 3


@lru_cache(maxsize=1)
def photo() -> Denoiser:
    """The network that comes with the package."""
    return of_model(load("photo"))


def of_model(model: Any) -> Denoiser:
    """A fitted model as a denoiser. Raises `BuildError` if its network is not given the noise."""
    if model.margin_ is None:
        cure = "model.denoise(X) has images of its own size"
        raise wrong("model", model, "one that is given the noise, such as denoiser-photo", cure)
    expected = model.layout_.image[2]

    def denoise(images: Tensor, noise: NoiseLine) -> Tensor:
        channels = images.shape[1]
        if channels == expected:
            return _apply(model, images, noise)
        if expected == COLOURS and channels == 1:
            colours = images.expand(-1, COLOURS, -1, -1).contiguous()
            return _apply(model, colours, noise).mean(1, keepdim=True)
        parts = [_apply(model, images[:, [k]], noise.channel(k)) for k in range(channels)]
        return torch.cat(parts, dim=1)

    return Denoiser(denoise, SIDE, model.margin_)


def _apply(model: Any, images: Tensor, noise: NoiseLine) -> Tensor:
    """What the network makes of images `(N, C, H, W)` in units of white, in its channels."""
    working = model.scale_.work(images).to(model.device_)
    return model.scale_.unit(model.network_.reconstruct(working, noise=noise).cpu())
