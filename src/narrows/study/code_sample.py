"""Codes for figures: of a random subset of the images, so that time and memory are bounded.

At most 5,000 images are encoded, and fewer where codes are large: 2²⁴ numbers in all, 64 MiB as
float32. The subset is the same each time.

There are codes that show nothing; so figures ask `codes_to_draw`, which gives a reason instead:

    not narrow   a U-Net's deepest feature map is one of several ways past, and carries less than
                 the others
    collapsed    every image has the same code
    not finite   NaN or infinity is in it
    one image    there is nothing that it could differ from
"""

import numpy as np

from narrows.measure import constant_units
from narrows.study.record import Omitted
from narrows.study.trained import Trained

SAMPLE_SIZE, SAMPLE_VALUES = 5_000, 2**24
FEWEST = 100  # images, however large their codes are
FLOAT_BITS = 32
NOT_NARROW = (
    "its code is a feature map of {size:,} numbers, and its side channel carries more than the "
    "code does"
)
CONSTANT = "its code has collapsed: it is the same for all {count:,} images"
NOT_FINITE = "{count:,} of its {all:,} codes have NaN or infinity in them"
ONE_IMAGE = "there is one image only, and nothing that its code could differ from"


def codes_to_draw(
    run: Trained, on: str = "test", limit: int = SAMPLE_SIZE
) -> tuple[np.ndarray, np.ndarray] | Omitted:
    """What `sample_codes` gives, or why it is not drawn."""
    if reason := why_without_codes(run):
        return Omitted(run.name, reason)
    z, index = sample_codes(run, on, limit)
    if reason := why_not_drawn(z):
        return Omitted(run.name, reason)
    return z, index


def why_not_drawn(z: np.ndarray) -> str:
    """Why codes `(n, size)` show nothing; "" where they show something."""
    not_finite = ~np.isfinite(z).all(axis=1)
    if not_finite.any():
        return NOT_FINITE.format(count=not_finite.sum(), all=len(z))
    if len(z) == 1:
        return ONE_IMAGE
    if constant_units(z).all():
        return CONSTANT.format(count=len(z))
    return ""


def why_without_codes(run: Trained) -> str:
    """Why the codes of a run are not drawn; "" where they are."""
    size = run.model.code_size_
    if run.model.code_is_feature_map_ and run.model.side_bits_ > size * FLOAT_BITS:
        return NOT_NARROW.format(size=size)
    return ""


def sample_codes(
    run: Trained, on: str = "test", limit: int = SAMPLE_SIZE
) -> tuple[np.ndarray, np.ndarray]:
    """Codes `(n, size)` of a random subset of a part of the images, and which images they are, in
    ascending order.
    """
    images, _ = run.part(on)
    most = max(FEWEST, SAMPLE_VALUES // run.model.code_size_)
    order = np.random.default_rng(0).permutation(len(images))
    index = np.sort(order[: min(limit, most)])
    return run.model.transform(images[index]), index
