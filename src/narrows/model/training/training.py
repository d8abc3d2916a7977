"""Training: one loop, and one object that holds all that changes while it runs.
    for each epoch:  for each batch of a permutation of the images:
        loss = mean over the batch's images of Σ terms;  one step of the optimiser down its gradient
    then the same objective on the validation images, without dropout and with the final weights of every cost

Epoch figures are means over images. Random numbers are keyed by (seed, epoch, step, purpose) for the global batch,
of which each rank computes its rows: a saved and restored `Training` continues exactly as if it had not stopped.
"""

import copy
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from math import ceil, inf, isfinite
from typing import Any

import torch
from torch import Tensor, nn

from narrows.choose import choose, validate_spec
from narrows.distributed.collectives import all_reduce
from narrows.distributed.process_group import rank_and_size, rank_slice
from narrows.errors import Faults, TrainingError, unknown, wrong
from narrows.image_batches import ImageBatches, weighted
from narrows.machine import flush_denormals, keep_freed_memory, matmul_precision
from narrows.model.network import Network, device_of
from narrows.model.progress_bar import Advance, progress
from narrows.model.training import diagnose as trouble
from narrows.model.training.compiled import Compiled, repays
from narrows.model.training.distributed import distribute, local_shard
from narrows.model.training.optimise import OPTIMISERS, SCHEDULES
from narrows.model.training.validate import validate_limits, validate_measures, validation_means
from narrows.parts.objective import OBJECTIVES, Terms
from narrows.randomness import KeyedRandom, keyed_generator

FLUSH, TINY = 50, 1e-30  # steps between flushes, in which 0.9^50 keeps what is above TINY above 1e-38
PRECISIONS = {"fp32": None, "tf32": None, "bf16": torch.bfloat16}


