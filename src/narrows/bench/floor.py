"""The floor: the time of an epoch's arithmetic, if nothing else took any time.

    floor = 3 · F · N / P      F  floating-point operations of one image's forward pass
                               N  images of an epoch
                               P  operations a second of this machine, in its best product of two
                                  large matrices

Three, because the backward pass takes two products for each one of the forward pass: the gradient
of the weights, and that of the input. (The first layer needs no gradient of its input, so a network
can be a little below its floor.)
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from narrows.bench.cases import Case

SIDE, TRIES = 2048, 5


def forward(case: Case) -> float:
    """Floating-point operations of one image's forward pass: 2 for each multiplication and addition."""
    channels = 3 if case.data == "coloured-mnist" else 1
    shape = (1, 784) if case.flat else (1, channels, 28, 28)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        case.net()(torch.zeros(shape))
    return float(counter.get_total_flops())


def peak(device: torch.device, dtype: torch.dtype = torch.float32) -> float:
    """Operations a second in the best of a few products of two matrices."""
    side = SIDE if device.type == "cpu" else 8 * SIDE
    a, b = (torch.ones(side, side, dtype=dtype, device=device) for _ in range(2))
    return max(2 * side**3 / seconds(lambda: torch.mm(a, b), device) for _ in range(TRIES))


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """How long `work()` takes, including its work on an accelerator."""
    _synchronise(device)
    start = time.perf_counter()
    work()
    _synchronise(device)
    return time.perf_counter() - start


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Floor:
    """A round is the time that an epoch's arithmetic would take."""

    def __init__(self, case: Case, train: np.ndarray, test: np.ndarray, device: torch.device):
        self.device = device
        self.operations = 3 * forward(case) * case.split(len(train))

    def round(self) -> tuple[float, float]:
        return self.operations / peak(self.device), 0.0
