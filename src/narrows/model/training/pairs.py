"""Pairs of clean and noisy images, for noise that no formula describes: a camera's, a scanner's,
streaks, dust.

    fit(X, noisy=Y)    corruption="pairs":  x̃ᵢ = Yᵢ is what the network sees, and Xᵢ what it is to give

Y has the images of X, in the same order and form; floats need not lie in [0, 1], since noise need
not be clipped. Validation by a share takes the pairs along; validation images of their own come as
(clean, noisy). A model file holds none of them. Such a model makes no noise itself:
`evaluate(model, X, noisy=Y)` measures it on pairs.

Under a scale that is per image, pairs are on that of the noisy image, which is all that inference
knows. So are those whose noise is drawn: x + σε is taken on the scale of x, then both x and x̃ are
put on the scale of x̃.
"""

from copy import copy
from dataclasses import replace
from typing import Any

from torch import Tensor

from narrows.errors import ImageError, wrong
from narrows.image_batches import ImageBatches
from narrows.image_inputs import as_images
from narrows.layout import Layout, matching_levels, validate_images
from narrows.parts.corruption import Corruption
from narrows.parts.kinds import KINDS
from narrows.randomness import KeyedRandom
from narrows.scale import Scale, to_unit

CHECKED = 100  # images whose range is checked
TOO_BRIGHT = 10  # a mean of pixels, if white is 1, that is no noise: the pixels are of 0..255


def is_paired(corruption: Any) -> bool:
    """Whether a corruption, given as a spec, takes noisy images of the user's own."""
    return KINDS["corruption"].declared(corruption, "paired")


def takes_noisy(corruption: Any, objective: Any) -> bool:
    """Whether the images of a training, under these specs, are noisy themselves."""
    targets = (
        KINDS["corruption"].declared(corruption, "target"),
        KINDS["objective"].declared(objective, "target"),
    )
    return "noisy" in targets


def validate_pairs(corruption: Any, noisy: Any) -> None:
    """Refuse noisy images that a corruption has no use for, and pairs without them.

    Raises `BuildError`.
    """
    needed = is_paired(corruption)
    if needed and noisy is None:
        expected = "the noisy images that belong to X under corruption 'pairs'"
        cure = (
            "fit(X, noisy=Y), or on the command line --noisy FOLDER; or another corruption, "
            "such as 'gaussian'"
        )
        raise wrong("noisy", None, expected, cure)
    if not needed and noisy is not None:
        expected = f"None under corruption {corruption!r}"
        cure = "corruption='pairs' is the one that takes noisy images"
        raise wrong("noisy", type(noisy).__name__, expected, cure)


def training_batch(
    images: ImageBatches, index: Tensor | slice, corruption: Corruption, random: KeyedRandom
) -> tuple[Tensor, Scale]:
    """The images at `index` to train on, and their scale. The noisy ones that the network is given
    with them are put into `random.noisy`, and what is known of their noise into `random.noise`; noise
    is drawn here only if the scale depends on it.
    """
    x, random.noisy, scale = images.pair(index)
    random.noise = images.noise_at(index)
    draws = corruption.makes_noise and not corruption.only_hidden  # the loss then needs its mask
    if not (scale.is_per_image and draws):
        return x, scale
    random.noisy, of_noisy = scale.rescale(corruption(x, random)[0])
    return of_noisy.work(scale.unit(x)), of_noisy


def with_noisy(clean: ImageBatches, noisy: Any) -> ImageBatches:
    """The set `clean` with its noisy images. Raises `ImageError` if they do not match."""
    if noisy is None:
        return clean
    array, layout = as_images(noisy, _image_shape(clean.layout))
    layout = replace(layout, levels=matching_levels(array.dtype, clean.layout))
    if len(array) != len(clean):
        raise ImageError(
            f"noisy: got {len(array)} images for {len(clean)} clean ones; expected as many, in order"
        )
    validate_images(array, layout, ranged=False, expected=clean.layout)
    pairs = copy(clean)
    pairs.noisy = ImageBatches(array, layout, clean.scale, clean.raw.device)
    validate_noisy(pairs.noisy)
    return pairs


def _image_shape(clean: Layout) -> tuple[int, ...] | None:
    """The shape of an image if the clean ones are rows of pixels; else it is read from the array."""
    if len(clean.given) == 1 and not clean.is_table:
        return clean.image
    return None


def validate_noisy(noisy: ImageBatches) -> None:
    """Refuse pixels of 0..255 as floats, where 1 is white. Raises `ImageError`."""
    if noisy.layout.is_table:
        return
    mean = to_unit(noisy.raw[:CHECKED], noisy.layout).abs().mean()
    if mean > TOO_BRIGHT:
        raise ImageError(
            f"noisy: its pixels are {mean:.3g} on average and 1 is white; divide by 255, or pass uint8"
        )
