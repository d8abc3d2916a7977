"""How large a pixel model should be: one that goes into an archive must save more than its own bytes.

The best sizes are for models that are kept apart, or for archives much larger than the images that they are
trained on: their own bytes count little, nor does the time.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

COARSE, FINE = (31, 16), (127, 64)


class ModelSize(NamedTuple):
    """widths: of the two hidden layers. near, copies: how many neighbours are given twice, and are copied
    (`narrows.codec.categorical`). steps, batch: of the training; pixels in a batch. seen: whether values
    that the image has had are likelier. units: the largest weight, and units in 1 of biases
    (`integer_network`).
    """

    radius: int
    widths: tuple[int, int]
    near: int
    copies: int
    steps: int
    batch: int
    seen: bool = True
    units: tuple[int, int] = COARSE


SIZES = {  # raw bytes from which each is used
    0: ModelSize(2, (16, 8), 4, 4, 1500, 1024),
    1 << 19: ModelSize(4, (32, 24), 12, 12, 3000, 1024),
    1 << 21: ModelSize(5, (64, 32), 12, 12, 4000, 2048),
    1 << 22: ModelSize(5, (96, 48), 12, 12, 6000, 2048),
}
BEST_SIZES = {  # 256 and 128: ten minutes of one core
    0: ModelSize(3, (32, 16), 12, 12, 3000, 1024, units=FINE),
    1 << 19: ModelSize(5, (64, 32), 12, 12, 6000, 2048, units=FINE),
    1 << 21: ModelSize(5, (96, 64), 12, 12, 9000, 2048, units=FINE),
    1 << 22: ModelSize(5, (128, 96), 12, 12, 12000, 2048, units=FINE),
    1 << 24: ModelSize(5, (256, 128), 12, 12, 24000, 2048, units=FINE),
}

# of images of which most pixels are cold, such as drawings: little is left to learn, in a third of the time
SPARSE_SIZES = {
    0: ModelSize(2, (16, 8), 4, 4, 1500, 1024),
    1 << 19: ModelSize(2, (24, 12), 8, 6, 3000, 1024, False),
    1 << 21: ModelSize(2, (32, 16), 8, 6, 6000, 2048, False),
}


class MixtureSize(NamedTuple):
    """widths: of the two hidden layers. components: of a mixture (`narrows.codec.mixture`). steps, batch: of
    the training; pixels in a batch.
    """

    radius: int
    widths: tuple[int, int]
    components: int
    steps: int
    batch: int


MIXTURE_SIZES = {
    0: MixtureSize(1, (8, 8), 2, 1000, 512),
    1 << 16: MixtureSize(2, (16, 16), 2, 2000, 1024),
    1 << 19: MixtureSize(2, (32, 24), 3, 4000, 1024),
    1 << 21: MixtureSize(3, (48, 32), 5, 8000, 1024),
    1 << 23: MixtureSize(3, (64, 48), 5, 12000, 1024),
}
BEST_MIXTURE_SIZES = {
    0: MixtureSize(2, (24, 16), 3, 3000, 1024),
    1 << 19: MixtureSize(3, (48, 32), 5, 8000, 1024),
    1 << 21: MixtureSize(3, (96, 64), 5, 12000, 1024),
    1 << 23: MixtureSize(4, (128, 96), 6, 20000, 1024),
}

Size = TypeVar("Size", ModelSize, MixtureSize)


def size_for(length: int, sizes: Mapping[int, Size]) -> Size:
    """The size of a table for this many bytes of images."""
    return sizes[max(least for least in sizes if least <= length)]
