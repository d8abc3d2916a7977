"""How good each score is, without a label: on images that the members have not seen, and on synthetic
anomalies made of these.

The images are divided into folds; the members are fitted on the others, and score those of the fold.
Of sets of more than 2,500 images, or of 20 million pixels, the first fold alone is scored, up to
2,000 images.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from narrows.image_batches import ImageBatches
from narrows.measure.detection import auroc
from narrows.model.detector.members import Member, Members
from narrows.model.detector.synthetic import synthetic_anomalies
from narrows.model.estimator.gathered_scores import MOST_PIXELS, GatheredScores, gathered_scores
from narrows.randomness import keyed_generator

MOST_IN_ALL_FOLDS = 2_500  # images
MOST_SCORED = 2_000  # of the first fold alone
MOST_ALTERED = 300  # images that anomalies are made of, and as many that pieces are taken from

Scores = dict[str, Tensor]  # by kind, or altered images
# places of images, names of members or None for all → members fitted to them
Fit = Callable[[Tensor, Collection[str] | None], Members]


@dataclass
class Unseen:
    """What members make of images that they have not been fitted on.

    gathered: the scores and errors of the members whose score is of an error. distances: those of the
    others, fold by fold. kinds: of each member, the kind of its own score. originals, altered: of each
    member, its own score of images of the first fold, and of the synthetic anomalies that were made of
    them, by their kind. kept: the members of which all folds were scored.
    """

    kept: list[str] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)
    gathered: dict[str, GatheredScores] = field(default_factory=dict)
    distances: dict[str, list[Tensor]] = field(default_factory=dict)
    originals: Scores = field(default_factory=dict)
    altered: dict[str, Scores] = field(default_factory=dict)

    def add(self, name: str, member: Member, images: ImageBatches, fold: Tensor) -> Tensor:
        """Add what a member makes of the images of a fold, and return its own score of them."""
        self.kinds[name] = member.kind
        batches = (images.batch(rows) for rows in fold.split(images.step(member.model._widest)))
        if member.has_own_score:
            distances = torch.cat([member.score(x) for x in batches])
            self.distances.setdefault(name, []).append(distances)
            return distances
        gathered = gathered_scores(member.model, (member.working(x) for x in batches))
        member.model.usual_error_ = gathered.usual  # for altered images, which are not among these
        if name in self.gathered:
            self.gathered[name].extend(gathered)
        else:
            self.gathered[name] = gathered
        return gathered.scores()[member.kind]

    def own(self, name: str) -> Tensor:
        """A member's own score of the images, `(n,)`."""
        if name in self.distances:
            return torch.cat(self.distances[name])
        return self.gathered[name].scores()[self.kinds[name]]


@torch.no_grad()
def _score_fold(
    unseen: Unseen, members: Members, images: ImageBatches, fold: Tensor, altered: Scores
) -> None:
    """Add what members make of the images of a fold, and of altered ones of the first."""
    for name, member in members.items():
        of_fold = unseen.add(name, member, images, fold)
        if altered:
            unseen.originals[name] = of_fold[:MOST_ALTERED]
            unseen.altered[name] = _own_scores(member, altered)


def score_unseen(
    images: ImageBatches,
    folds: list[Tensor],
    fit: Fit,
    keep: Callable[[Unseen], list[str]],
    seed: int,
) -> Unseen:
    """Fit members to all images but those of a fold, score these, for each fold.

    images: in units of white. keep: the members that are worth to be fitted for the other folds, once
    the first is scored.
    """
    unseen = Unseen()
    for place, fold in enumerate(folds):
        others = _others(len(images), fold, seed)
        altered = {} if place else _altered(images, fold, others, seed)
        _score_fold(unseen, fit(others, unseen.kept or None), images, fold, altered)
        unseen.kept = unseen.kept or keep(unseen)
    return unseen


def validation_aurocs(originals: Tensor, altered: Scores) -> dict[str, float]:
    """How well a score separates synthetic anomalies of each kind from the images they are made of."""
    normal = originals.numpy()
    aurocs = {}
    for kind, scores in altered.items():
        is_altered = np.arange(len(normal) + len(scores)) >= len(normal)
        aurocs[kind] = auroc(np.concatenate([normal, scores.numpy()]), is_altered)
    return aurocs


def folds_of(count: int, share: float, values: int, seed: int) -> list[Tensor]:
    """The folds that are scored, of `count` images of that many values.

    share: of the images in a fold.
    """
    order = _in_random_order(count, seed)
    number_of_folds = min(count, max(2, round(1 / share)))
    folds = [order[number::number_of_folds] for number in range(number_of_folds)]
    if count > MOST_IN_ALL_FOLDS or values * count > MOST_PIXELS:
        folds = [folds[0][: max(1, min(MOST_SCORED, MOST_PIXELS // values))]]
    return folds


def _others(count: int, fold: Tensor, seed: int) -> Tensor:
    """The images that are not in a fold, in random order."""
    order = _in_random_order(count, seed)
    is_other = torch.ones(count, dtype=torch.bool).index_fill_(0, fold, False)
    return order[is_other[order]]


def _in_random_order(count: int, seed: int) -> Tensor:
    return torch.randperm(count, generator=keyed_generator(seed, "folds"))


def _altered(images: ImageBatches, fold: Tensor, others: Tensor, seed: int) -> dict[str, Tensor]:
    """Synthetic anomalies of the first images of a fold, by their kind."""
    normal = images.batch(fold[:MOST_ALTERED]).contiguous().numpy()
    pieces = images.batch(others[:MOST_ALTERED]).contiguous().numpy()
    made = synthetic_anomalies(normal, pieces, seed)
    return {kind: torch.from_numpy(altered) for kind, altered in made.items()}


def _own_scores(member: Member, altered: dict[str, Tensor]) -> Scores:
    return {kind: torch.cat(list(_scores(member, x))) for kind, x in altered.items()}


def _scores(member: Member, images: Tensor) -> Iterator[Tensor]:
    for x in images.split(100):
        yield member.score(x)
