"""When numbers go wrong: what is known of a step whose loss or gradient is no number, and what to try.

A loss is NaN or infinite for one of few reasons, and each leaves its mark:

    an image holds values far beyond the scale   max |x| > 1,000
    the rate is too high                         the loss had grown to more than twice, or weights are above 10,000
    one batch threw the weights far              the loss was steady, then 10 times as high
    16 bits are too few                          precision is bf16
    a cost has too large a weight                its term is the one that is no number
    a part divides by 0, or takes a logarithm    weights are sound, but some images give no number, or their gradient
    or a root of it                              is none, or it is the first step

Every loss is looked at before its gradient is taken, so that the weights and the gradient of the step before are
still at hand: weights that are no numbers were spoilt by that step, and its gradient tells where. Where weights are
sound the loss of each image of the batch is computed once more, to tell which images are to blame. Several ranks look
after the step, when all have seen the same; an accelerator, which would have to be waited for, is looked at every 500
steps. Then only the batch is known.
"""

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from math import isfinite
from statistics import median
from typing import Any

import torch
from torch import Tensor

from narrows.errors import several
from narrows.image_batches import ImageBatches
from narrows.model.training.setup import TrainingSetup
from narrows.randomness import KeyedRandom

FAR, BIG = 1e3, 1e4  # of values that go in, and of weights, where both should be about 1
JUMP, GROWTH = 10, 2  # times as high as it was
MEMORY = 50  # steps that are looked back on
NAMED = 3  # parameters, before "and 5 more"
LOOK = 500  # steps between looks where a look means waiting


@dataclass
class Diagnosis:
    """What is known of a step that came to no number.

    said: what was seen, where. images: places in the user's X, those to blame first. term: of the loss, that is no
    number. largest: |value| that went in. size: the largest weight. spoilt, sloped: parameters that are no numbers,
    and whose gradient is none. some: whether it is some images of the batch, not all. losses: of the steps before.
    """

    said: str
    training: TrainingSetup
    images: list[int] = field(default_factory=list)
    term: str = ""
    largest: float = 0.0
    size: float = 0.0
    spoilt: list[str] = field(default_factory=list)
    sloped: list[str] = field(default_factory=list)
    some: bool = False
    losses: Sequence[float] = ()

    @property
    def far(self) -> bool:
        return not self.largest <= FAR

    @property
    def stretched(self) -> bool:
        return self.far and self.training.images.scale.name != "standard"

    @property
    def jumped(self) -> bool:
        """Whether one batch had a loss far above the steady ones before."""
        if len(self.losses) < 5:
            return False
        usual = median(self.losses[:-1])
        return self.losses[-1] > JUMP * usual > 0 and self.losses[-2] <= GROWTH * usual

    @property
    def fast(self) -> bool:
        """Whether the steps are too large: the loss grew, or weights have."""
        grew = len(self.losses) > 1 and self.losses[-1] > GROWTH * min(self.losses) > 0
        return grew or self.size > BIG

    @property
    def stale(self) -> bool:
        """Whether weights were spoilt by what the optimiser remembered, not by a gradient."""
        held = (slot for slots in self.training.optimiser.state.values() for slot in slots.values())
        remembered = any(isinstance(slot, Tensor) and bool(slot.isnan().any()) for slot in held)
        return bool(self.spoilt) and not self.sloped and remembered

    @property
    def is_cost(self) -> bool:
        """Whether the term to blame is a cost with a weight, of the code or a penalty."""
        return self.term not in ("", *(term.name for term in self.training.objective.data_terms))

    @property
    def cure(self) -> str:
        words = next(words for fits, words in CURES if fits(self))
        clip = self.training.options.clip
        lower = f"a smaller clip (now {clip:g})" if clip else "training={'clip': 1.0}"
        return words.format(rate=f"{self.training.learning_rate:g}", clip=lower, term=self.term)


