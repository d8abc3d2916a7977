"""The state of a training: all that changes while it runs, to continue from exactly there.

    network.*, average.*, best.*    the weights, their average, and the best so far if they are others
    optimiser.NUMBER.*              what the optimiser keeps of each parameter
    steps.*, sums                   terms of the loss: of the steps of complete epochs, of those of this one
    numbers                         of `Progress`: epochs and steps done, history, patience

Random numbers need no state: each belongs to (seed, epoch, step, purpose).
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from narrows.model.file_format import Tensors
from narrows.model.training.distributed import full_tensor, place_like
from narrows.model.training.progress import Progress, ProgressHeader
from narrows.model.training.restorable import tensors_under, validate_state
from narrows.model.training.training import Training
from narrows.parts.term import Term, present_names


def state_of(training: Training) -> tuple[Tensors, dict[str, Any]]:
    """A copy of all that changes: tensors by name, and numbers that JSON can hold. All ranks take
    part.
    """
    training.distribution.gather()
    progress, average = training.progress, training.average.state_dict()
    tensors = _prefixed("network", training.network.state_dict())
    if not all(torch.equal(value, average[name]) for name, value in progress.best.items()):
        tensors |= _prefixed("best", progress.best)  # otherwise a quarter of the file is saved
    if training.options.ema:
        tensors |= _prefixed("average", average)
    for number, slots in training.optimiser.state_dict()["state"].items():
        averages = {name: full_tensor(torch.as_tensor(value)) for name, value in slots.items()}
        tensors |= _prefixed(f"optimiser.{number}", averages)
    columns = {
        name: torch.tensor(column, dtype=torch.float64) for name, column in progress.steps.items()
    }
    tensors |= _prefixed("steps", columns)
    tensors["sums"] = progress.step_sums[: progress.step]
    return {name: value.clone() for name, value in tensors.items()}, progress.to_file()


def restore(training: Training, tensors: Tensors, numbers: ProgressHeader) -> None:
    """Go back to a state that `state_of` gave, of a training with the same settings. Raises
    `DataError` for any other, before anything is changed.
    """
    validate_state(training, tensors, numbers)
    training.network.load_state_dict(tensors_under(tensors, "network"))
    if training.options.ema:
        training.average.load_state_dict(tensors_under(tensors, "average"))
    progress = Progress.from_file(numbers)
    progress.best = {
        name: value.clone() for name, value in tensors_under(tensors, "best").items()
    } or training.weights()
    training.distribution.scatter()
    slots = _optimiser_slots(training, tensors)
    training.optimiser.load_state_dict({**training.optimiser.state_dict(), "state": slots})
    _restore_columns(
        progress, tensors_under(tensors, "steps"), training.objective.terms(training.network)
    )
    progress.start_epoch(progress.term_names, training.steps_per_epoch, training.device)
    progress.step_sums[: progress.step] = tensors["sums"]
    training.continue_from(progress)


def _restore_columns(progress: Progress, steps: Tensors, terms: tuple[Term, ...]) -> None:
    """The columns of the history and of the steps, in their order, under the present names of the terms."""
    names = present_names([*progress.term_names, *progress.history, *steps], terms)
    progress.history = {names[name]: column for name, column in progress.history.items()}
    progress.term_names = [names[name] for name in progress.term_names]
    columns = {names[name]: column.tolist() for name, column in steps.items()}
    order = [name for name in ("loss", *progress.term_names) if name in columns]
    progress.steps = {name: columns[name] for name in order}


def _optimiser_slots(training: Training, tensors: Tensors) -> dict[int, Tensors]:
    """What the optimiser kept of each parameter, as each parameter is stored here."""
    slots: dict[int, Tensors] = defaultdict(dict)
    for name, value in tensors_under(tensors, "optimiser").items():
        number, slot = name.split(".", 1)
        slots[int(number)][slot] = _stored_like(value, training.parameters[int(number)])
    return dict(slots)


def _stored_like(value: Tensor, parameter: Tensor) -> Tensor:
    """A copy; if it has the shape of its parameter, with the same order in memory, and divided in
    the same way.
    """
    if value.shape != parameter.shape:
        return value.clone()
    return torch.empty_like(parameter).copy_(place_like(value, parameter))


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    return {f"{prefix}.{name}": value for name, value in tensors.items()}
