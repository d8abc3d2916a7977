"""Training: one loop.

    for each epoch:  for each batch of a permutation of the images:
        loss = mean over the batch's images of Σ terms;  one step of the optimiser down its gradient
    then the same objective on the validation images, without dropout and with the final weights of
    every cost

Epoch figures are means over images, not over batches. What changes is `training.progress`, the
weights and the optimiser's averages; a `Training` whose state is saved and restored
(`narrows.model.training.state`) continues exactly as if it had not been interrupted.
"""

import time
from collections.abc import Iterator, Sequence
from functools import partial, reduce
from math import isfinite
from operator import add

import torch
from torch import Tensor, nn

from narrows.distributed.collectives import all_reduce
from narrows.distributed.process_group import rank_and_size, rank_slice
from narrows.errors import DataError, TrainingError
from narrows.image_batches import ImageBatches
from narrows.machine import flush_denormals, matmul_precision
from narrows.model.progress_bar import Advance, progress_bar
from narrows.model.training.augment import augment
from narrows.model.training.diagnose import (
    check_late,
    diagnose_gradient,
    diagnose_loss,
    diagnose_validation,
    diagnose_weights,
)
from narrows.model.training.diagnosis import Diagnosis
from narrows.model.training.distributed import local_shard
from narrows.model.training.evidence import not_finite
from narrows.model.training.pairs import training_batch
from narrows.model.training.progress import Progress
from narrows.model.training.setup import TrainingSetup
from narrows.model.training.validate import validation_means
from narrows.parts.objective import LossTerms
from narrows.randomness import KeyedRandom

# steps between flushes, in which 0.9^50 keeps what is above TINY above 1e-38
FLUSH, TINY = 50, 1e-30


