"""Several scores as one: each on the scale of held-out normal images, and the worst counts most.

Scores have nothing in common but their order: a distance, a ratio, an error. With the logarithms of
the scores of held-out normal images, their median c and half of the distance of their 16 and 84
percentiles w (c and the deviation of a normal distribution, whatever a few outliers are),

    z = (log s - c) / w                           as many deviations from a typical normal image
    t = (Σ v max(z + 3, 0)⁴ / Σ v)^(1/4) - 3      of scores with weights v

The mean of the z would let two calm scores outvote one that has found a defect; their maximum would
listen to the noisiest alone. The fourth power is between both. Ranks among the held-out images would
say nothing of an image that is beyond all of them, as anomalies are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from narrows.errors import several

OFFSET, POWER = 3.0, 4
SMALLEST = 1e-30  # a score of 0 has a logarithm too
LEAST_SPREAD = 1e-3  # w, if all held-out images have the same score
FURTHEST = 1e6  # deviations: keeps the powers finite


@dataclass(frozen=True)
class Standard:
    """What is usual of a score. centre: c. spread: w."""

    centre: float
    spread: float

    @classmethod
    def of(cls, scores: Tensor) -> Self:
        """Of the scores of held-out normal images `(n,)`, ≥ 0."""
        logs = _logarithm(scores)
        low, centre, high = torch.quantile(logs, torch.tensor([0.16, 0.5, 0.84]).to(logs)).tolist()
        return cls(centre, max((high - low) / 2, LEAST_SPREAD))

    def deviations(self, scores: Tensor) -> Tensor:
        """z of scores `(n,)`."""
        z = (_logarithm(scores) - self.centre) / self.spread
        return z.clamp(-FURTHEST, FURTHEST)


def combined(
    scores: Mapping[str, Tensor],
    standards: Mapping[str, Standard],
    weights: Mapping[str, float],
) -> Tensor:
    """t of the scores of images, `(n,)`: of those that weigh something."""
    terms = [
        weight * (standards[name].deviations(scores[name]) + OFFSET).clamp(min=0).pow(POWER)
        for name, weight in weights.items()
        if weight
    ]
    mean = torch.stack(terms).sum(0) / sum(weights.values())
    return mean.pow(1 / POWER) - OFFSET


def weights_in_words(weights: Mapping[str, float]) -> str:
    """The scores that weigh something, with their weights."""
    return several([f"{name} (weight {weight:g})" for name, weight in weights.items() if weight])


def _logarithm(scores: Tensor) -> Tensor:
    return scores.float().clamp(min=SMALLEST).log()
