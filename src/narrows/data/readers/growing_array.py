"""Pictures that come one at a time, in one array of one size and one mode (see `image_files` for
the modes).

The array begins in the first picture's mode. If a picture does not go with it, such as a colour one
after grey ones, the pictures so far are brought to the mode that all have in common.
"""

from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from narrows.data.readers.image_files import common_mode, in_mode
from narrows.data.scratch import scratch
from narrows.errors import DataError

SIZES_NAMED = 5  # in an error


class GrowingArray:
    """An array of at most `most` pictures. mode: one that they are brought to, if they go with it."""

    def __init__(self, most: int, mode: str = ""):
        self.most = most
        self.count = 0
        self.modes = {mode} if mode else set[str]()
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.mode = ""
        self.array = np.empty(0, np.uint8)

    def add(self, picture: Image.Image) -> None:
        """One more, in mode L, LA, RGB or RGBA. A picture of another size than the first is only
        counted.
        """
        size = (picture.height, picture.width)
        self.sizes[size] += 1
        if len(self.sizes) > 1:
            return
        self.modes.add(picture.mode)
        mode = common_mode(self.modes)
        if mode != self.mode:
            self._change_mode(mode, size)
        self.array[self.count] = np.asarray(in_mode(picture, mode))
        self.count += 1

    def finish(self, path: Path) -> np.ndarray:
        """The array. Raises `DataError` if the pictures had several sizes; path: where they come from."""
        if len(self.sizes) > 1:
            raise self._mixed_sizes(path)
        return self.array[: self.count]

    def _mixed_sizes(self, path: Path) -> DataError:
        most_common = self.sizes.most_common(SIZES_NAMED)
        counts = [f"{height} x {width} ({count})" for (height, width), count in most_common]
        if len(self.sizes) > SIZES_NAMED:
            counts.append("...")
        (height, width), _ = most_common[0]
        return DataError(
            f"{path} holds images of {len(self.sizes)} sizes (height x width): {', '.join(counts)}; "
            f"bring them to one with size=({height}, {width}) (--size {height} {width}) "
            "and fit='crop', 'pad' or 'stretch'"
        )

    def _change_mode(self, mode: str, size: tuple[int, int]) -> None:
        """Continue in another mode."""
        before = self.array
        channels = () if mode == "L" else (len(mode),)
        self.mode = mode
        self.array = scratch((self.most, *size, *channels), np.uint8)
        for k in range(self.count):
            self.array[k] = np.asarray(in_mode(Image.fromarray(before[k]), mode))
