"""Pairs of clean and noisy images, for noise that no formula describes: a camera's, a scanner's,
streaks, dust.

    fit(X, noisy=Y)    corruption="pairs":  x̃ᵢ = Yᵢ is what the network sees, and Xᵢ what it is to give

Y has the images of X, in the same order and form; floats need not lie in [0, 1], since noise need
not be clipped. Validation by a share takes the pairs along; validation images of their own come as
(clean, noisy). A model file holds none of them. Such a model makes no noise itself:
`evaluate(model, X, noisy=Y)` measures it on pairs.
"""

from contextlib import suppress
from copy import copy
from typing import Any

from narrows.choose import find_part
from narrows.errors import ImageError, NarrowsError, wrong
from narrows.image_batches import ImageBatches
from narrows.image_inputs import as_images
from narrows.layout import validate_images
from narrows.parts.corruption import CORRUPTIONS
from narrows.scale import to_unit

# images; pixels that are so large on average, where white is 1, are not noise but of 0..255
SOME, FAR = 100, 10


def wants_pairs(model: Any) -> bool:
    """Whether a model, fitted or not, is trained on pairs."""
    with suppress(NarrowsError):  # of names that are none others tell
        return getattr(
            find_part("corruption", CORRUPTIONS, getattr(model, "corruption", None))[0],
            "paired",
            False,
        )
    return False


def validate_pairs(model: Any, noisy: Any) -> None:
    """Refuse noisy images that the model has no use for, and a model of pairs without them. Raises
    `BuildError`.
    """
    if wants_pairs(model):
        cure = (
            "fit(X, noisy=Y), or on the command line --noisy FOLDER; or another corruption, "
            "such as 'gaussian'"
        )
        if noisy is None:
            raise wrong(
                "noisy", None, "the noisy images that belong to X under corruption 'pairs'", cure
            )
    else:
        cure = "corruption='pairs' is the one that takes noisy images"
        if noisy is not None:
            raise wrong(
                "noisy", type(noisy).__name__, f"None under corruption {model.corruption!r}", cure
            )


def with_noisy(clean: ImageBatches, noisy: Any) -> ImageBatches:
    """The whole set `clean` with its noisy images. Raises `ImageError` for what is no counterpart
    of it.
    """
    if noisy is None:
        return clean
    form = clean.layout
    flat = None if form.is_table or len(form.given) > 1 else form.image
    array, layout = as_images(noisy, flat)
    if len(array) != len(clean):
        raise ImageError(
            f"noisy: got {len(array)} images for {len(clean)} clean ones; expected as many, in order"
        )
    validate_images(array, layout, ranged=False, expected=form)
    found = copy(clean)
    found.noisy = ImageBatches(array, layout, clean.scale, clean.raw.device)
    size = to_unit(found.noisy.raw[:SOME], layout).abs().mean()
    if not form.is_table and size > FAR:
        raise ImageError(
            f"noisy: its pixels are {size:.3g} on average and 1 is white; divide by 255, or pass uint8"
        )
    return found