class Training(TrainingSetup):
    """A run. Iterate over it: it trains, and yields itself after each epoch."""

    def __iter__(self) -> Iterator["Training"]:
        steps = self.steps_per_epoch
        done = self.progress.epoch * steps + self.progress.step
        with progress_bar("training", self.epochs * steps, done) as advance:
            while self.progress.epoch < self.epochs and not self.progress.stopped:
                self.run_epoch(advance)
                yield self
        self.finish()

    def continue_with(self, images: ImageBatches) -> None:
        """Train on these images from here on."""
        self.images = images

    def continue_from(self, progress: Progress) -> None:
        """Take over the progress of another training of the same settings."""
        self.progress = progress

    @flush_denormals()
    def run_epoch(self, advance: Advance = lambda words: None) -> None:
        """One pass over the training images, then the validation images."""
        with matmul_precision(self.options.precision, self.device):
            seconds = self._run_steps(advance)
            self.progress.epoch += 1
            if self.validation is not None:
                self._validate(self.validation)
        self.progress.add("seconds", seconds)
        self._select()

    def finish(self) -> None:
        """Leave the network with the weights to keep, ready for use."""
        keeps_best = self.options.keep == "best" and self.validation is not None
        weights = self.progress.best if keeps_best or self.progress.failed else self.weights()
        self.network.load_state_dict(weights)
        self.network.to(self.device).eval()

    # -- an epoch -----------------------------------------------------------------------------

    def _run_steps(self, advance: Advance) -> float:
        """The steps that are left of this epoch; returns the seconds of all its steps."""
        progress, batches = self.progress, self.batches(self.progress.epoch)
        seconds_before, start = progress.seconds, time.perf_counter()
        self.distribution.scatter()
        self.distribution.network.train()
        for index in batches[progress.step :]:
            self._keep(self.step(progress.step, index))
            advance(partial(self._status, len(index)))
            progress.step += 1
            if not self.checks_every_loss:
                self._stop(check_late(self))
            progress.seconds = seconds_before + time.perf_counter() - start
            if self.after_step:
                self.after_step(self)
        self.distribution.gather()
        return self._end_steps(batches)

    def _end_steps(self, batches: Sequence[Tensor]) -> float:
        """Close the steps of an epoch; returns their seconds."""
        progress = self.progress
        progress.end_steps(torch.tensor([len(index) for index in batches]))
        seconds = progress.seconds
        progress.step, progress.seconds = 0, 0.0
        return seconds

    def _keep(self, sums: LossTerms) -> None:
        """Keep the terms of a step, summed over the ranks."""
        if self.progress.step == 0:
            self.progress.start_epoch(list(sums), self.steps_per_epoch, self.device)
        elif list(sums) != self.progress.term_names:
            raise DataError(
                f"the checkpoint is of a loss of {', '.join(self.progress.term_names)}, and this one "
                f"has the terms {', '.join(sums)}; start over with --force (resume=False)"
            )
        self.progress.step_sums[self.progress.step] = all_reduce(torch.stack(list(sums.values())))

    def _status(self, size: int) -> str:
        """What the progress bar shows after the present step, over `size` images."""
        progress = self.progress
        words = [f"epoch {progress.epoch + 1}"]
        if self.device.type == "cpu":  # to read the terms would wait for an accelerator
            sums = progress.step_sums[progress.step].tolist()
            for name, value in zip(progress.term_names, sums):
                words.append(f"{name} {value / size:.4g}")
        return "  ".join(words)

    def _validate(self, images: ImageBatches) -> None:
        """Record the objective, and the measures asked for, on images that are not trained on."""
        start = time.perf_counter()
        options = self.options
        means = validation_means(
            self.average, self.objective, images, self.seed, options.measures, options.measure_scale
        )
        for name, mean in means.items():
            self.progress.add(f"val_{name}", mean)
        self.progress.add("val_seconds", time.perf_counter() - start)
        if not isfinite(means["loss"]):
            what = f"the validation loss became {means['loss']} after epoch {self.progress.epoch}"
            self.progress.epoch -= 1
            self._stop(diagnose_validation(self, images, what))

    def _select(self) -> None:
        """Keep the weights of the best epoch, and stop when patience has run out."""
        progress, patience = self.progress, self.options.patience
        loss = progress.history["loss" if self.validation is None else "val_loss"][-1]
        improved = loss < progress.lowest
        if improved or self.validation is None:
            progress.best = self._finite_weights()
        if improved:
            progress.lowest, progress.waited = loss, 0
        else:
            progress.waited += 1
        progress.stopped = patience is not None and progress.waited >= patience * self.plan.stretch

    def _finite_weights(self) -> dict[str, Tensor]:
        """The weights after an epoch, which fails if one of them is NaN or infinite."""
        weights = self.weights()
        if not_finite(weights.items()):
            what = f"epoch {self.progress.epoch} ended wrong"
            self.progress.epoch -= 1
            self._stop(diagnose_weights(self, what))
        return weights

    def _stop(self, diagnosis: Diagnosis | None) -> None:
        """If something became NaN or infinite, put the last good weights back and say why, and what
        to try.
        """
        if diagnosis is None:
            return
        progress = self.progress
        progress.stopped = progress.failed = True
        self.finish()
        progress.forget_after(progress.epoch)
        kept = f"the weights of {self._kept_in_words()} are kept"
        raise TrainingError(f"{diagnosis.said}; {kept}. {diagnosis.cure}", diagnosis.images)

    def _kept_in_words(self) -> str:
        """The epoch whose weights are kept after an error."""
        if not self.progress.epoch:
            return "the start"
        if self.validation is not None:
            return "the best epoch so far"
        return f"epoch {self.progress.epoch}"

    # -- a step -------------------------------------------------------------------------------

    def step(self, number: int, index: Tensor) -> LossTerms:
        """One step down the gradient of the batch `index`, of which this rank computes its share.

        Returns the sum over the rank's images of each term, by their weights.
        """
        mine = index[rank_slice(len(index))]
        random = self._random(number, len(index))
        x = self._training_images(mine, random)
        self._set_learning_rate(random.progress / self.plan.asked_epochs)
        for norm in self.norms:
            norm.train(len(index) > 1)  # one image has no variance: its running figures serve
        sums = self.distribution.step(x, random, self.images.weights_at(mine))
        # gradients are averaged over the ranks, so that each rank's part of the loss is taken that
        # many times
        loss = reduce(add, sums.values()) / (len(index) / rank_and_size()[1])
        # while the last step's gradient is there
        if self.checks_every_loss and not isfinite(loss.item()):
            self._stop(diagnose_loss(self, number, index, random, sums))
        self._compute_gradient(loss)
        if self.options.clip:
            self._clip(self.options.clip, number, index)
        self.optimiser.step()
        if number % FLUSH == 0:
            self._flush()
        if self.options.ema:
            self._update_average(self.options.ema)
        return {name: value.detach() for name, value in sums.items()}

    def _training_images(self, index: Tensor, random: KeyedRandom) -> Tensor:
        """The images at `index`, augmented; in `random.noisy` the noisy ones that come with them, and
        what is known of their noise in `random.noise`.
        """
        x, scale = training_batch(self.images, index, self.network.corruption, random)
        names, bounds = self.options.augment, scale.bounds
        if random.noisy is not None:
            random.noisy = augment(random.noisy, names, random.restarted(), bounds)
        if random.noise is not None:  # of each channel
            numbers = [
                augment(number[..., None, None], names, random.restarted(), bounds)[..., 0, 0]
                for number in random.noise.unbind(-1)
            ]
            random.noise = torch.stack(numbers, dim=-1)
        return augment(x, names, random.restarted(), bounds)

    def _compute_gradient(self, loss: Tensor) -> None:
        for parameter in self.parameters:
            # as zero_grad does, which also reports to the profiler: 0.05 ms a step
            parameter.grad = None
        with self.thread_watch:
            loss.backward()

    def _random(self, number: int, total: int) -> KeyedRandom:
        """The random numbers of a step over `total` images."""
        epoch = self.progress.epoch
        return KeyedRandom(
            self.seed,
            epoch,
            number,
            rows=rank_slice(total),
            total=total,
            progress=(epoch + number / self.steps_per_epoch) / self.plan.stretch,
        )

    def _set_learning_rate(self, t: float) -> None:
        """The rate that the schedule gives for t in [0, 1]."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate * self.schedule(t)

    def _clip(self, largest: float, number: int, index: Tensor) -> None:
        """Scale the gradient down to the norm `largest`, if it is larger."""
        norm = nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None])
        if self.checks_every_loss and not isfinite(norm.item()):
            self._stop(diagnose_gradient(self, number, index, norm.item()))
        nn.utils.clip_grads_with_norm_(self.parameters, largest, norm)

    @torch.no_grad()
    def _flush(self) -> None:
        """Set averages that have all but vanished to 0: those of weights without gradient fall
        below what a processor counts with at full speed (1e-38), and an epoch would take half as
        long again. No weight changes by it."""
        for slots in self.optimiser.state.values():
            for average in slots.values():
                if isinstance(average, Tensor):
                    shard = local_shard(average)
                    shard.masked_fill_(shard.abs() < TINY, 0.0)

    @torch.no_grad()
    def _update_average(self, decay: float) -> None:
        """average ← decay · average + (1 - decay) · weights; buffers are copied."""
        average, network = self.distribution.average, self.distribution.network
        for slow, fast in zip(average.parameters(), self.parameters):
            local_shard(slow).lerp_(local_shard(fast), 1 - decay)
        for slow, fast in zip(average.buffers(), network.buffers()):
            slow.copy_(fast)
