"""What is known of a step whose numbers became NaN or infinite, and what to try.

The figures of a `Diagnosis` (`narrows.model.training.diagnose` collects them) fit one or more of the
`CURES`, of which the first that fits is advised.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from torch import Tensor

from narrows.model.training.setup import TrainingSetup

FAR, BIG = 1e3, 1e4  # of values that go in, and of weights, where both should be about 1
JUMP, GROWTH = 10, 2  # times as high as it was


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
        remembered = any(map(_holds_nan, self.training.optimiser.state.values()))
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


def _holds_nan(slots: Mapping[str, Any]) -> bool:
    """Whether one of the optimiser's averages of a parameter is NaN."""
    averages = [slot for slot in slots.values() if isinstance(slot, Tensor)]
    return any(bool(average.isnan().any()) for average in averages)


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
