"""A compiled step: the objective of a batch and its slope, each one program that torch.compile
makes for the network.

What is compiled must be free of generators, so the random numbers of a step are drawn before it: a
rehearsal, with a copy of the network, tells what will be asked for, in which order; `Given` hands
it out. They are the same numbers as without, and the same mathematics, rounded elsewhere. A last
batch of another size is not compiled.

Compiling takes seconds and saves a fraction of a millisecond a step, so that it repays late
(`REPAYS`). On a GPU the programs are captured as CUDA graphs, so that a small network does not wait
for the host.

Reference: J. Ansel et al., "PyTorch 2", ASPLOS 2024, https://doi.org/10.1145/3620665.3640366.
"""

from collections.abc import Callable
from copy import deepcopy
from math import inf
from typing import Any

import torch
from torch import Tensor

from narrows.errors import BuildError
from narrows.model.network import Network
from narrows.randomness import KeyedRandom

REPAYS = {"cpu": 30_000, "cuda": 2_000}  # steps; measured on a CPU, an estimate for a GPU
Sums = Callable[[Network, Tensor, KeyedRandom, Tensor | None], dict[str, Tensor]]
Order = tuple[Callable[..., Tensor], str, Tensor]


def repays(steps: int, device: torch.device) -> bool:
    """Whether this many steps win back the seconds that compiling takes."""
    return steps >= REPAYS.get(device.type, inf)


class Compiled:
    """A function (network, x, draw, weights) -> tensors by name, compiled for batches of `size`
    over all ranks.
    """

    def __init__(self, function: Sums, size: int, device: torch.device):
        self.function, self.size, self.graphs = function, size, device.type == "cuda"
        self.orders: list[Order] | None = None
        self.program = torch.compile(
            self._given, dynamic=False, mode="reduce-overhead" if self.graphs else None
        )

    def __call__(
        self, network: Network, x: Tensor, random: KeyedRandom, weights: Tensor | None = None
    ) -> dict[str, Tensor]:
        if random.total != self.size:
            return self.function(network, x, random, weights)
        from torch._dynamo.exc import BackendCompilerFailed  # here, because it is slow to import

        if self.orders is None:
            self.orders = self._rehearse(network, x, random)
        numbers = [random._rows(*order) for order in self.orders]
        try:
            return self.program(
                network, x, numbers, torch.tensor(random.progress), random.noisy, weights
            )
        except BackendCompilerFailed as error:  # no compiler, as a rule
            raise BuildError(f"compile: this machine cannot ({error}); leave it out") from error

    def _given(
        self,
        network: Network,
        x: Tensor,
        numbers: list[Tensor],
        progress: Tensor,
        noisy: Any,
        weights: Any,
    ) -> dict[str, Tensor]:
        return self.function(network, x, Given(numbers, progress, noisy), weights)

    def _rehearse(self, network: Network, x: Tensor, random: KeyedRandom) -> list[Order]:
        """What a step asks for, in its order."""
        noted = Noted(
            *random.key,
            rows=random.rows,
            total=random.total,
            progress=random.progress,
            noisy=random.noisy,
        )
        with torch.no_grad():
            self.function(deepcopy(network), x, noted, None)
        return noted.orders


class Noted(KeyedRandom):
    """Random numbers, with a note of what was asked for."""

    def __init__(self, *key: object, **options: Any):
        super().__init__(*key, **options)
        self.orders: list[Order] = []

    def _rows(self, make: Callable[..., Tensor], purpose: str, like: Tensor) -> Tensor:
        self.orders.append((make, purpose, torch.empty((), device=like.device).expand(like.shape)))
        return super()._rows(make, purpose, like)


class Given(KeyedRandom):
    """Numbers drawn beforehand, in the order in which they are asked for."""

    def __init__(self, numbers: list[Tensor], progress: Any, noisy: Tensor | None):
        self.numbers, self.progress, self.noisy, self.turn = numbers, progress, noisy, 0

    def _rows(self, make: Callable[..., Tensor], purpose: str, like: Tensor) -> Tensor:
        self.turn += 1
        return self.numbers[self.turn - 1]
