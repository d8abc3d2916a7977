"""Pictures that come one at a time, in one array of one size and one mode (see `pictures` for the modes).

The array begins in the first picture's mode. Where a picture comes that does not go with it, such as a colour one
after grey ones, what is there is brought to the mode that all have in common.
"""

from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from narrows.data.readers.image_files import common_mode, in_mode
from narrows.data.scratch import scratch
from narrows.errors import DataError

TOLD = 5  # sizes


class GrowingArray:
    """An array of at most so many pictures. mode: one that they are to be brought to, if they go with it."""

    def __init__(self, most: int, mode: str = ""):
        self.most, self.count = most, 0
        self.modes = {mode} if mode else set[str]()
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.mode = ""
        self.array = np.empty(0, np.uint8)

    def add(self, picture: Image.Image) -> None:
        """One more, in mode L, LA, RGB or RGBA. Of another size than the first it is only counted."""
        self.sizes[picture.height, picture.width] += 1
        if len(self.sizes) > 1:
            return
        self.modes.add(picture.mode)
        if common_mode(self.modes) != self.mode:
            self._change(common_mode(self.modes), (picture.height, picture.width))
        self.array[self.count] = np.asarray(in_mode(picture, self.mode))
        self.count += 1

    def whole(self, path: Path) -> np.ndarray:
        """The array. Raises `DataError` where the pictures had several sizes; path: where they come from."""
        if len(self.sizes) > 1:
            most = self.sizes.most_common(TOLD)
            told = ", ".join(f"{h} x {w} ({count})" for (h, w), count in most)
            raise DataError(
                f"{path} holds images of {len(self.sizes)} sizes (height x width): "
                f"{told}{', ...' if len(self.sizes) > TOLD else ''}; bring them to one with "
                f"size={most[0][0]} (--size {most[0][0][0]} {most[0][0][1]}) and fit='crop', 'pad' or 'stretch'"
            )
        return self.array[: self.count]

    def _change(self, mode: str, size: tuple[int, int]) -> None:
        """Go on in another mode."""
        before, channels = self.array, len(mode)
        self.mode, self.array = mode, scratch((self.most, *size, *([channels] if channels > 1 else [])), np.uint8)
        for k in range(self.count):
            self.array[k] = np.asarray(in_mode(Image.fromarray(before[k]), mode))
