"""The state of a training: all that changes while it runs, to go on from exactly there.

    network.*, average.*, best.*    weights as they are, their average; the best so far, where it is another one
    optimiser.NUMBER.*              what the optimiser knows of each parameter
    steps.*, sums                   terms of the loss: of the steps of whole epochs, of those of this one
    numbers                         epochs and steps done, history, patience

Random numbers need no state: each belongs to (seed, epoch, step, purpose).
"""

import copy
from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

from narrows.model.training.distributed import full_tensor, place_like
from narrows.model.training.training import Training

NUMBERS = ("epoch", "done", "spent", "stopped", "lowest", "waited", "history", "names", "sign", "told")
Tensors = dict[str, Tensor]


def state_of(training: Training) -> tuple[Tensors, dict[str, Any]]:
    """A copy of all that changes: tensors by name, and numbers that JSON can hold. All ranks take part."""
    training.spread.collect()
    tensors = {f"network.{k}": v for k, v in training.network.state_dict().items()}
    latest = training.average.state_dict()
    if not all(torch.equal(v, latest[k]) for k, v in training.best.items()):  # else a quarter of the file is spared
        tensors |= {f"best.{k}": v for k, v in training.best.items()}
    if training.ema:
        tensors |= {f"average.{k}": v for k, v in training.average.state_dict().items()}
    for number, slots in training.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{k}": full_tensor(torch.as_tensor(v)) for k, v in slots.items()}
    tensors |= {f"steps.{k}": torch.tensor(v, dtype=torch.float64) for k, v in training.steps.items()}
    tensors["sums"] = training.sums[: training.done]
    numbers = {name: getattr(training, name) for name in NUMBERS}
    return {k: v.detach().clone() for k, v in tensors.items()}, copy.deepcopy(numbers)


def restore(training: Training, tensors: Tensors, numbers: dict[str, Any]) -> None:
    """Go back to a state that `state` gave, of a training with the same settings."""
    training.network.load_state_dict(_under(tensors, "network"))
    if training.ema:
        training.average.load_state_dict(_under(tensors, "average"))
    training.best = {k: v.clone() for k, v in _under(tensors, "best").items()} or training.weights()
    training.spread.part()
    slots: dict[int, Tensors] = defaultdict(dict)
    for name, value in _under(tensors, "optimiser").items():
        number, slot = name.split(".", 1)
        slots[int(number)][slot] = _ordered(value, training.parameters[int(number)])
    training.optimiser.load_state_dict({**training.optimiser.state_dict(), "state": dict(slots)})
    for name, value in copy.deepcopy(numbers).items():
        setattr(training, name, defaultdict(list, value) if isinstance(value, dict) else value)
    steps, names = _under(tensors, "steps"), ("loss", *training.names)  # in their order, which the file has not
    training.steps = defaultdict(list, {k: steps[k].tolist() for k in names if k in steps})
    training.sums = torch.empty((training.steps_an_epoch, tensors["sums"].shape[-1]), device=training.device)
    training.sums[: training.done] = tensors["sums"]


def _ordered(value: Tensor, parameter: Tensor) -> Tensor:
    """A copy; where it has the shape of its parameter, with that one's order in memory, in pieces as that one is."""
    same = value.shape == parameter.shape
    return torch.empty_like(parameter).copy_(place_like(value, parameter)) if same else value.clone()


def _under(tensors: Tensors, prefix: str) -> Tensors:
    return {k.removeprefix(prefix + "."): v for k, v in tensors.items() if k.startswith(prefix + ".")}
