"""How large a pixel model should be: one that goes into an archive must save more than its own bytes."""

from typing import NamedTuple


class ModelSize(NamedTuple):
    """widths: of the two hidden layers. near, copies: how many neighbours are given twice, and are copied
    (`narrows.codec.categorical`). steps, batch: of the training; pixels in a batch.
    """

    radius: int
    widths: tuple[int, int]
    near: int
    copies: int
    steps: int
    batch: int


SIZES = {  # raw bytes from which each is used
    0: ModelSize(2, (16, 8), 4, 4, 500, 2048),
    1 << 17: ModelSize(3, (24, 16), 6, 6, 1000, 4096),
    1 << 20: ModelSize(4, (48, 32), 12, 12, 2000, 8192),
    1 << 22: ModelSize(5, (96, 48), 12, 12, 3000, 8192),
}


def size_for(length: int) -> ModelSize:
    """The size for this many bytes of images."""
    return SIZES[max(least for least in SIZES if least <= length)]
