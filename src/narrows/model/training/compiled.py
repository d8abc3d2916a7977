"""A compiled step: the objective of a batch and its gradient, each one program that torch.compile
makes for the network.

A compiled program cannot use generators, so the random numbers of a step are drawn before it: a
rehearsal with a copy of the network records which numbers a step requests, in which order
(`RecordingRandom`), and the program gets them in that order (`DrawnRandom`). They are the same
numbers as without compiling, and the same mathematics, rounded in other places. A last batch of
another size is not compiled.

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
Request = tuple[Callable[..., Tensor], str, Tensor]


def repays(steps: int, device: torch.device) -> bool:
    """Whether this many steps win back the seconds that compiling takes."""
    return steps >= REPAYS.get(device.type, inf)


class Compiled:
    """A function (network, x, draw, weights) -> tensors by name, compiled for batches of `size`
    over all ranks.
    """

    def __init__(self, function: Sums, size: int, device: torch.device):
        self.function, self.size, self.graphs = function, size, device.type == "cuda"
        self.requests: list[Request] | None = None
        mode = "reduce-overhead" if self.graphs else None
        self.program = torch.compile(self._with_numbers, dynamic=False, mode=mode)

    def __call__(
        self, network: Network, x: Tensor, random: KeyedRandom, weights: Tensor | None = None
    ) -> dict[str, Tensor]:
        if random.total != self.size:
            return self.function(network, x, random, weights)
        from torch._dynamo.exc import BackendCompilerFailed  # here, because it is slow to import

        if self.requests is None:
            self.requests = self._rehearse(network, x, random)
        numbers = [random._rows(*request) for request in self.requests]
        progress = torch.tensor(random.progress)
        try:
            known = random.noisy, random.noise
            return self.program(network, x, numbers, progress, known, weights)
        except BackendCompilerFailed as error:  # no compiler, as a rule
            raise BuildError(f"compile: this machine cannot ({error}); leave it out") from error

    def _with_numbers(
        self,
        network: Network,
        x: Tensor,
        numbers: list[Tensor],
        progress: Tensor,
        known: tuple[Tensor | None, Tensor | None],
        weights: Tensor | None,
    ) -> dict[str, Tensor]:
        return self.function(network, x, DrawnRandom(numbers, progress, *known), weights)

    def _rehearse(self, network: Network, x: Tensor, random: KeyedRandom) -> list[Request]:
        """What a step requests, in order."""
        recording = RecordingRandom(
            *random.key,
            rows=random.rows,
            total=random.total,
            progress=random.progress,
            noisy=random.noisy,
            noise=random.noise,
        )
        with torch.no_grad():
            self.function(deepcopy(network), x, recording, None)
        return recording.requests


class RecordingRandom(KeyedRandom):
    """Random numbers, with a record of what was requested."""

    def __init__(self, *key: object, **options: Any):
        super().__init__(*key, **options)
        self.requests: list[Request] = []

    def _rows(self, make: Callable[..., Tensor], purpose: str, like: Tensor) -> Tensor:
        shape = torch.empty((), device=like.device).expand(like.shape)  # without memory
        self.requests.append((make, purpose, shape))
        return super()._rows(make, purpose, like)


class DrawnRandom(KeyedRandom):
    """Numbers drawn beforehand, in the order in which they are requested."""

    def __init__(
        self, numbers: list[Tensor], progress: Any, noisy: Tensor | None, noise: Tensor | None
    ):
        self.numbers, self.progress = numbers, progress
        self.noisy, self.noise = noisy, noise
        self.next = 0

    def _rows(self, make: Callable[..., Tensor], purpose: str, like: Tensor) -> Tensor:
        self.next += 1
        return self.numbers[self.next - 1]
