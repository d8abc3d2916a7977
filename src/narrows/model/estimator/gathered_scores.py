"""The scores of images from which thresholds are computed, gathered batch by batch.

The usual size of the error at each pixel comes from the same images (`narrows.model.usual_error`),
so that the score "relative" of each is known only after all have been seen: their errors are kept,
of as many images as have 20 million pixels.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from narrows.model.estimator.anomaly import available_scores, relative, score_table
from narrows.model.estimator.inference import without_gradients
from narrows.model.outputs import Outputs
from narrows.model.protocol import Model
from narrows.model.usual_error import UsualError, per_pixel

MOST_PIXELS = 20_000_000  # whose errors are kept


class GatheredScores:
    """Scores of all kinds but "relative", and the errors that this one is computed from.

    without: kinds that are not gathered.
    """

    def __init__(self, model: Model, without: Iterable[str] = ()):
        left_out = {"relative", *without}
        table = score_table(model)
        kinds = [kind for kind in available_scores(model) if kind not in left_out]
        self._scores = {kind: table[kind] for kind in kinds}
        self._is_table = model.layout_.is_table
        self._batches: list[dict[str, Tensor]] = []
        self._errors: list[Tensor] = []
        self._room = MOST_PIXELS

    def add(self, outputs: Outputs) -> None:
        """Add the scores of a batch."""
        kinds = self._scores.items()
        self._batches.append({kind: score.compute(outputs).cpu() for kind, score in kinds})
        if not self._is_table:
            self._keep(per_pixel(outputs.errors).cpu())

    def extend(self, other: "GatheredScores") -> None:
        """Add the scores of other images, by the same kind of model."""
        self._batches += other._batches
        for errors in other._errors:
            self._keep(errors)

    def _keep(self, errors: Tensor) -> None:
        if self._errors:
            errors = errors[: self._room // errors[0].numel()]
        else:  # of one image at least
            errors = errors[: max(1, self._room // errors[0].numel())]
        self._room -= errors.numel()
        if len(errors):
            self._errors.append(errors)

    @property
    def usual(self) -> UsualError | None:
        """The usual size of the error; None of tables."""
        if self._is_table:
            return None
        return UsualError.of(errors.unsqueeze(1) for errors in self._errors)

    def scores(self) -> dict[str, Tensor]:
        """The scores of each kind, `(n,)`; "relative" is that of each image among the others."""
        scores = join_batches(self._batches)
        if usual := self.usual:
            among, codes = usual.among(), torch.empty(0)
            parts = [Outputs(e.unsqueeze(1), codes, usual=among) for e in self._errors]
            scores["relative"] = torch.cat([relative(part) for part in parts])
        return scores


def gathered_scores(model: Model, batches: Iterable[Tensor]) -> GatheredScores:
    """Scores of batches `(n, C, H, W)` on the working scale."""
    gathered = GatheredScores(model)
    for x in batches:
        gathered.add(without_gradients(model._outputs, x, device=model.device_))
    return gathered


def join_batches(batches: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Scores that come batch by batch, joined: kind → `(N,)`."""
    return {kind: torch.cat([batch[kind] for batch in batches]) for kind in batches[0]}
