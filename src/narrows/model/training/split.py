"""Training and validation images: two parts of one memory, or two sets. And images that are held out
for the thresholds of anomaly scores (`narrows.model.calibration`).
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.errors import wrong
from narrows.image_batches import ImageBatches
from narrows.image_inputs import as_images
from narrows.layout import matching_levels, validate_images
from narrows.model.training.pairs import with_noisy
from narrows.randomness import keyed_generator


def split_validation(
    images: ImageBatches,
    validation: Any,
    seed: int,
    image_shape: tuple[int, ...] | None,
    groups: Any = None,
    ranged: bool = True,
) -> tuple[ImageBatches, ImageBatches | None]:
    """Images to train on, and to validate with: none, a random share of them, or separate images.

    groups: see `held_back`. ranged: whether separate floats must lie in [0, 1].

    Raises `BuildError` for a share that leaves no images, `ImageError` for images that do not fit
    the others. Of pairs, separate images are (clean, noisy); a share keeps its weights and pairs.
    """
    if validation is None:
        return images, None
    if not isinstance(validation, (int, float, np.number)):
        return images, _separate(images, validation, image_shape, ranged)
    held = torch.from_numpy(held_back(len(images), float(validation), seed, groups))
    is_kept = torch.ones(len(images), dtype=torch.bool).index_fill_(0, held, False)
    kept = is_kept.nonzero().flatten()
    return _part(images, kept, "train on"), _part(images, held, "validate with")


def split_calibration(
    images: ImageBatches, share: float, seed: int, groups: Any = None
) -> tuple[ImageBatches, ImageBatches | None]:
    """Images to train on, and a random share of those whose weight is above 0, which are held out;
    none where the share is 0, or so few images or groups are there that one side would have none.

    groups: see `held_back`. share: in [0, 1), see `check_calibration`.
    """
    counting = torch.arange(len(images))
    if images.weights is not None:
        counting = counting[images.weights.cpu() > 0]
    if groups is not None:
        groups = _validate_groups(groups, len(images))[counting.numpy()]
    has_one_group = groups is not None and len(np.unique(groups)) < 2
    if has_one_group or not 0 < round(len(counting) * share) < len(counting):
        return images, None
    held = counting[torch.from_numpy(held_back(len(counting), float(share), seed, groups))]
    is_kept = torch.ones(len(images), dtype=torch.bool).index_fill_(0, held, False)
    return images.part(is_kept.nonzero().flatten()), images.part(held)


def check_calibration(share: Any) -> None:
    """Refuse what is not a share of images in [0, 1). Raises `BuildError`."""
    is_number = isinstance(share, (int, float, np.number)) and not isinstance(share, bool)
    if not is_number or not 0 <= share < 1:
        expected = "a share of the training images in (0, 1) to hold out, or 0 for none"
        raise wrong("calibration", share, expected)


def _separate(
    images: ImageBatches, validation: Any, image_shape: tuple[int, ...] | None, ranged: bool
) -> ImageBatches:
    """Validation images that are not among the training images, on the scale of these."""
    clean, noisy = validation, None
    if images.noisy:
        clean, noisy = _clean_and_noisy(validation)
    array, layout = as_images(clean, image_shape)
    layout = replace(layout, levels=matching_levels(array.dtype, images.layout))
    ranged = ranged and images.scale.name != "standard"
    validate_images(array, layout, ranged=ranged, expected=images.layout)
    return with_noisy(ImageBatches(array, layout, images.scale, images.raw.device), noisy)


def _part(images: ImageBatches, rows: Tensor, use: str) -> ImageBatches:
    """Some of the images, if their weights are not all 0, which cannot have a mean of 1: they are NaN."""
    part = images.part(rows)
    if part.weights is not None and part.weights.isnan().any():
        raise wrong("sample_weight", f"only zeros for the images to {use}", "one above 0 at least")
    return part


def _clean_and_noisy(validation: Any) -> tuple[Any, Any]:
    """Clean and noisy images to validate with."""
    if not isinstance(validation, (list, tuple)) or len(validation) != 2:
        expected = "None, a share, or (clean, noisy) under 'pairs'"
        raise wrong("validation", f"a {type(validation).__name__}", expected)
    return validation[0], validation[1]


def held_back(total: int, share: float, seed: int, groups: Any = None) -> np.ndarray:
    """Which of `total` images are held back for validation, `(n,)` in order.

    groups: a number or a word for each image; images of one group, such as the patches of one
        picture, are held back together.
    """
    count = round(total * share)
    if not 0 < share < 1 or not 0 < count < total:
        expected = "None, images, or a share that leaves images on both sides"
        raise wrong("validation", share, expected)
    order = torch.randperm(total, generator=keyed_generator(seed, "split")).numpy()
    if groups is not None:
        return hold_groups(_validate_groups(groups, total), count, order)
    return np.sort(order[:count])


def hold_groups(groups: np.ndarray, count: int, order: np.ndarray) -> np.ndarray:
    """The places of about `count` images, at least one and not all groups of them, `(n,)` in order.

    Groups are taken as they come up in `order`, a permutation of the images, as long as `count` is not
    reached. Raises `BuildError` if there is one group.
    """
    firsts = np.unique(groups[order], return_index=True)[1]
    ranked = groups[order][np.sort(firsts)]
    if len(ranked) < 2:
        raise wrong("groups", "one", "two at least, one to train on and one to hold back")
    sizes = np.array([np.count_nonzero(groups == group) for group in ranked])
    before = np.cumsum(sizes) - sizes
    taken = ranked[:-1][before[:-1] < count]
    return np.flatnonzero(np.isin(groups, taken))


def _validate_groups(groups: Any, total: int) -> np.ndarray:
    """Groups as an array. Raises `BuildError` if there is not one an image."""
    array = np.asarray(groups)
    if array.shape != (total,):
        raise wrong("groups", f"an array of shape {array.shape}", f"one an image, ({total},)")
    return array