CURES: tuple[tuple[Callable[[Diagnosis], bool], str], ...] = (
    (lambda case: case.stretched, "Try scale='standard', or divide the values by their largest"),
    (lambda case: case.far, "Leave these images out, or bound their values"),
    (lambda case: case.stale, "The optimiser remembers what is no number: start over, without --resume"),
    (lambda case: case.jumped, "The loss was steady, then jumped in one batch: try {clip}"),
    (lambda case: case.fast, "Try a lower rate (now {rate}), or {clip}"),
    (lambda case: case.training.options.precision == "bf16", "Try training={{'precision': 'fp32'}}"),
    (lambda case: case.is_cost, "Try a lower weight of the cost '{term}'"),
    (
        lambda case: case.some or bool(case.sloped) or not case.losses,
        "A part divides by 0 there, or takes a logarithm or a root of it, one of your own as a rule: "
        "have it add a small number first",
    ),
    (lambda case: True, "Try a lower rate (now {rate}), or {clip}"),
)


# -- where it is seen -----------------------------------------------------------------------------------------


def diagnose_loss(
    training: TrainingSetup, step: int, index: Tensor, random: KeyedRandom, sums: dict[str, Tensor]
) -> Diagnosis:
    """A loss that is no number, before its gradient is taken: the weights before it are still there."""
    values = {name: float(value.detach()) for name, value in sums.items()}
    term = next((name for name, value in values.items() if not isfinite(value)), max(values, key=values.__getitem__))
    value = next((value for value in values.values() if not isfinite(value)), float("inf"))
    case = Diagnosis(
        f"the loss became {value} in {_place(training, step)}, in the term '{term}'", training, term=term
    )
    case.losses = _losses(training, training.progress.step)
    _look_at(case, training.network.named_parameters(), training.progress.epoch, step)
    if not case.spoilt:
        again = copy(random)
        again.streams = {}  # from the start
        _blame(case, training.images, index, _each(training, training.network, training.images.batch(index), again))
    return case


def diagnose_gradient(training: TrainingSetup, step: int, index: Tensor, norm: float) -> Diagnosis:
    """A gradient that is no number, though the loss is one."""
    sloped = _no_numbers((name, p.grad) for name, p in training.network.named_parameters())
    what = f"the gradient of {several(sloped, NAMED)} became {norm} in {_place(training, step)}"
    case = Diagnosis(
        what, training, sloped=sloped, losses=_losses(training, training.progress.step), size=_size(training)
    )
    _blame(case, training.images, index)
    return case


def diagnose_weights(training: TrainingSetup, what: str) -> Diagnosis:
    """Weights that are no numbers after an epoch, all of whose steps had a loss."""
    case = Diagnosis(what, training, losses=_losses(training, 0))
    _look_at(case, training.average.state_dict().items(), training.progress.epoch + 1, 0)
    return case


def diagnose_validation(training: TrainingSetup, held: ImageBatches, what: str) -> Diagnosis:
    """A validation loss that is no number."""
    case = diagnose_weights(training, what)
    bad, losses = [torch.empty(0, dtype=torch.long)], [torch.empty(0)]
    for rows in [] if case.spoilt else held.batches(training.network.body.widest):
        random = KeyedRandom(training.seed, rows.start, "validation", noisy=held.noisy_at(rows))
        each = _each(training, training.average, held.batch(rows), random)
        bad.append((~each.isfinite()).nonzero().flatten() + rows.start)
        losses.append(each[~each.isfinite()])
    _blame(case, held, torch.cat(bad), torch.cat(losses), len(held))
    if not case.spoilt and held.rows is None:
        case.images = []  # they are places in images of their own, not in X
    return case


