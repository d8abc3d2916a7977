"""Epochs and batch size of a small set, so that a training takes a least number of steps.

N images in batches of B are E ⌈N/B⌉ steps in E epochs. What suits thousands of images is next to no
training for twenty: 20 epochs of batches of 128 are then 20 steps. With at least S steps asked for
(`training={"least_steps": S}`), batches shrink first, since smaller ones take more steps for the same
number of passes, and epochs grow where that is not enough:

    while E ⌈N/B⌉ < S and B ≥ 32:    B ← ⌊B/2⌋
    if E ⌈N/B⌉ < S:                  E' = ⌈S / ⌈N/B⌉⌉, else E' = E

What takes S steps already stays as it is. An epoch that was asked for is r = E'/E epochs then. What
is counted in epochs counts those: warm-ups of costs, patience, checks for a collapse, checkpoints.
Schedules of the learning rate go by the share of the training that is done, and need no change.

It is a default of recipes for users who choose neither: once epochs or a batch size are set, by
`recipe`, `set_params` or a command, they are taken as they are, unless S is set with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Annotated, Any

from msgspec import Meta

from narrows.choose import merge_options

OPTION = "least_steps"  # in the dict `training`
CHOICES = {"epochs", "batch_size"}
SMALLEST_BATCH = 16  # that larger batches are halved to
Count = Annotated[int, Meta(ge=1, lt=2**53)]


@dataclass(frozen=True)
class Plan:
    """How many epochs of which batches a training takes, and how many were asked for.

    images: to train on.
    """

    images: Count
    epochs: Count
    batch_size: Count
    asked_epochs: Count
    asked_batch_size: Count

    @property
    def steps(self) -> int:
        return self.epochs * ceil(self.images / self.batch_size)

    @property
    def asked_steps(self) -> int:
        return self.asked_epochs * ceil(self.images / self.asked_batch_size)

    @property
    def is_as_asked(self) -> bool:
        asked = (self.asked_epochs, self.asked_batch_size)
        return (self.epochs, self.batch_size) == asked

    @property
    def stretch(self) -> float:
        """r, the epochs for each that was asked for, ≥ 1."""
        return self.epochs / self.asked_epochs

    def asked_epochs_done(self, epoch: int) -> int:
        """How many of the epochs that were asked for are complete after `epoch` epochs."""
        return epoch * self.asked_epochs // self.epochs

    def completes_one(self, epoch: int) -> bool:
        """Whether one of the epochs that were asked for ends with this epoch."""
        return self.asked_epochs_done(epoch) > self.asked_epochs_done(epoch - 1)

    def last_completed_before(self, epoch: int) -> int:
        """The epoch with which the one that was asked for before the present one ended."""
        return -(-(self.asked_epochs_done(epoch) - 1) * self.epochs // self.asked_epochs)

    def settings(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options of a training that takes the same steps without a plan."""
        taken = {"epochs": self.epochs, "batch_size": self.batch_size}
        if self.epochs != self.asked_epochs:
            taken["epochs asked for"] = self.asked_epochs
        return {**options, "training": _without(options["training"]), **taken}

    def __str__(self) -> str:
        return (
            f"{self.images:,} images to train on: {self.epochs:,} epochs of batches of "
            f"{self.batch_size}, to take {self.steps:,} steps instead of {self.asked_steps:,}"
        )


def plan_steps(images: int, epochs: int, batch_size: int, least: int | None) -> Plan:
    """The plan of at least `least` steps; as asked for if it is None."""
    batch, longer = batch_size, epochs
    if least is not None:
        while epochs * ceil(images / batch) < least and batch >= 2 * SMALLEST_BATCH:
            batch //= 2
        longer = max(epochs, ceil(least / ceil(images / batch)))
    return Plan(images, longer, batch, epochs, batch_size)


def merge_choice(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `base` that change, merged into it (`merge_options`), as the user chooses them."""
    merged = merge_options(base, changes)
    training = changes.get("training")
    if isinstance(training, Mapping) and OPTION in training:
        return merged
    return respect_choice(base, merged)


def respect_choice(options: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Changes of options, without `least_steps` if epochs or a batch size are among them."""
    training = changes.get("training", options.get("training"))
    if not CHOICES & changes.keys() or not _has_plan(training):
        return dict(changes)
    return {**changes, "training": _without(training)}


def _has_plan(training: Any) -> bool:
    return isinstance(training, Mapping) and OPTION in training


def _without(training: Any) -> Any:
    """The dict `training` without `least_steps`, and None if nothing is left."""
    if not _has_plan(training):
        return training
    return {name: value for name, value in training.items() if name != OPTION} or None
