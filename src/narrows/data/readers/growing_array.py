"""Pictures that come one at a time, in one array of one size, with channels, type and levels that all
have in common (see `pixels` for the channels).

The array begins as the first picture is. If a picture does not go with it, such as a colour one
after grey ones, the pictures so far are brought to what all have in common:

    channels    grey; colour if one is in colour; with alpha if all have it
    type        the one of all; of whole numbers of several depths uint16, else float32, both from
                black to white in full, which is said in a note
    levels      of windows, whose values mean the same in every file, the lowest black and the
                highest white: the values stay as they are, which is said too
"""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from narrows.data.readers.pixels import (
    KEPT_TYPES,
    Page,
    channels_of,
    common_channels,
    with_channels,
)
from narrows.data.scratch import scratch
from narrows.errors import DataError
from narrows.levels import Levels, Window, common_window, from_unit_values, unit_values
from narrows.mapped import give_pages_back

SIZES_NAMED = 5  # in an error
GROWTH = 1.5  # of the room for pictures, where a file has more than one
GIVEN_BACK = 64  # pictures, after which a map holds none in memory
MODES = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}  # channels of a mode, as Pillow calls it


class Depth(NamedTuple):
    """The type of values, and black and white if they are not those of the type."""

    dtype: np.dtype
    levels: Levels | None

    def convert(self, pixels: np.ndarray, before: "Depth") -> np.ndarray:
        """Pixels of another depth in this one."""
        if before == self:
            return pixels
        if isinstance(self.levels, Window):
            return pixels.astype(self.dtype)
        return from_unit_values(unit_values(pixels, before.levels), self.dtype, self.levels)

    def __str__(self) -> str:
        if self.levels is None:
            return str(self.dtype)
        return f"{self.dtype} of {self.levels.black:g} to {self.levels.white:g}"


class GrowingArray:
    """An array of pictures, with room for `most` at first. mode: one that they are brought to, if they
    go with it.
    """

    def __init__(self, most: int, mode: str = ""):
        self.most = most
        self.count = 0
        self.present = {MODES[mode]} if mode else set[int]()
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.depths: dict[Depth, None] = {}
        self.channels = 0
        self.depth = Depth(np.dtype(np.uint8), None)
        self.array = np.empty(0, np.uint8)

    def add(self, page: Page) -> None:
        """One more. A picture of another size than the first is only counted."""
        size = page.pixels.shape[:2]
        self.sizes[size] += 1
        if len(self.sizes) > 1:
            return
        own = Depth(page.pixels.dtype, page.levels)
        self.present.add(channels_of(page.pixels))
        self.depths.setdefault(own)
        channels = common_channels(self.present)
        depth = common_depth(self.depth, own) if self.count else own
        if self._same_values(depth):
            self.depth = depth
        if (channels, depth) != (self.channels, self.depth) or self.count == len(self.array):
            self._change(channels, depth, size)
        pixels = with_channels(page.pixels, channels, page.levels)
        self.array[self.count] = depth.convert(pixels, own)
        self.count += 1
        if self.count % GIVEN_BACK == 0:
            give_pages_back(self.array)

    def _same_values(self, depth: Depth) -> bool:
        """Whether the pictures so far are the same in that depth: only their window differs."""
        return isinstance(depth.levels, Window) and depth.dtype == self.depth.dtype

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of it."""
        if len(self.depths) < 2:
            return ()
        if isinstance(self.depth.levels, Window):
            return (
                f"the pictures have {len(self.depths)} different windows; their values are kept, and "
                f"black and white of all are the lowest and the highest, {self.depth}",
            )
        kinds = ", ".join(map(str, self.depths))
        return (f"the pictures are of several depths ({kinds}), and were brought to {self.depth}",)

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
            "and fit='crop', 'pad' or 'stretch', or cut patches of one size, patches=... (--patches)"
        )

    def _change(self, channels: int, depth: Depth, size: tuple[int, ...]) -> None:
        """Continue with other channels, in another depth, or with more room."""
        before, old = self.array, self.depth
        if self.count >= self.most:
            self.most = int(GROWTH * self.most) + 1
        shape = (self.most, *size, *(() if channels == 1 else (channels,)))
        self.array = scratch(shape, depth.dtype)
        for k in range(self.count):
            pixels = with_channels(before[k], channels, old.levels)
            self.array[k] = depth.convert(pixels, old)
        self.channels, self.depth = channels, depth


def common_depth(one: Depth, other: Depth) -> Depth:
    """The depth in which pictures of two depths go together."""
    if one == other:
        return one
    if isinstance(one.levels, Window) and isinstance(other.levels, Window):
        dtype = np.result_type(one.dtype, other.dtype)
        known = dtype if dtype.name in KEPT_TYPES else np.dtype(np.float32)
        return Depth(known, common_window([one.levels, other.levels]))
    if one.dtype.kind == other.dtype.kind == "u":
        return Depth(np.dtype(np.uint16), None)
    return Depth(np.dtype(np.float32), None)
