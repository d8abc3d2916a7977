"""What a training is made of: the network, its images, the objective, the optimiser, and its
progress.

`Training` adds the loop. Random numbers are keyed by (seed, epoch, step, purpose) for the global
batch, and each rank computes its rows of it, so that a training which is interrupted and resumed
draws the same numbers.
"""

import copy
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cached_property
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn, optim

from narrows.choose import choose
from narrows.distributed.process_group import rank_and_size
from narrows.image_batches import ImageBatches, weighted
from narrows.machine import keep_freed_memory
from narrows.model.network import Network, device_of
from narrows.model.training.compiled import Compiled, Sums, repays
from narrows.model.training.distributed import distribute
from narrows.model.training.least_steps import Plan, plan_steps
from narrows.model.training.optimise import OPTIMISERS, SCHEDULES
from narrows.model.training.options import PRECISIONS, choose_options
from narrows.model.training.progress import Progress
from narrows.parts.kinds import KINDS
from narrows.parts.objective import LossTerms
from narrows.randomness import KeyedRandom, keyed_generator
from narrows.threads import ThreadWatch


def batch_norms(network: nn.Module) -> list[nn.Module]:
    """The layers that need more than one image to train on."""
    norms = (nn.BatchNorm1d, nn.BatchNorm2d)
    return [layer for layer in network.modules() if isinstance(layer, norms)]


class TrainingSetup:
    """A network, the images that it is trained on, and how.

    images, validation: to train on, and to validate with.
    progress: of a network that has been trained before.
    after_step: called with the training after each step.
    options: those of `TrainingOptions`, by name.

    plan: the epochs and the batch size, which follow from the number of images if it is small.

    held_out: images that are not trained on, for the thresholds of anomaly scores, if there are any.
    """

    held_out: ImageBatches | None = None

    def __init__(
        self,
        network: Network,
        images: ImageBatches,
        validation: ImageBatches | None,
        *,
        epochs: int,
        batch_size: int,
        optimiser: Any,
        schedule: Any,
        objective: Any,
        seed: int,
        progress: Progress | None = None,
        after_step: Callable[["TrainingSetup"], None] | None = None,
        **options: Any,
    ):
        self.network = network
        self.images = images
        self.validation = validation
        self.seed = seed
        self.device = device_of(network)
        self.options = choose_options(options, network, images, validation)
        self.plan = self._plan(epochs, batch_size)
        self.after_step = after_step
        self.objective = KINDS["objective"].make(objective)
        self.average = copy.deepcopy(network) if self.options.ema else network
        self.distribution = distribute(
            network, self.average, self._step_function(), self.batch_size, self.options.shard
        )
        self.parameters = list(self.distribution.network.parameters())
        self.norms = batch_norms(self.distribution.network)
        self.optimiser_spec = optimiser
        self.optimiser = self.make_optimiser(self.parameters)
        self.learning_rate: float = self.optimiser.param_groups[0]["lr"]
        self.schedule = choose("schedule", SCHEDULES, schedule)
        self.progress = self._begin(progress)
        keep_freed_memory()

    def _plan(self, epochs: int, batch_size: int) -> Plan:
        return plan_steps(len(self.images), epochs, batch_size, self.options.least_steps)

    def _begin(self, progress: Progress | None) -> Progress:
        """The progress with the best weights so far: by default those at the start."""
        progress = progress or Progress()
        progress.best = progress.best or self.weights()
        return progress

    @cached_property
    def thread_watch(self) -> ThreadWatch:
        """Not of threads that wait for an accelerator, or for other ranks."""
        return ThreadWatch(torch.get_num_threads() if self.checks_every_loss else 1)

    def make_optimiser(self, parameters: list[nn.Parameter]) -> optim.Optimizer:
        """An optimiser of the kind that was asked for, of these parameters."""
        return choose("optimiser", OPTIMISERS, self.optimiser_spec, parameters=parameters)

    @property
    def epochs(self) -> int:
        return self.plan.epochs

    @property
    def batch_size(self) -> int:
        return self.plan.batch_size

    @property
    def steps_per_epoch(self) -> int:
        return ceil(len(self.images) / self.batch_size)

    @property
    def is_due_to_save(self) -> bool:
        """Whether its state is worth a file: at the end, and when an epoch that was asked for ends.

        To write it after each of hundreds of epochs of one step would take most of the time.
        """
        return self.progress.stopped or self.plan.completes_one(self.progress.epoch)

    @property
    def checks_every_loss(self) -> bool:
        """Whether each loss is checked before its gradient is taken: elsewhere to read a loss is to
        wait for it.
        """
        return self.device.type == "cpu" and rank_and_size() == (0, 1)

    def batches(self, epoch: int) -> Sequence[Tensor]:
        """The indices of the images of each step of an epoch."""
        generator = keyed_generator(self.seed, epoch, "order")
        order = torch.randperm(len(self.images), generator=generator)
        return order.to(self.device).split(self.batch_size)

    def weights(self) -> dict[str, Tensor]:
        """A copy of the weights that are validated and kept: the average, if there is one."""
        return {name: value.clone() for name, value in self.average.state_dict().items()}

    def _step_function(self) -> Sums:
        """The function from a batch to the sums of its terms, compiled if that is asked for or repays."""
        compiles = self.options.compile
        if compiles == "auto":
            compiles = repays(self.epochs * self.steps_per_epoch, self.device)
        if compiles is True:
            return Compiled(self._term_sums, self.batch_size, self.device)
        return self._term_sums

    def _term_sums(
        self, network: Network, x: Tensor, random: KeyedRandom, weights: Tensor | None
    ) -> LossTerms:
        """The terms of the objective, each summed over the batch, by the images' weights."""
        dtype = PRECISIONS[self.options.precision]
        with torch.autocast(self.device.type, dtype) if dtype else nullcontext():
            terms, _ = self.objective(network, x, random)
        return {name: weighted(term, weights).sum() for name, term in terms.items()}
