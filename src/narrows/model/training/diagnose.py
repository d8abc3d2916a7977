"""When numbers become NaN or infinite: what is known of such a step, and what to try.

A loss is NaN or infinite for one of few reasons, and each can be recognised:

    an image holds values far beyond the scale   max |x| > 1,000
    the learning rate is too high                the loss had grown to more than twice, or weights
                                                 are above 10,000
    one batch threw the weights far              the loss was steady, then 10 times as high
    16 bits are too few                          precision is bf16
    a cost has too large a weight                its term is the one that is not finite
    a part divides by 0, or takes a logarithm    weights are finite, but the loss of some images or
    or a root of it                              its gradient is not, or it is the first step

Every loss is checked before its gradient is taken, so that the weights and the gradient of the step
before are still at hand: weights that are not finite were made so by that step, and its gradient
tells where. If the weights are finite, the loss of each image of the batch is computed once more,
to find the images to blame. Several ranks check after the step, when all have the same figures; an
accelerator, which would have to be waited for, is checked every 500 steps. Then only the batch is
known.
"""

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from math import inf, isfinite
from statistics import median
from typing import Any

import torch
from torch import Tensor

from narrows.errors import several
from narrows.image_batches import ImageBatches
from narrows.model.training.evidence import (
    bad_gradients,
    largest_weight,
    not_finite,
    recent_losses,
    share_in_words,
    step_in_words,
)
from narrows.model.training.setup import TrainingSetup
from narrows.randomness import KeyedRandom

FAR, BIG = 1e3, 1e4  # of values that go in, and of weights, where both should be about 1
JUMP, GROWTH = 10, 2  # times as high as it was
NAMED = 3  # parameters, before "and 5 more"
CHECK_EVERY = 500  # steps between checks on an accelerator, each of which means waiting


@dataclass
class Diagnosis:
    """What is known of a step whose loss, weights or gradient are not finite.

    said: what happened, where.
    images: indices in the user's X, those to blame first.
    term: of the loss, which is not finite.
    largest: |value| that went in.
    size: the largest weight.
    bad_weights, bad_gradients: parameters that are not finite, and whose gradient is not.
    some_images: whether some images of the batch are to blame, not all.
    losses: of the steps before.
    """

    said: str
    training: TrainingSetup
    images: list[int] = field(default_factory=list)
    term: str = ""
    largest: float = 0.0
    size: float = 0.0
    bad_weights: list[str] = field(default_factory=list)
    bad_gradients: list[str] = field(default_factory=list)
    some_images: bool = False
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
        """Whether weights became NaN by the optimiser's averages, not by a gradient."""
        held = (slot for slots in self.training.optimiser.state.values() for slot in slots.values())
        remembered = any(isinstance(slot, Tensor) and bool(slot.isnan().any()) for slot in held)
        return bool(self.bad_weights) and not self.bad_gradients and remembered

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
    (lambda case: case.stale, "The optimiser's averages are NaN: start over, without --resume"),
    (lambda case: case.jumped, "The loss was steady, then jumped in one batch: try {clip}"),
    (lambda case: case.fast, "Try a lower learning rate (now {rate}), or {clip}"),
    (
        lambda case: case.training.options.precision == "bf16",
        "Try training={{'precision': 'fp32'}}",
    ),
    (lambda case: case.is_cost, "Try a lower weight of the cost '{term}'"),
    (
        lambda case: case.some_images or bool(case.bad_gradients) or not case.losses,
        "A part divides by 0 there, or takes a logarithm or a root of it, usually one that you registered: "
        "have it add a small number first",
    ),
    (lambda case: True, "Try a lower learning rate (now {rate}), or {clip}"),
)


# -- where it happens ------------------------------------------------------------------------


def diagnose_loss(
    training: TrainingSetup, step: int, index: Tensor, random: KeyedRandom, sums: dict[str, Tensor]
) -> Diagnosis:
    """A loss that is not finite, before its gradient is taken: the weights before it are still there."""
    values = {name: float(value.detach()) for name, value in sums.items()}
    not_finite = [name for name, value in values.items() if not isfinite(value)]
    if not_finite:
        term, value = not_finite[0], values[not_finite[0]]
    else:  # only their sum is infinite
        term, value = max(values, key=values.__getitem__), inf
    case = Diagnosis(
        f"the loss became {value} in {step_in_words(training, step)}, in the term '{term}'",
        training,
    )
    case.term, case.losses = term, recent_losses(training, training.progress.step)
    _check_weights(case, training.network.named_parameters(), training.progress.epoch, step)
    if not case.bad_weights:
        again = copy(random)
        again.streams = {}  # from the start
        x = training.images.batch(index)
        _blame(case, training.images, index, _loss_per_image(training, training.network, x, again))
    return case


