"""The network: parts, put together.

    x̃ = corruption(x)      h, side = body.encode(x̃)      code = bottleneck(h, prior)      out = up(z, side)

`narrows.model.build` makes one from names and options.
"""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn

from narrows.measure.noise import NoiseLine
from narrows.parts.body import Body, Noise
from narrows.parts.bottleneck import Bottleneck
from narrows.parts.code import Code
from narrows.parts.corruption import Corrupted, Corruption
from narrows.parts.forward_pass import ForwardPass
from narrows.parts.likelihood import Likelihood
from narrows.parts.penalty import Penalty
from narrows.parts.prior import Prior
from narrows.parts.up import Up
from narrows.randomness import KeyedRandom


class Network(nn.Module):
    """Parts in their places. Images are `(N, C, H, W)` on the working scale.

    The body keeps the side channel (switches or skips) if the way up uses it.
    """

    def __init__(
        self,
        body: Body,
        bottleneck: Bottleneck,
        up: Up,
        likelihood: Likelihood,
        prior: Prior,
        corruption: Corruption,
        penalties: Sequence[Penalty] = (),
    ):
        super().__init__()
        self.body = body
        self.bottleneck = bottleneck
        self.up = up
        self.prior = prior
        self.likelihood = likelihood
        self.corruption = corruption
        self.penalties = tuple(penalties)
        body.keeps_side = up.side

    @property
    def code_size(self) -> int:
        """Numbers in the code of one image."""
        return prod(self.bottleneck.shape)

    @property
    def takes_any_size(self) -> bool:
        """Whether images of other sizes than those that it was built for pass through it, as through
        convolutions alone.
        """
        return self.body.any_size and self.bottleneck.is_feature_map and self.up.side

    @property
    def needs_gradient(self) -> bool:
        """Whether a penalty differentiates with respect to the images."""
        return any(penalty.needs_gradient for penalty in self.penalties)

    def encode(
        self, x: Tensor, random: KeyedRandom | None = None, noise: Noise = None
    ) -> tuple[Code, list[Tensor]]:
        """Images to their code and side channel; deterministic without `random`.

        noise: what is known of it, for a body that takes it (`photo`).
        """
        known = {"noise": noise} if self.body.takes_noise else {}
        h, side = self.body.encode(x, random, **known)
        return self.bottleneck(h, self.prior, random), side

    def decode(
        self, z: Tensor, side: Sequence[Tensor] = (), random: KeyedRandom | None = None
    ) -> Tensor:
        """Codes `(N, size)` or `(N, *shape)` to the likelihood's parameters, `(N, outputs · C, H, W)`."""
        codes = z if z.dim() > 2 else z.reshape(-1, *self.bottleneck.shape)
        return self.up(codes, list(side), random).float()  # also under autocast

    def autoencode(
        self, x: Tensor, random: KeyedRandom | None = None, noise: Noise = None
    ) -> tuple[Code, Tensor]:
        """Images to their code, sampled if `random` is given, and the likelihood's parameters for it."""
        code, side = self.encode(x, random, noise)
        return code, self.decode(code.z, side)

    def forward(self, x: Tensor, random: KeyedRandom) -> ForwardPass:
        """One pass with all its randomness: corruption, sampled codes and, in training, dropout.

        Noise that was drawn before comes with `random` (`narrows.model.training.pairs`).
        """
        noisy = random.noisy
        if noisy is None or self.corruption.paired:
            corrupted, hidden, target, noise = Corrupted.of(self.corruption(x, random))
        else:
            corrupted, hidden, target, noise = Corrupted(noisy)
        if self.needs_gradient:
            corrupted = corrupted.detach().requires_grad_()
        known = _noise_of(corrupted, random) if noise is None else noise
        code, side = self.encode(corrupted, random, known)
        out = self.decode(code.z, side, random)
        return ForwardPass(code, out, corrupted, hidden, x if target is None else target)

    def reconstruct(
        self, x: Tensor, random: KeyedRandom | None = None, noise: Noise = None
    ) -> Tensor:
        """E[x | code(x)] on the working scale; the code is sampled if `random` is given."""
        return self.likelihood.mean(self.autoencode(x, random, noise)[1])


def _noise_of(x: Tensor, random: KeyedRandom) -> Noise:
    """What is known of the noise of the images of a step, `(N, C, H, W)`."""
    if random.noise is None:
        return None
    gain, floor = random.noise.unbind(-1)
    return NoiseLine(gain, floor, x.mean((2, 3)))


def count_parameters(network: nn.Module) -> int:
    """How many parameters a network has."""
    return sum(parameter.numel() for parameter in network.parameters())


def device_of(network: nn.Module) -> torch.device:
    return next(network.parameters()).device
