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

from collections.abc import Iterable
from copy import copy
from math import inf, isfinite
from typing import Any

import torch
from torch import Tensor

from narrows.errors import several
from narrows.image_batches import ImageBatches
from narrows.model.training.diagnosis import FAR, Diagnosis
from narrows.model.training.evidence import (
    bad_gradients,
    largest_weight,
    not_finite,
    recent_losses,
    share_in_words,
    step_in_words,
)
from narrows.model.training.pairs import training_batch
from narrows.model.training.setup import TrainingSetup
from narrows.randomness import KeyedRandom

NAMED = 3  # parameters, before "and 5 more"
CHECK_EVERY = 500  # steps between checks on an accelerator, each of which means waiting

# -- where it happens ------------------------------------------------------------------------


def diagnose_loss(
    training: TrainingSetup, step: int, index: Tensor, random: KeyedRandom, sums: dict[str, Tensor]
) -> Diagnosis:
    """A loss that is not finite, before its gradient is taken: the weights before it are still there."""
    term, value = _term_to_blame(sums)
    case = _bad_loss(training, step, term, value)
    case.losses = recent_losses(training, training.progress.step)
    _check_weights(case, training.network.named_parameters(), training.progress.epoch, step)
    if not case.bad_weights:
        again = _from_the_start(random)
        x, _ = training_batch(training.images, index, training.network.corruption, again)
        losses = _loss_per_image(training, training.network, x, again)
        _blame(case, training.images, index, losses)
    return case


def _term_to_blame(sums: dict[str, Tensor]) -> tuple[str, float]:
    """The first term that is not finite, and its value; or the largest, if only the sum is infinite."""
    values = {name: float(value.detach()) for name, value in sums.items()}
    for name, value in values.items():
        if not isfinite(value):
            return name, value
    return max(values, key=values.__getitem__), inf


def _bad_loss(training: TrainingSetup, step: int, term: str, value: float) -> Diagnosis:
    place = step_in_words(training, step)
    said = f"the loss became {value} in {place}, in the term '{term}'"
    return Diagnosis(said, training, term=term)


def _from_the_start(random: KeyedRandom) -> KeyedRandom:
    """The same random numbers once more."""
    again = copy(random)
    again.streams = {}
    return again


def diagnose_gradient(training: TrainingSetup, step: int, index: Tensor, norm: float) -> Diagnosis:
    """A gradient that is not finite, though the loss is."""
    names = bad_gradients(training)
    place = step_in_words(training, step)
    what = f"the gradient of {several(names, NAMED)} became {norm} in {place}"
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
    if case.bad_weights:
        return case
    losses = _validation_losses(training, held)
    bad = (~losses.isfinite()).nonzero().flatten()
    _blame(case, held, bad, losses[bad], len(held))
    if held.rows is None:
        case.images = []  # they are indices in images of their own, not in X
    return case


def _validation_losses(training: TrainingSetup, held: ImageBatches) -> Tensor:
    """The loss of each validation image, `(N,)`."""
    losses = []
    for rows in held.batches(training.network.body.widest):
        random = KeyedRandom(training.seed, rows.start, "validation")
        x, _ = training_batch(held, rows, training.network.corruption, random)
        losses.append(_loss_per_image(training, training.average, x, random))
    return torch.cat(losses)


def check_late(training: TrainingSetup) -> Diagnosis | None:
    """A loss that was not finite, after its step; None if all is well, or if it is not yet time to
    check.
    """
    done, sums = training.progress.step, training.progress.step_sums
    every = 1 if training.device.type == "cpu" else CHECK_EVERY
    if done % every and done < len(sums):
        return None
    start = (done - 1) // every * every
    bad = (~torch.isfinite(sums[start:done])).nonzero()
    if not len(bad):
        return None
    row, column = bad[0].tolist()
    return _diagnose_late(training, start + row, column)


def _diagnose_late(training: TrainingSetup, step: int, column: int) -> Diagnosis:
    """A loss that was not finite, after its step; column: of its term."""
    progress = training.progress
    value = progress.step_sums[step, column].item()
    case = _bad_loss(training, step, progress.term_names[column], value)
    case.losses = recent_losses(training, step)
    _blame(case, training.images, training.batches(progress.epoch)[step])
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
    if case.bad_gradients and epoch >= 0:
        bad = _bad_gradients_in_words(case)
        case.said += f", since {bad} was not finite in epoch {epoch + 1}, batch {step}"
        _blame(case, training.images, training.batches(epoch)[step - 1])


def _bad_gradients_in_words(case: Diagnosis) -> str:
    if case.bad_gradients == case.bad_weights:
        return "their gradient"
    return f"the gradient of {several(case.bad_gradients, NAMED)}"


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
        order, known = _most_to_blame(largest, largest > FAR)
    elif losses is None:
        order, known = torch.arange(len(index)), False
    else:
        is_bad = ~losses.isfinite()
        order, known = _most_to_blame(losses.masked_fill(is_bad, torch.inf), is_bad)
    case.images = _user_index(images, index)[order].tolist()
    case.some_images = known and len(order) < total
    share = share_in_words(len(order), total, known)
    case.said += f", {share} images ({several(case.images)})"
    if case.far:
        case.said += f", which hold values up to {case.largest:.3g}"


def _most_to_blame(blame: Tensor, is_bad: Tensor) -> tuple[Tensor, bool]:
    """The places of the bad images, the worst first, and True; of all images if none is bad."""
    order = blame.argsort(descending=True, stable=True)
    if not is_bad.any():
        return order, False
    return order[: int(is_bad.sum())], True


def _user_index(images: ImageBatches, index: Tensor) -> Tensor:
    """The places in the user's X of the images at `index`."""
    if images.rows is None:
        return index.cpu()
    return images.rows.cpu()[index.cpu()]
