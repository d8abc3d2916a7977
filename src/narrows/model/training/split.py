"""Training and validation images: two parts of one memory, or two sets."""

from typing import Any

import numpy as np
import torch

from narrows.errors import wrong
from narrows.image_batches import ImageBatches
from narrows.image_inputs import as_images
from narrows.layout import validate_images
from narrows.model.training.pairs import with_noisy
from narrows.randomness import keyed_generator


def split_validation(
    images: ImageBatches, validation: Any, seed: int, image_shape: tuple[int, ...] | None
) -> tuple[ImageBatches, ImageBatches | None]:
    """Images to train on, and to validate with: none, a random share of them, or separate images.

    Raises `BuildError` for a share that leaves no images, `ImageError` for images that do not fit
    the others. Of pairs, separate images are (clean, noisy); a share keeps its weights and pairs.
    """
    if validation is None:
        return images, None
    if not isinstance(validation, (int, float, np.number)):
        return images, _separate(images, validation, image_shape)
    held = torch.from_numpy(held_back(len(images), float(validation), seed))
    is_kept = torch.ones(len(images), dtype=torch.bool).index_fill_(0, held, False)
    training = images.part(is_kept.nonzero().flatten())
    held_images = images.part(held)
    _validate_weights_of_part(training, "train on")
    _validate_weights_of_part(held_images, "validate with")
    return training, held_images


def _separate(
    images: ImageBatches, validation: Any, image_shape: tuple[int, ...] | None
) -> ImageBatches:
    """Validation images that are not among the training images, on the scale of these."""
    clean, noisy = validation, None
    if images.noisy:
        clean, noisy = _clean_and_noisy(validation)
    array, layout = as_images(clean, image_shape)
    ranged = images.scale.name != "standard"
    validate_images(array, layout, ranged=ranged, expected=images.layout)
    return with_noisy(ImageBatches(array, layout, images.scale, images.raw.device), noisy)


def _validate_weights_of_part(part: ImageBatches, use: str) -> None:
    """Refuse a part whose weights are all 0, which makes their mean of 1 impossible: they are NaN."""
    if part.weights is not None and part.weights.isnan().any():
        raise wrong("sample_weight", f"only zeros for the images to {use}", "one above 0 at least")


def _clean_and_noisy(validation: Any) -> tuple[Any, Any]:
    """Clean and noisy images to validate with."""
    if not isinstance(validation, (list, tuple)) or len(validation) != 2:
        raise wrong(
            "validation",
            f"a {type(validation).__name__}",
            "None, a share, or (clean, noisy) under 'pairs'",
        )
    return validation[0], validation[1]


def held_back(total: int, share: float, seed: int) -> np.ndarray:
    """Which of `total` images are held back for validation, `(n,)` in order."""
    count = round(total * share)
    if not 0 < share < 1 or not 0 < count < total:
        raise wrong(
            "validation", share, "None, images, or a share that leaves images on both sides"
        )
    return np.sort(torch.randperm(total, generator=keyed_generator(seed, "split"))[:count].numpy())