class Training:
    """A run. Iterate over it: it trains, and yields itself after each epoch.

    The first line of arguments is given by the estimator; the others are the options of its `training` dict:

    patience: stop after so many epochs without a lower validation loss (training loss without validation).
    keep: "best" ends with the weights of the lowest validation loss, "last" with the last ones.
    clip: largest norm of the whole gradient. ema: decay of an average of the weights, which is then what is
    validated and kept. precision: "fp32", "tf32" (on a GPU of NVIDIA's) or "bf16" (autocast). compile: True, False,
    or "auto" where it repays, see `narrows.model.training.compiled`. measures: of the validation images after each
    epoch, of mse, psnr, ssim, snr; measure_scale: "unit" or "symmetric", the scale on which they are taken. shard:
    spread the weights over the ranks, where one device has no room for them, see
    `narrows.model.training.distributed`.
    """

    def __init__(
        self, network: Network, pixels: ImageBatches, validation: ImageBatches | None, epochs: int, batch_size: int,
        optimiser: Any, schedule: Any, objective: str, seed: int,
        patience: int | None = None,
        keep: str = "best",
        clip: float | None = None,
        ema: float | None = None,
        precision: str = "fp32",
        compile: bool | str = False,
        measures: Sequence[str] = (),
        measure_scale: str = "unit",
        shard: bool = False,
    ):  # fmt: skip
        if keep not in ("best", "last"):
            raise wrong("keep", keep, "'best' or 'last'")
        validate_limits(patience, clip, ema)
        self.device = device_of(network)
        known = [name for name in PRECISIONS if name != "tf32" or self.device.type == "cuda"]
        if precision not in known:
            raise wrong("precision", precision, f"one of {', '.join(known)}")
        if compile not in (True, False, "auto"):
            raise wrong("compile", compile, "True, False or 'auto'")
        cure = "leave it out: a penalty on the slope of the code needs slopes of slopes"
        if compile and network.needs_gradient:
            raise wrong("compile", compile, "False", cure)
        validate_measures(measures, measure_scale, pixels, validation)
        keep_freed_memory()
        self.network, self.pixels, self.validation = network, pixels, validation
        self.epochs, self.batch_size, self.seed = epochs, batch_size, seed
        self.patience, self.keep, self.clip, self.ema = patience, keep, clip, ema
        self.precision, self.measures, self.measure_scale = precision, measures, measure_scale
        self.objective = OBJECTIVES[objective]
        self.average = copy.deepcopy(network) if ema else network
        wanted = compile is True or (compile == "auto" and repays(epochs * self.steps_an_epoch, self.device))
        objectives = Compiled(self._sums, batch_size, self.device) if wanted else self._sums
        self.spread = distribute(network, self.average, objectives, batch_size, shard)
        trained = self.spread.network
        self.parameters = list(trained.parameters())
        self.norms = [layer for layer in trained.modules() if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d))]
        self.optimiser = choose("optimiser", OPTIMISERS, optimiser, parameters=self.parameters)
        self.rate = self.optimiser.param_groups[0]["lr"]
        self.factor = choose("schedule", SCHEDULES, schedule)
        self.epoch, self.done, self.spent, self.stopped, self.stopped_by_nan = 0, 0, 0.0, False, False
        self.watched = self.device.type == "cpu" and rank_and_size() == (0, 1)  # elsewhere a look at a loss is a wait
        self.sign, self.told = "", dict[str, str]()  # of collapse, see `narrows.model.estimator.collapse`
        self.names: list[str] = []
        self.sums = torch.empty(0, device=self.device)
        self.history: dict[str, list[float]] = defaultdict(list)
        self.steps: dict[str, list[float]] = defaultdict(list)
        self.between: Callable[[], None] = lambda: None
        self.lowest, self.waited, self.best = inf, 0, self.weights()

    def __iter__(self) -> Iterator["Training"]:
        steps = self.steps_an_epoch
        with progress("training", self.epochs * steps, self.epoch * steps + self.done) as advance:
            while self.epoch < self.epochs and not self.stopped:
                self.run_epoch(advance)
                yield self
        self.finish()

    @property
    def steps_an_epoch(self) -> int:
        return ceil(len(self.pixels) / self.batch_size)

    @flush_denormals()
    def run_epoch(self, advance: Advance = lambda words: None) -> None:
        """One pass over the training images, then the validation images."""
        with matmul_precision(self.precision, self.device):
            seconds = self._learn(advance)
            self.epoch += 1
            if self.validation is not None:
                self._validate(self.validation)
        self.history["seconds"].append(seconds)
        self._select()

    def _learn(self, advance: Advance) -> float:
        """What is left of a pass over the training images; returns the seconds of the whole pass."""
        before, start = self.spent, time.perf_counter()
        batches = self.batches(self.epoch)
        self.spread.part()
        self.spread.network.train()
        for index in batches[self.done :]:
            self._note(self.step(self.done, index))
            advance(partial(self._words, len(index)))
            self.done += 1
            if not self.watched:
                self._stop(trouble.check_late(self))
            self.spent = before + time.perf_counter() - start
            self.between()
        self.spread.collect()
        self._record(torch.tensor([len(index) for index in batches]))
        seconds, self.done, self.spent = self.spent, 0, 0.0
        return seconds

    def batches(self, epoch: int) -> Sequence[Tensor]:
        """The places of the images of each step of an epoch."""
        order = torch.randperm(len(self.pixels), generator=keyed_generator(self.seed, epoch, "order"))
        return order.to(self.device).split(self.batch_size)

    def _note(self, terms: Terms) -> None:
        """Keep the terms of a step: in one place for all, as small tensors that are kept split freed memory."""
        if self.done == 0:
            self.names, shape = list(terms), (self.steps_an_epoch, len(terms))
            self.sums = torch.empty(shape, device=self.device)
        self.sums[self.done] = all_reduce(torch.stack(list(terms.values())))

    def step(self, step: int, index: Tensor) -> Terms:
        """One step down the gradient of the batch `index`, of which this rank computes its share.

        Returns the sum over the rank's images of each term, by their weights.
        """
        rows = rank_slice(len(index))
        mine = index[rows]
        x = self.pixels.batch(mine)
        for norm in self.norms:
            norm.train(len(index) > 1)  # one image has no variance: its running figures serve
        progress = self.epoch + step / self.steps_an_epoch
        noisy = self.pixels.noisy_at(mine)
        random = KeyedRandom(self.seed, self.epoch, step, rows=rows, total=len(index), progress=progress, noisy=noisy)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * self.factor(progress / self.epochs)
        sums = self.spread.step(x, random, self.pixels.weights_at(mine))
        loss: Any = sum(sums.values()) / (
            len(index) / rank_and_size()[1]
        )  # of which gradients are averaged over ranks
        if self.watched and not isfinite(loss.item()):  # before the gradient of the step before is gone
            self._stop(trouble.diagnose_loss(self, step, index, random, sums))
        for parameter in self.parameters:
            parameter.grad = None  # as zero_grad does, which tells the profiler too: 0.05 ms a step
        loss.backward()
        if self.clip:
            size = nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None])
            if self.watched and not isfinite(size.item()):
                self._stop(trouble.diagnose_gradient(self, step, index, size.item()))
            nn.utils.clip_grads_with_norm_(self.parameters, self.clip, size)
        self.optimiser.step()
        if step % FLUSH == 0:
            self._flush()
        if self.ema:
            self._follow(self.ema)
        return {name: value.detach() for name, value in sums.items()}

    def finish(self) -> None:
        """Leave the network with the weights to keep, ready for use."""
        best = self.keep == "best" and self.validation is not None
        self.network.load_state_dict(self.best if best or self.stopped_by_nan else self.weights())
        self.network.to(self.device).eval()

    def _sums(self, network: Network, x: Tensor, random: KeyedRandom, weights: Tensor | None) -> Terms:
        """The terms of the objective, each summed over the batch, by the images' weights."""
        dtype = PRECISIONS[self.precision]
        with torch.autocast(self.device.type, dtype) if dtype else nullcontext():
            terms, _ = self.objective(network, x, random)
        return {name: weighted(term, weights).sum() for name, term in terms.items()}

    def weights(self) -> dict[str, Tensor]:
        return {k: v.detach().clone() for k, v in self.average.state_dict().items()}

    @torch.no_grad()
    def _flush(self) -> None:
        """Make averages that have all but vanished 0: those of weights without gradient fall below what a processor
        counts with at full speed (1e-38), and an epoch would take half as long again. No weight can tell."""
        for slots in self.optimiser.state.values():
            for average in slots.values():
                if isinstance(average, Tensor) and average.dim():
                    here = local_shard(average)
                    here.masked_fill_(here.abs() < TINY, 0.0)

    def _follow(self, decay: float) -> None:
        """average ← decay · average + (1 - decay) · weights; buffers are copied."""
        with torch.no_grad():
            for slow, fast in zip(self.spread.average.parameters(), self.parameters):
                local_shard(slow).lerp_(local_shard(fast), 1 - decay)
            for slow, fast in zip(self.spread.average.buffers(), self.spread.network.buffers()):
                slow.copy_(fast)

    def _stop(self, found: trouble.Diagnosis | None) -> None:
        """Where something is no number, put the last good weights back and say why, and what to try."""
        if found is None:
            return
        self.stopped = self.stopped_by_nan = True
        self.finish()
        for column in self.history.values():
            del column[self.epoch :]  # the epochs that ended well are kept
        good = "the start" if not self.epoch else f"epoch {self.epoch}"
        kept = "the best epoch so far" if self.epoch and self.validation is not None else good
        raise TrainingError(f"{found.said}; the weights of {kept} are kept. {found.cure}", found.images)

    def _words(self, size: int) -> str:
        read = self.device.type == "cpu"  # to read them would wait for an accelerator
        values = self.sums[self.done - 1].tolist() if read else []
        means = [f"{name} {value / size:.4g}" for name, value in zip(self.names, values)]
        return "  ".join([f"epoch {self.epoch + 1}", *means])

    def _record(self, sizes: Tensor) -> None:
        sums = self.sums.cpu()
        for name, column in zip(["loss", *self.names], [sums.sum(1), *sums.unbind(1)]):
            self.history[name].append(float(column.double().sum() / sizes.sum()))
            self.steps[name] += (column / sizes).tolist()

    def _validate(self, pixels: ImageBatches) -> None:
        """The objective, and the measures asked for, on images that are not trained on."""
        start = time.perf_counter()
        found = validation_means(self.average, self.objective, pixels, self.seed, self.measures, self.measure_scale)
        for name, mean in found.items():
            self.history[f"val_{name}"].append(mean)
        self.history["val_seconds"].append(time.perf_counter() - start)
        if not isfinite(found["loss"]):
            self.epoch -= 1
            what = f"the validation loss became {found['loss']} after epoch {self.epoch + 1}"
            self._stop(trouble.diagnose_validation(self, what))

    def _select(self) -> None:
        """Keep the weights of the best epoch, and stop when patience has run out."""
        loss = self.history["val_loss" if self.validation is not None else "loss"][-1]
        better = loss < self.lowest
        if better or self.validation is None:
            weights = self.weights()
            if not all(bool(torch.isfinite(value).all()) for value in weights.values()):
                self.epoch -= 1
                self._stop(trouble.diagnose_weights(self, f"epoch {self.epoch + 1} ended wrong"))
            self.best = weights
        self.lowest, self.waited = (loss, 0) if better else (self.lowest, self.waited + 1)
        self.stopped = self.patience is not None and self.waited >= self.patience


def validate_training(faults: Faults, optimiser: Any, schedule: Any, objective: Any, options: Any) -> None:
    """Add to `faults` what no training knows."""
    given = ("network", "pixels", "validation", "epochs", "batch_size", "optimiser", "schedule", "objective", "seed")
    with faults.catch():
        if not isinstance(options, (Mapping, type(None))):
            raise wrong("training", options, "a dict of options, or None")
        validate_spec("training", {"options": Training}, {"kind": "options", **(options or {})}, given)
    for what, table, spec in (("optimiser", OPTIMISERS, optimiser), ("schedule", SCHEDULES, schedule)):
        with faults.catch():
            validate_spec(what, table, spec, ("parameters",))
    with faults.catch():
        if objective not in OBJECTIVES:
            raise unknown("objective", objective, OBJECTIVES)