def diagnose_gradient(training: TrainingSetup, step: int, index: Tensor, norm: float) -> Diagnosis:
    """A gradient that is not finite, though the loss is."""
    names = bad_gradients(training)
    what = (
        f"the gradient of {several(names, NAMED)} became {norm} in {step_in_words(training, step)}"
    )
    case = Diagnosis(what, training, bad_gradients=names, size=largest_weight(training))
    case.losses = recent_losses(training, training.progress.step)
    _blame(case, training.images, index)
    return case


def diagnose_weights(training: TrainingSetup, what: str) -> Diagnosis:
    """Weights that are not finite after an epoch, all of whose steps had a finite loss."""
    case = Diagnosis(what, training, losses=recent_losses(training, 0))
    _check_weights(case, training.average.state_dict().items(), training.progress.epoch + 1, 0)
    return case


def diagnose_validation(training: TrainingSetup, held: ImageBatches, what: str) -> Diagnosis:
    """A validation loss that is not finite."""
    case = diagnose_weights(training, what)
    bad, losses = [torch.empty(0, dtype=torch.long)], [torch.empty(0)]
    for rows in [] if case.bad_weights else held.batches(training.network.body.widest):
        random = KeyedRandom(training.seed, rows.start, "validation", noisy=held.noisy_at(rows))
        each = _loss_per_image(training, training.average, held.batch(rows), random)
        bad.append((~each.isfinite()).nonzero().flatten() + rows.start)
        losses.append(each[~each.isfinite()])
    _blame(case, held, torch.cat(bad), torch.cat(losses), len(held))
    if not case.bad_weights and held.rows is None:
        case.images = []  # they are indices in images of their own, not in X
    return case


def check_late(training: TrainingSetup) -> Diagnosis | None:
    """A loss that was not finite, after its step; None if all is well, or if it is not yet time to
    check.
    """
    done, whole = training.progress.step, len(training.progress.step_sums)
    every = 1 if training.device.type == "cpu" else CHECK_EVERY
    if done % every and done < whole:
        return None
    start = (done - 1) // every * every
    bad = (~torch.isfinite(training.progress.step_sums[start:done])).nonzero()
    if not len(bad):
        return None
    step, column = bad[0].tolist()
    term = training.progress.term_names[column]
    value = training.progress.step_sums[start + step, column].item()
    place = step_in_words(training, start + step)
    case = Diagnosis(f"the loss became {value} in {place}, in the term '{term}'", training)
    case.term, case.losses = term, recent_losses(training, start + step)
    _blame(case, training.images, training.batches(training.progress.epoch)[start + step])
    return case


# -- what is checked -------------------------------------------------------------------------


def _loss_per_image(
    training: TrainingSetup, network: Any, x: Tensor, random: KeyedRandom
) -> Tensor:
    """The loss of each image, `(N,)`."""
    with torch.no_grad():
        terms, _ = training.objective(network, x, random)
    return torch.stack(list(terms.values())).sum(0).cpu()


def _check_weights(
    case: Diagnosis, weights: Iterable[tuple[str, Tensor]], epoch: int, step: int
) -> None:
    """Note how the weights are before that step; if some are not finite, the step before it is to
    blame.
    """
    training = case.training
    case.size, case.bad_weights = largest_weight(training), not_finite(weights)
    if not case.bad_weights:
        return
    case.bad_gradients = bad_gradients(training)
    case.said += f"; the weights {several(case.bad_weights, NAMED)} became NaN or infinite"
    if not step:
        epoch, step = epoch - 1, training.steps_per_epoch
    if not case.bad_gradients or epoch < 0:
        return
    whose = "their gradient"
    if case.bad_gradients != case.bad_weights:
        whose = f"the gradient of {several(case.bad_gradients, NAMED)}"
    case.said += f", since {whose} was not finite in epoch {epoch + 1}, batch {step}"
    _blame(case, training.images, training.batches(epoch)[step - 1])


def _blame(
    case: Diagnosis,
    images: ImageBatches,
    index: Tensor,
    losses: Tensor | None = None,
    total: int = 0,
) -> None:
    """Note which images are to blame: those far beyond the scale, or else those whose loss is not
    finite.

    losses: of the images at `index`, if they are known. total: images of the complete set, if there
    are others.
    """
    if not len(index):
        return
    total = total or len(index)
    largest = images.batch(index).abs().flatten(1).amax(1).cpu()
    case.largest = float(largest.max())
    if case.far:
        blame, is_bad = largest, largest > FAR
    else:
        blame = torch.zeros(len(index)) if losses is None else losses.nan_to_num(torch.inf)
        is_bad = blame.isinf()
    order = blame.argsort(descending=True, stable=True)
    if is_bad.any():
        order = order[: int(is_bad.sum())]
    rows = index.cpu() if images.rows is None else images.rows.cpu()[index.cpu()]
    case.images = rows[order].tolist()
    case.some_images = bool(is_bad.any()) and len(order) < total
    case.said += (
        f", {share_in_words(len(order), total, bool(is_bad.any()))} images ({several(case.images)})"
    )
    if case.far:
        case.said += f", which hold values up to {case.largest:.3g}"
