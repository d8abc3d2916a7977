"""How a network denoises: by which strength of the noise, and whether once or from eight sides.

A network that is given the noise (`Body.takes_noise`) gets an estimate of it, or the σ that the user
gives, times `strength`: above 1 more is removed, below 1 less. The mean over the eight rotations and
reflections T of a square,

    1/8 Σ_T T⁻¹ f(T x)

has a smaller error than f(x), at eight times the work.
"""

from copy import copy
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from narrows.errors import wrong
from narrows.model.estimator.inference import Function
from narrows.parts.photo import estimated_noise, noise_of_sigma

M = TypeVar("M")  # a model


class Denoising(NamedTuple):
    """sigma: standard deviation of the noise on the working scale; None: it is estimated. strength: a
    factor on it. flips: whether the mean over rotations and reflections is taken.
    """

    sigma: float | None = None
    strength: float = 1.0
    flips: bool = False

    def noise_of(self, picture: Tensor) -> Tensor:
        """What a network is given of the noise of a picture `(N, C, H, W)`, `(N, C, 1, 1)`."""
        if self.sigma is None:
            return self.strength * estimated_noise(picture)
        return self.strength * noise_of_sigma(picture, self.sigma)


AS_ESTIMATED = Denoising()


def with_denoising(
    model: M, sigma: float | None = None, strength: float = 1.0, flips: bool = False
) -> M:
    """The same model, which denoises so. sigma: on [0, 1]. Raises `BuildError` for what it cannot do."""
    asked = Denoising(sigma, strength, flips)
    other: Any = copy(model)
    if asked == AS_ESTIMATED:
        return model
    _validate(other, asked)
    other.denoising = asked if sigma is None else asked._replace(sigma=sigma * other.scale_.gain)
    return other


def _validate(model: Any, asked: Denoising) -> None:
    if asked.sigma is not None and not (asked.sigma >= 0):
        raise wrong("sigma", asked.sigma, "a standard deviation ≥ 0, where white is 1")
    if not (asked.strength >= 0):
        raise wrong("strength", asked.strength, "a factor ≥ 0")
    if not model.takes_noise_ and (asked.sigma, asked.strength) != (None, 1.0):
        cure = "leave sigma and strength out, or use a model such as 'photo'"
        raise wrong("sigma or strength", asked, "a model that is given the noise", cure)
    if asked.flips and model.margin_ is None:
        raise wrong("flips", True, "a network of convolutions, which takes images of any size")


def mean_of_flips(function: Function) -> Function:
    """1/8 Σ_T T⁻¹ f(T x), of images `(N, C, H, W)`."""

    def mean(x: Tensor) -> Tensor:
        total = torch.zeros_like(x)
        for turns in range(4):
            for axes in ((), (3,)):
                turned = function(torch.rot90(x, turns, (2, 3)).flip(axes))
                total += torch.rot90(turned.flip(axes), -turns, (2, 3))
        return total / 8

    return mean
