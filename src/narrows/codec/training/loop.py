"""The loop of training: a network learns to code batches of pixels, at the end with rounded weights.

The loss is the length of the code, -log2 p(x | neighbours) in bits per pixel, its mean over pixels drawn at
random (`samples`). The learning rate of the optimiser (`optimiser`) rises at first and then falls as a cosine
to zero. In the last third of the steps the network computes with rounded weights, so that the integers of
the model file code as well as the floats did.
"""

from collections.abc import Callable, Iterable, Iterator
from math import cos, log, pi
from typing import Protocol

import torch
from torch import Tensor

from narrows.codec.training.optimiser import Optimiser
from narrows.errors import TrainingError

WARM_UP = 100  # steps, at most a quarter of all
ROUNDED = 2 / 3  # of the steps are done when weights are rounded
REPORTED = 50  # steps from one report to the next
Progress = Callable[[int, int, float], object]  # (steps done, steps, bits per pixel of the last)
Inputs = tuple[Tensor, ...]


class Coder(Protocol):
    """A network that is trained: a `torch.nn.Module`. learning_rate: the highest."""

    learning_rate: float

    def parameters(self) -> Iterator[torch.nn.Parameter]: ...

    def matrices(self) -> list[torch.nn.Parameter]:
        """Those parameters that multiply vectors."""
        ...

    @property
    def nats(self) -> Callable[..., Tensor]:
        """-log p of each pixel, given the inputs."""
        ...

    def round_weights(self) -> None:
        """From now on compute what the network in integers does."""
        ...


def train(
    network: Coder, batches: Iterable[tuple[Inputs, Tensor]], steps: int, progress: Progress
) -> None:
    """Train on that many batches: the inputs of `nats`, and how many pixels each pixel stands for."""
    optimiser = Optimiser(network.parameters(), network.matrices())
    mean = RunningMean()
    for step, (inputs, weight) in zip(range(steps), batches):
        if step == int(ROUNDED * steps):
            network.round_weights()
        nats = (network.nats(*inputs) * weight).sum()
        lr = network.learning_rate * relative_rate(step, steps)
        optimiser.step(nats / weight.sum(), lr)
        mean.add(nats.item(), weight.sum().item())
        if (step + 1) % REPORTED == 0 or step + 1 == steps:
            progress(step + 1, steps, mean.nats / mean.pixels / log(2))


class RunningMean:
    """Sums over about the last `REPORTED` batches."""

    def __init__(self) -> None:
        self.count, self.nats, self.pixels = 0, 0.0, 0.0

    def add(self, nats: float, pixels: float) -> None:
        """Of one batch. Raises `TrainingError` for a loss that is not a number."""
        if nats != nats:
            raise TrainingError(
                "the training of the pixel model diverged: its loss is not a number"
            )
        self.count = min(self.count + 1, REPORTED)
        memory = 1 - 1 / self.count
        self.nats, self.pixels = self.nats * memory + nats, self.pixels * memory + pixels


def relative_rate(step: int, steps: int) -> float:
    """The learning rate of a step relative to the highest, in (0, 1]."""
    return min(1, (step + 1) / min(WARM_UP, steps / 4)) * (1 + cos(pi * step / steps)) / 2