def check_late(training: TrainingSetup) -> Diagnosis | None:
    """A loss that was no number, after its step; None where all is well, or it is not yet time to look."""
    done, whole = training.progress.step, len(training.progress.step_sums)
    every = 1 if training.device.type == "cpu" else LOOK
    if done % every and done < whole:
        return None
    start = (done - 1) // every * every
    bad = (~torch.isfinite(training.progress.step_sums[start:done])).nonzero()
    if not len(bad):
        return None
    step, column = bad[0].tolist()
    value, term = training.progress.step_sums[start + step, column].item(), training.progress.term_names[column]
    case = Diagnosis(f"the loss became {value} in {_place(training, start + step)}, in the term '{term}'", training)
    case.term, case.losses = term, _losses(training, start + step)
    _blame(case, training.images, training.batches(training.progress.epoch)[start + step])
    return case


# -- what is looked at ----------------------------------------------------------------------------------------


def _each(training: TrainingSetup, network: Any, x: Tensor, random: KeyedRandom) -> Tensor:
    """The loss of each image, `(N,)`."""
    with torch.no_grad():
        terms, _ = training.objective(network, x, random)
    return torch.stack(list(terms.values())).sum(0).cpu()


def _look_at(case: Diagnosis, weights: Iterable[tuple[str, Tensor]], epoch: int, step: int) -> None:
    """Note how the weights are before that step; where some are no numbers, the step before it is to blame."""
    training = case.training
    case.size, case.spoilt = _size(training), _no_numbers(weights)
    if not case.spoilt:
        return
    case.sloped = _no_numbers((name, p.grad) for name, p in training.network.named_parameters())
    case.said += f"; the weights {several(case.spoilt, NAMED)} are no numbers any more"
    epoch, step = (epoch, step) if step else (epoch - 1, training.steps_per_epoch)
    if case.sloped and epoch >= 0:
        whose = "their gradient" if case.sloped == case.spoilt else f"the gradient of {several(case.sloped, NAMED)}"
        case.said += f", since {whose} was none in epoch {epoch + 1}, batch {step}"
        _blame(case, training.images, training.batches(epoch)[step - 1])


def _blame(case: Diagnosis, pixels: Any, index: Tensor, each: Any = None, total: int = 0) -> None:
    """Note which images of a batch are to blame: those far beyond the scale, else those whose loss is no number.

    each: their losses, where they are known. total: images of the whole, if those at `index` are not all.
    """
    if not len(index):
        return
    largest, total = pixels.batch(index).abs().flatten(1).amax(1).cpu(), total or len(index)
    case.largest = float(largest.max())
    losses = torch.zeros(len(index)) if each is None else each.nan_to_num(torch.inf)
    order = (largest if case.far else losses).argsort(descending=True, stable=True)
    bad = largest > FAR if case.far else losses.isinf()
    order = order[: int(bad.sum())] if bad.any() else order
    rows = index.cpu() if pixels.rows is None else pixels.rows.cpu()[index.cpu()]
    case.images, case.some = rows[order].tolist(), bool(bad.any()) and len(order) < total
    of = f"for {len(order)} of its {total}" if case.some else f"for all its {total}" if bad.any() else f"of {total}"
    values = f", which hold values up to {case.largest:.3g}" if case.far else ""
    case.said += f", {of} images ({several(case.images)}){values}"


def _no_numbers(tensors: Iterable[tuple[str, Tensor | None]]) -> list[str]:
    return [name for name, tensor in tensors if tensor is not None and not bool(tensor.isfinite().all())]


def _size(training: TrainingSetup) -> float:
    """The largest of the weights that are numbers."""
    return max(float(p.detach().nan_to_num(0, 0, 0).abs().max()) for p in training.network.parameters())


def _losses(training: TrainingSetup, done: int) -> list[float]:
    """The losses of the steps before, an image; those of this epoch and the ones before it."""
    now = (training.progress.step_sums[:done].sum(1) / training.batch_size)[-MEMORY:].tolist() if done else []
    return [*training.progress.steps.get("loss", [])[-MEMORY:], *now][-MEMORY:]


def _place(training: TrainingSetup, step: int) -> str:
    return f"epoch {training.progress.epoch + 1}, batch {step + 1}"
