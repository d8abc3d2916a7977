"""Codes for figures: of a random subset of the images, so that time and memory are bounded.

At most 5,000 images are encoded, and fewer where codes are large: 2²⁴ numbers in all, 64 MiB as
float32. The subset is the same each time. A U-Net has no narrow code: its deepest feature map is
one of several ways past, and carries less than the others, so `why_without_codes` gives a reason
instead of its space.
"""

import numpy as np

from narrows.study.trained import Trained

SAMPLE_SIZE, SAMPLE_VALUES = 5_000, 2**24
FEWEST = 100  # images, however large their codes are
FLOAT_BITS = 32
NOT_NARROW = (
    "its code is a feature map of {size:,} numbers, and its side channel carries more than the "
    "code does"
)


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
