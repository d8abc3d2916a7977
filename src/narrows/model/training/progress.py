"""Progress: all that changes while a training runs, apart from the weights and the optimiser's
averages.

One value, which a checkpoint writes and reads (`narrows.model.training.state`). In the file some
numbers have shorter names than here, which `FILE_KEYS` lists, so that files of earlier versions can
be resumed.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Annotated, Any, Self

import torch
from msgspec import Meta, Struct, structs
from torch import Tensor

FILE_KEYS = {  # in the file: here
    "epoch": "epoch",
    "done": "step",
    "spent": "seconds",
    "stopped": "stopped",
    "lowest": "lowest",
    "waited": "waited",
    "history": "history",
    "names": "term_names",
    "sign": "sign",
    "told": "warnings",
}
Count = Annotated[int, Meta(ge=0)]


class ProgressHeader(Struct, rename={name: key for key, name in FILE_KEYS.items()}):
    """The numbers of `Progress` as a file has them, of which nothing is known but their types."""

    epoch: Count
    step: Count
    seconds: Annotated[float, Meta(ge=0)] = 0.0
    history: dict[str, list[float]] = {}
    term_names: list[str] = []
    lowest: float = inf
    waited: Count = 0
    stopped: bool = False
    sign: str = ""
    warnings: dict[str, str] = {}


@dataclass
class Progress:
    """How far a training has come.

    epoch, step: epochs that are complete, and steps of the next one that are done. seconds: spent
        on those steps.
    history, steps: columns by name, with an entry for each epoch and for each step of complete
        epochs.
    term_names, step_sums: terms of the loss, and their sums over the batch of each step of this
        epoch, `(steps, terms)`.
    lowest, waited, best: the lowest loss, the epochs since then, and the weights that reached it.
    stopped, failed: whether patience ran out, and whether a number became NaN or infinite.
    sign, warnings: the sign of collapse after the last epoch, and the warnings given so far, by
        their sign.
    """

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    history: dict[str, list[float]] = field(default_factory=dict)
    steps: dict[str, list[float]] = field(default_factory=dict)
    term_names: list[str] = field(default_factory=list)
    step_sums: Tensor = field(default_factory=lambda: torch.empty(0))
    lowest: float = inf
    waited: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    stopped: bool = False
    failed: bool = False
    sign: str = ""
    warnings: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_fitted(cls, epochs: int, history: Mapping[str, list[float]]) -> Self:
        """The progress of a model that has been fitted for this many epochs."""
        return cls(epoch=epochs, history={name: list(column) for name, column in history.items()})

    def start_epoch(self, term_names: list[str], steps: int, device: torch.device) -> None:
        """Make room for the terms of an epoch's steps.

        It is one block, since small tensors that are kept would split freed memory.
        """
        self.term_names = term_names
        self.step_sums = torch.empty((steps, len(term_names)), device=device)

    def end_steps(self, sizes: Tensor) -> None:
        """Move this epoch's steps, of batches of these sizes, into the columns."""
        sums = self.step_sums.cpu()
        columns = {"loss": sums.sum(1), **dict(zip(self.term_names, sums.unbind(1)))}
        for name, column in columns.items():
            self.add(name, float(column.double().sum() / sizes.sum()))
            self.steps.setdefault(name, []).extend((column / sizes).tolist())

    def add(self, name: str, value: float) -> None:
        """Add the value of an epoch to a column of the history."""
        self.history.setdefault(name, []).append(value)

    def forget_after(self, epochs: int) -> None:
        """Keep only the first epochs of the history: those that ended well."""
        for column in self.history.values():
            del column[epochs:]

    def to_file(self) -> dict[str, Any]:
        """A copy of the numbers, under their names in the file."""
        return {key: copy.deepcopy(getattr(self, name)) for key, name in FILE_KEYS.items()}

    @classmethod
    def from_file(cls, numbers: ProgressHeader) -> Self:
        """The numbers of a file."""
        return cls(**copy.deepcopy(structs.asdict(numbers)))
