"""The scores of training images by principal components of the others.

The images whose weight is above 0 are divided at random into K folds, K = 1 / share; each fold is
scored by a model of the other images, and the scores are pooled (cross-conformal, see
`narrows.measure.conformal`). The other models follow from the sums of the set and of a fold
(`components`), so that they cost an eigendecomposition each, and no pass over the set. Where there
are more than 10,000 images, or the covariance is wide, the first fold alone is scored, up to 10,000
images: it is enough for a threshold (split conformal, but for the model, which is fitted on all).

The working scale and the levels are those of all images.
"""

from collections.abc import Iterator
from copy import copy
from typing import Any

import torch
from torch import Tensor

from narrows.image_batches import ImageBatches
from narrows.model.density import CodeDensity
from narrows.model.estimator.components import Moments
from narrows.model.estimator.gathered_scores import GatheredScores, gathered_scores
from narrows.randomness import keyed_generator

MOST_IMAGES = 10_000  # that are scored, and whose codes a density is fitted to
WIDEST = 2048  # coordinates of which there are K decompositions


def cross_scores(
    model: Any, images: ImageBatches, moments: Moments, share: float
) -> dict[str, Tensor] | None:
    """The scores of training images by models of the others, of each kind, `(n,)`; None of an image
    alone, which no other model can score.
    """
    order = _in_random_order(images, model.seed_)
    if len(order) < 2:
        return None
    gathered = GatheredScores(model)
    for fold in _folds(order, share, len(moments.second)):
        is_other = torch.ones(len(images), dtype=torch.bool).index_fill_(0, fold, False)
        part = _model_without(model, images, moments, fold, order[is_other[order]])
        batches = (images.batch(rows) for rows in _rows(images, fold))
        gathered.extend(gathered_scores(part, batches))
    model.usual_error_ = gathered.usual
    return gathered.scores()


def _model_without(
    model: Any, images: ImageBatches, moments: Moments, fold: Tensor, others: Tensor
) -> Any:
    """The model of the others, without the images of a fold."""
    batches = ((images.batch(rows), images.weights_at(rows)) for rows in _rows(images, fold))
    part = copy(model)
    part.code_size_ = min(model.code_size_, len(others))
    part.mean_, part.components_ = moments.without(batches, part.code_size_)
    sample = others[:MOST_IMAGES].sort().values
    codes = [part._encode(images.batch(rows)) for rows in _rows(images, sample)]
    part.density_ = CodeDensity.fit(torch.cat(codes))
    return part


def _in_random_order(images: ImageBatches, seed: int) -> Tensor:
    """The places of the images whose weight is above 0."""
    places = torch.arange(len(images))
    if images.weights is not None:
        places = places[images.weights > 0]
    return places[torch.randperm(len(places), generator=keyed_generator(seed, "folds"))]


def _folds(order: Tensor, share: float, width: int) -> list[Tensor]:
    """The folds that are scored, each in order. width: coordinates of an image."""
    count = min(len(order), max(2, round(1 / share)))
    folds = [order[number::count] for number in range(count)]
    if len(order) > MOST_IMAGES or width > WIDEST:
        folds = [folds[0][:MOST_IMAGES]]
    return [fold.sort().values for fold in folds]


def _rows(images: ImageBatches, places: Tensor) -> Iterator[Tensor]:
    yield from places.split(images.step())
