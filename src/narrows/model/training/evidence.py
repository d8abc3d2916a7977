"""What a diagnosis is made from: the losses before, weights and gradients that are not finite."""

from collections.abc import Iterable

from torch import Tensor

from narrows.model.training.setup import TrainingSetup

MEMORY = 50  # steps before it whose losses are compared


def share_in_words(count: int, total: int, known: bool) -> str:
    """How many images are to blame, in words; known: whether it is known which."""
    if not known:
        return f"of {total}"
    return f"for {count} of its {total}" if count < total else f"for all its {total}"


def bad_gradients(training: TrainingSetup) -> list[str]:
    """The parameters whose gradient is not finite."""
    return not_finite((name, p.grad) for name, p in training.network.named_parameters())


def not_finite(tensors: Iterable[tuple[str, Tensor | None]]) -> list[str]:
    return [
        name for name, tensor in tensors if tensor is not None and not bool(tensor.isfinite().all())
    ]


def largest_weight(training: TrainingSetup) -> float:
    """The largest of the finite weights."""
    return max(
        float(p.detach().nan_to_num(0, 0, 0).abs().max()) for p in training.network.parameters()
    )


def recent_losses(training: TrainingSetup, done: int) -> list[float]:
    """The losses of the steps before, an image; those of this epoch and the ones before it."""
    progress = training.progress
    losses = list(progress.steps.get("loss", []))
    if done:
        losses += (progress.step_sums[:done].sum(1) / training.batch_size).tolist()
    return losses[-MEMORY:]


def step_in_words(training: TrainingSetup, step: int) -> str:
    return f"epoch {training.progress.epoch + 1}, batch {step + 1}"
