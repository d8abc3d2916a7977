"""Many pictures from files -> one array: in order, a few decoded ahead in threads, unreadable ones
listed.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from narrows.data.readers.growing_array import GrowingArray
from narrows.data.readers.image_files import numbered, reason_of
from narrows.data.readers.pixels import Page
from narrows.errors import DataError
from narrows.levels import Levels
from narrows.threads import count_cores

Item = TypeVar("Item")
Result = TypeVar("Result")
NamedPage = tuple[str, Page]


class Opened(NamedTuple, Generic[Item]):
    """Another way from an item to named pictures than that of its pages, and how many there are at
    most.
    """

    open_item: Callable[[Item], Iterator[NamedPage]]
    most: int


class Decoded(NamedTuple, Generic[Item]):
    """The pictures of all items that could be opened, as one array.

    items, names: of each picture its item, and its name; those of a stack are numbered.
    skipped: (name, reason) of the other items. levels: black and white, if the files say them.
    notes: what a person should know of the reading.
    """

    items: list[Item]
    names: tuple[str, ...]
    images: np.ndarray
    skipped: tuple[tuple[str, str], ...]
    levels: Levels | None
    notes: tuple[str, ...]


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], threads: bool
) -> Iterator[Result]:
    """The function of each item, in order.

    threads: compute a few ahead. Only a few results wait: each may be a photograph of 36 MB.
    """
    if not threads:
        yield from map(function, items)
        return
    workers = count_cores()
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def open_ahead(
    items: Sequence[Item], open_item: Callable[[Item], Iterator[NamedPage]], threads: bool
) -> Iterator[tuple[Item, NamedPage | str]]:
    """Each item with its pictures one after another, or why there are no more of them."""
    begun = map_ahead(partial(_begun, open_item), items, threads)
    for item, pages in zip(items, begun):
        for entry in _pages_or_reason(pages):
            yield item, entry


def decode_all(
    where: Path,
    items: Sequence[Item],
    open_item: Callable[[Item], Iterator[Page]],
    name: Callable[[Item], str],
    threads: bool,
    strict: bool,
    least: int = 1,
    mode: str = "",
    opened: Opened[Item] | None = None,
) -> Decoded[Item]:
    """The pictures of all items, in one array.

    where: what holds them, for messages.
    threads: open several at a time, which pays if files are large.
    strict: raise at the first that cannot be opened.
    least: how many must be readable.
    mode: see `GrowingArray`.
    opened: how items are opened instead.
    Raises `DataError` if fewer are readable, and for pictures of several sizes; `Shortage` if the
    machine has run out of something.
    """
    opened = opened or Opened(partial(_named_pages, open_item, name), len(items))
    decoded = _Decoding(where, name, strict, GrowingArray(opened.most, mode))
    for item, entry in open_ahead(items, opened.open_item, threads):
        decoded.add(item, entry)
    return decoded.finish(least, len(items))


@dataclass
class _Decoding(Generic[Item]):
    """What has been decoded so far: see `decode_all`."""

    where: Path
    name: Callable[[Item], str]
    strict: bool
    array: GrowingArray
    items: list[Item] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def add(self, item: Item, entry: NamedPage | str) -> None:
        """A page of an item, or why there is none."""
        if isinstance(entry, str):
            name = self.name(item)
            if self.strict:
                cure = "replace or remove it"
                raise DataError(f"{self.where}: {name} cannot be read: {entry}; {cure}")
            self.skipped.append((name, entry))
            return
        name, page = entry
        self.array.add(page)
        self.items.append(item)
        self.names.append(name)

    def finish(self, least: int, count: int) -> Decoded[Item]:
        """All of it. Raises `DataError` if fewer than `least` of `count` items could be read."""
        if len(self.items) < least and not self.skipped:
            raise DataError(f"no image in {self.where} has the name of one that is to be cut")
        if len(self.items) < least:
            first, reason = self.skipped[0]
            raise DataError(
                f"none of the {count} images in {self.where} can be read; the first, {first}: {reason}"
            )
        images, levels = self.array.finish(self.where), self.array.depth.levels
        skipped, notes = tuple(self.skipped), self.array.notes
        return Decoded(self.items, tuple(self.names), images, skipped, levels, notes)


def _named_pages(
    open_item: Callable[[Item], Iterator[Page]], name: Callable[[Item], str], item: Item
) -> Iterator[NamedPage]:
    """The pages of an item with their names."""
    return numbered(name(item), open_item(item))


def _begun(open_item: Callable[[Item], Iterator[NamedPage]], item: Item) -> Iterator[NamedPage]:
    """The pictures of an item. The first is decoded now; an error comes later."""
    try:
        pages = open_item(item)
        first = next(pages, None)
    except Exception as error:  # of whatever kind: raised again where it can be reported
        return _raising(error)
    return pages if first is None else chain([first], pages)


def _pages_or_reason(pages: Iterator[NamedPage]) -> Iterator[NamedPage | str]:
    """The pages; if one cannot be read, at the end why."""
    try:
        yield from pages
    except Exception as error:  # a decoder that is fed broken bytes may raise anything
        yield reason_of(error)


def _raising(error: Exception) -> Iterator[NamedPage]:
    raise error
    yield  # which makes it an iterator
