"""Pictures -> patches, in two passes over the files, of which a few at a time are in memory.

    1. the sizes of all pictures: how many patches each gives, in proportion to its area
    2. the deviations of each picture's patches (`variance`), places (`places`), and the patches

A patch is a crop, bit for bit and in the depth of its file. Its deviation is that of its grey: the
luma of colours, laid over white where there is alpha. A picture that is smaller than a patch is
skipped, like one that cannot be read.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from math import log2
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from narrows.data.patches.names import patch_name, picture_name, without_endings
from narrows.data.patches.places import Place, choose_places, share_out, weights_of
from narrows.data.patches.plan import Cut
from narrows.data.patches.variance import deviations
from narrows.data.readers.decode import Decoded, Opened, decode_all, map_ahead
from narrows.data.readers.image_files import numbered, reason_of
from narrows.data.readers.pixels import Page, Size, fitter
from narrows.errors import DataError
from narrows.randomness import keyed_generator

Item = TypeVar("Item")


class Measured(NamedTuple):
    """The sizes of the pages of a file, by their names, and why there are no more, if there is a fault."""

    sizes: Mapping[str, Size]
    fault: str = ""


@dataclass
class Cutter(Generic[Item]):
    """Cuts the patches of pictures: the first pass is made at once, the second by `open`.

    items: all pictures, or files of several. open_item, name: see `decode.decode_all`. threads: whether
    several are opened at a time.
    """

    items: Sequence[Item]
    open_item: Callable[[Item], Iterator[Page]]
    name: Callable[[Item], str]
    cut: Cut
    threads: bool = False
    measured: dict[str, Measured] = field(init=False)
    counts: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.open_item = at_scales(self.open_item, self.cut)
        names = list(map(self.name, self.items))
        self.measured = dict(zip(names, map_ahead(self._measure, self.items, self.threads)))
        areas = self._areas()
        self.counts = share_out(areas, self.cut.count, self.cut.seed) if areas else {}
        self.without_ending = without_endings(names)

    def open(self, item: Item) -> Iterator[tuple[str, Page]]:
        """The patches of a file with their names. Raises what opening it raises, and `DataError` for
        a file without pages of their size.
        """
        measured = self.measured[self.name(item)]
        if any(self.counts.get(page) for page in measured.sizes):
            for name, page in numbered(self.name(item), self.open_item(item)):
                yield from self._patches(name, page)
        if fault := measured.fault or self._too_small(measured):
            raise DataError(fault)

    def most(self, items: Sequence[Item]) -> int:
        """How many patches these give, at most."""
        pages = (page for item in items for page in self.measured[self.name(item)].sizes)
        return sum(self.counts.get(page, 0) for page in pages)

    @property
    def note(self) -> str:
        """What a person should know of it."""
        cut, pictures = self.cut, sum(map(bool, self.counts.values()))
        return (
            f"Patches of {cut.size_in_words} pixels were cut from {pictures:,} pictures ({cut.count:,} "
            f"at most, seed {cut.seed}), in proportion to their standard deviation."
        )

    def _areas(self) -> dict[str, int]:
        """The pixels of the pages that are large enough, before they were scaled, so that each scale gives
        as many patches.
        """
        areas = {}
        for measured in self.measured.values():
            for (page, size), scale in zip(measured.sizes.items(), cycle(self.cut.factors)):
                if self._fits(size):
                    areas[page] = round(size[0] * size[1] / scale**2)
        return areas

    def _measure(self, item: Item) -> Measured:
        sizes: dict[str, Size] = {}
        try:
            for name, page in numbered(self.name(item), self.open_item(item)):
                height, width = page.pixels.shape[:2]
                sizes[name] = (height, width)
        except Exception as error:  # a decoder that is fed broken bytes may raise anything
            return Measured(sizes, reason_of(error))
        return Measured(sizes)

    def _fits(self, size: Size) -> bool:
        return size[0] >= self.cut.size[0] and size[1] >= self.cut.size[1]

    def _too_small(self, measured: Measured) -> str:
        """What to say of a file with pages that are smaller than a patch."""
        small = [size for size in measured.sizes.values() if not self._fits(size)]
        if not small:
            return ""
        height, width = small[0]
        which = "it has" if len(measured.sizes) == 1 else f"{len(small):,} of its pages have"
        return f"{which} {height} x {width} pixels, fewer than a patch of {self.cut.size_in_words}"

    def _patches(self, name: str, page: Page) -> Iterator[tuple[str, Page]]:
        count = self.counts.get(name, 0)
        if not count:
            return
        height, width = self.cut.size
        ending = _ending_for(page)
        for y, x in self._places(name, page, count):
            pixels = page.pixels[y : y + height, x : x + width]
            named = patch_name(self.without_ending(name), y, x, ending)
            yield named, page._replace(pixels=np.ascontiguousarray(pixels))

    def _places(self, name: str, page: Page, count: int) -> list[Place]:
        generator = keyed_generator(self.cut.seed, "patches", name)
        weights = weights_of(deviations(page.pixels, self.cut.size, page.levels))
        return choose_places(weights, count, self.cut.distance, generator)


def at_scales(
    open_item: Callable[[Item], Iterator[Page]], cut: Cut
) -> Callable[[Item], Iterator[Page]]:
    """What opens the pages of an item, each at the sizes that are to be cut."""
    if cut.factors == (1.0,):
        return open_item

    def open_scaled(item: Item) -> Iterator[Page]:
        for page in open_item(item):
            for scale in cut.scales:
                yield _scaled(page, scale)
            for step in cut.every:
                yield page._replace(pixels=page.pixels[::step, ::step])

    return open_scaled


def _scaled(page: Page, scale: float) -> Page:
    """The page at a factor on its size."""
    height, width = page.pixels.shape[:2]
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return page._replace(pixels=fitter(size, "stretch")(page.pixels, page.levels))


def _at_places(
    cut: Cut,
    open_item: Callable[[Item], Iterator[Page]],
    name: Callable[[Item], str],
    item: Item,
) -> Iterator[tuple[str, Page]]:
    """The patches of a file at the places that are given; nothing if there are none."""
    height, width = cut.size
    places = cut.places or {}
    open_scaled = at_scales(open_item, cut)
    for page_name, page in numbered(name(item), open_scaled(item)):
        picture = picture_name(page_name)
        for y, x in places.get(picture, ()):
            pixels = np.ascontiguousarray(page.pixels[y : y + height, x : x + width])
            if pixels.shape[:2] != cut.size:
                raise DataError(
                    f"it is smaller than its counterpart, which has a patch at {y}, {x}"
                )
            yield patch_name(picture, y, x, _ending_for(page)), page._replace(pixels=pixels)


def _ending_for(page: Page) -> str:
    """The ending of a format that holds such a patch: PNG knows no black, and no white but 2ⁿ - 1."""
    levels, dtype = page.levels, page.pixels.dtype.name
    is_full = levels is None or (levels.black == 0 and log2(levels.white + 1).is_integer())
    fits_png = (dtype == "uint16" and is_full) or (dtype == "uint8" and levels is None)
    return ".png" if fits_png else ".tif"


def decode_patches(
    cut: Cut,
    where: Path,
    items: Sequence[Item],
    chosen: Sequence[Item],
    open_item: Callable[[Item], Iterator[Page]],
    name: Callable[[Item], str],
    threads: bool,
    strict: bool,
    least: int,
    mode: str,
) -> Decoded[Item]:
    """The patches of the chosen items in one array; how many each gives depends on all items.

    The other arguments and the errors are those of `decode.decode_all`.
    """
    if cut.places is not None:
        given = Opened(partial(_at_places, cut, open_item, name), cut.count)
        return decode_all(where, chosen, open_item, name, threads, strict, least, mode, given)
    cutter = Cutter(items, open_item, name, cut, threads)
    opened = Opened(cutter.open, cutter.most(chosen))
    decoded = decode_all(where, chosen, open_item, name, threads, strict, least, mode, opened)
    notes = [cutter.note]
    if len(chosen) == len(items) and len(decoded.items) < cut.count:
        notes.append(cut.too_few(len(decoded.items)))
    return decoded._replace(notes=(*decoded.notes, *notes))
