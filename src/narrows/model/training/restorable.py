"""What the state in a checkpoint must be for a training to continue from it.

A file may come from anywhere, and torch does not compare the averages that an optimiser is given
with the parameters: a step with wrong ones writes over other memory. So every tensor is compared
with what this training would have written itself:

    network.*, average.*, best.*   as the network's, by name, shape and type
    optimiser.NUMBER.*             as the optimiser keeps them of a parameter, of its shape
    steps.*                        float64, one for each step of complete epochs
    sums                           one for each term and step of this epoch
"""

from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from narrows.errors import DataError
from narrows.model.file_format import Tensors, check_tensors
from narrows.model.training.progress import ProgressHeader
from narrows.model.training.setup import TrainingSetup

TWIN_SHAPE = (2, 3)  # of a parameter that shows what an optimiser keeps


def tensors_under(tensors: Tensors, prefix: str) -> Tensors:
    """The tensors whose names begin with `prefix` and a dot, by the rest of their names."""
    prefix += "."
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def validate_state(training: TrainingSetup, tensors: Tensors, numbers: ProgressHeader) -> None:
    """Refuse a state that this training cannot have written. Raises `DataError`."""
    _validate_numbers(training, numbers)
    weights = training.network.state_dict()
    check_tensors(weights, tensors_under(tensors, "network"), finite=False)
    if training.options.ema:
        check_tensors(weights, tensors_under(tensors, "average"), finite=False)
    best = tensors_under(tensors, "best")
    if best:
        check_tensors(weights, best, finite=False)
    _validate_slots(training, tensors_under(tensors, "optimiser"))
    _validate_steps(training, tensors, numbers)


def _validate_numbers(training: TrainingSetup, numbers: ProgressHeader) -> None:
    """Refuse steps that this training does not have, and columns of another length."""
    if numbers.step > training.steps_per_epoch:
        raise DataError(f"it has {numbers.step} steps of an epoch of {training.steps_per_epoch}")
    for name, column in numbers.history.items():
        if not column or len(column) != numbers.epoch:
            raise DataError(f"its history has {len(column)} of {numbers.epoch} epochs of {name}")
    if len(set(numbers.term_names)) < len(numbers.term_names):
        raise DataError(f"it names a term twice: {', '.join(numbers.term_names)}")


def _validate_steps(training: TrainingSetup, tensors: Tensors, numbers: ProgressHeader) -> None:
    """Refuse terms of other steps than those that are done."""
    done = torch.empty(numbers.epoch * training.steps_per_epoch, dtype=torch.float64, device="meta")
    columns = tensors_under(tensors, "steps")
    check_tensors(dict.fromkeys(columns, done), columns, finite=False)
    sums = torch.empty((numbers.step, len(numbers.term_names)), device="meta")
    if numbers.step or "sums" not in tensors:
        check_tensors({"sums": sums}, {"sums": tensors["sums"]}, finite=False)


def _validate_slots(training: TrainingSetup, tensors: Tensors) -> None:
    """Refuse what the optimiser does not keep of a parameter."""
    kept = _kept_by(training)
    slots: dict[str, Tensors] = defaultdict(dict)
    for name, value in tensors.items():
        number, _, slot = name.partition(".")
        slots[number][slot] = value
    parameters = {str(k): parameter for k, parameter in enumerate(training.parameters)}
    for number, of_parameter in slots.items():
        if number not in parameters:
            raise DataError(f"it has averages of a parameter {number} of {len(parameters)}")
        shape = parameters[number].shape
        expected = {
            slot: torch.empty(shape if like.dim() else (), dtype=like.dtype, device="meta")
            for slot, like in kept.items()
        }
        check_tensors(expected, of_parameter, finite=False)


def _kept_by(training: TrainingSetup) -> Mapping[str, Tensor]:
    """What the optimiser keeps of a parameter after a step."""
    twin = nn.Parameter(torch.zeros(TWIN_SHAPE, device=training.device))
    twin.grad = torch.ones_like(twin)
    optimiser = training.make_optimiser([twin])
    optimiser.step()
    return {name: torch.as_tensor(value) for name, value in optimiser.state[twin].items()}
