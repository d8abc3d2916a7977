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
    whole: ImageBatches, validation: Any, seed: int, image_shape: tuple[int, ...] | None
) -> tuple[ImageBatches, ImageBatches | None]:
    """Images to train on, and to validate with: none, a share of them at random, or images of their
    own.

    Raises `BuildError` for a share that leaves no images, `ImageError` for images that do not fit
    the others. Where there are pairs, images of their own are (clean, noisy); a share takes weights
    and pairs along.
    """
    if validation is None:
        return whole, None
    if not isinstance(validation, (int, float, np.number)):
        clean, noisy = _pair(validation) if whole.noisy else (validation, None)
        held, layout = as_images(clean, image_shape)
        validate_images(held, layout, ranged=whole.scale.name != "standard", expected=whole.layout)
        return whole, with_noisy(ImageBatches(held, layout, whole.scale, whole.raw.device), noisy)
    held = torch.from_numpy(held_back(len(whole), float(validation), seed))
    kept = torch.ones(len(whole), dtype=torch.bool).index_fill_(0, held, False)
    parts = whole.part(kept.nonzero().flatten()), whole.part(held)
    for part, doing in zip(parts, ("train on", "validate with")):
        heavy = part.weights is None or not part.weights.isnan().any()
        if not heavy:
            raise wrong(
                "sample_weight", f"only zeros for the images to {doing}", "one above 0 at least"
            )
    return parts


def _pair(validation: Any) -> tuple[Any, Any]:
    """Clean and noisy images to validate with."""
    two = isinstance(validation, (list, tuple)) and len(validation) == 2
    if not two:
        raise wrong(
            "validation",
            f"a {type(validation).__name__}",
            "None, a share, or (clean, noisy) under 'pairs'",
        )
    return validation[0], validation[1]


def held_back(total: int, share: float, seed: int) -> np.ndarray:
    """Which of `total` images are held back for validation, `(n,)` in order."""
    count = round(total * share)
    good = 0 < share < 1 and 0 < count < total
    if not good:
        raise wrong(
            "validation", share, "None, images, or a share that leaves images on both sides"
        )
    return np.sort(torch.randperm(total, generator=keyed_generator(seed, "split"))[:count].numpy())
