"""How a network denoises: by which strength of the noise, and whether once or from eight sides.

A network that is given the noise (`Body.takes_noise`) gets an estimate of it, or the σ that the user
gives, times `strength`: above 1 more is removed, below 1 less. The mean over the eight rotations and
reflections T of a square,

    1/8 Σ_T T⁻¹ f(T x)

has a smaller error than f(x), at eight times the work.
"""

from copy import copy
from math import inf
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from narrows.errors import wrong
from narrows.measure.noise import estimate_noise, plain_noise
from narrows.model.estimator.inference import Function
from narrows.model.network import Network
from narrows.parts.photo import noise_levels
from narrows.parts.sensor import is_grey
from narrows.scale import Scale

M = TypeVar("M")  # a model


class Denoising(NamedTuple):
    """sigma: standard deviation of the noise on [0, 1]; None: it is estimated. strength: a factor on it.
    flips: whether the mean over rotations and reflections is taken.
    """

    sigma: float | None = None
    strength: float = 1.0
    flips: bool = False

    def reconstructor(self, network: Network, scale: Scale, picture: Tensor) -> Function:
        """What denoises a picture `(N, C, H, W)` on the working scale, or tiles of it."""
        function = network.reconstruct
        if network.body.takes_noise:
            function = self._with_noise(network, scale, picture)
        return mean_of_flips(function) if self.flips else function

    def _with_noise(self, network: Network, scale: Scale, picture: Tensor) -> Function:
        """The network, given the noise of the picture."""
        unit, grey = scale.unit(picture), is_grey(picture)
        line = estimate_noise(unit) if self.sigma is None else plain_noise(unit, self.sigma)
        line = line.times(self.strength)

        def denoise(x: Tensor) -> Tensor:
            levels = noise_levels(scale.unit(x), line, grey) * scale.gain
            return network.reconstruct(x, noise=levels)

        return denoise


AS_ESTIMATED = Denoising()


def with_denoising(
    model: M, sigma: float | None = None, strength: float = 1.0, flips: bool = False
) -> M:
    """The same model, which denoises so; sigma, strength, flips: see `Denoising`. Raises `BuildError`
    for what it cannot do.
    """
    asked, other = Denoising(sigma, strength, flips), copy(model)
    _validate(other, asked)
    other.denoising = asked  # type: ignore[attr-defined]
    return other


def _validate(model: Any, asked: Denoising) -> None:
    if not (asked.sigma is None or 0 <= asked.sigma < inf):
        raise wrong("sigma", asked.sigma, "a standard deviation ≥ 0, where white is 1")
    if not (0 <= asked.strength < inf):
        raise wrong("strength", asked.strength, "a finite factor ≥ 0")
    if not model.takes_noise_ and asked[:2] != AS_ESTIMATED[:2]:
        cure = "leave sigma and strength out, or use a model such as 'photo'"
        raise wrong(
            "sigma or strength", asked[:2], "none for a model that is not given the noise", cure
        )
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
