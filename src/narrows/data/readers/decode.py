"""Many pictures from files -> one array: in order, a few decoded ahead in threads, unreadable ones
listed.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from os import cpu_count
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from PIL import Image

from narrows.data.readers.growing_array import GrowingArray
from narrows.data.readers.image_files import reason_of
from narrows.errors import DataError

Item = TypeVar("Item")
Result = TypeVar("Result")


class Decoded(NamedTuple, Generic[Item]):
    """The items whose picture could be opened, their pixels as one array, and (name, reason) for
    the others.
    """

    items: list[Item]
    images: np.ndarray
    skipped: tuple[tuple[str, str], ...]


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], threads: bool
) -> Iterator[Result]:
    """The function of each item, in order.

    threads: compute a few ahead. Only a few results wait: each may be a photograph of 36 MB.
    """
    if not threads:
        yield from map(function, items)
        return
    workers = cpu_count() or 1
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def decode_all(
    where: Path,
    items: Sequence[Item],
    open_item: Callable[[Item], Image.Image],
    name: Callable[[Item], str],
    threads: bool,
    strict: bool,
    least: int = 1,
    mode: str = "",
) -> Decoded[Item]:
    """The pictures of all items, in one array.

    where: what holds them, for messages.
    threads: open several at a time, which pays if files are large.
    strict: raise at the first that cannot be opened.
    least: how many must be readable.
    mode: see `GrowingArray`.
    Raises `DataError` if fewer are readable, and for pictures of several sizes; `Shortage` if the
    machine has run out of something.
    """

    def attempt(item: Item) -> Image.Image | str:
        try:
            return open_item(item)
        except Exception as error:  # a decoder that is fed broken bytes may raise anything
            return reason_of(error)

    readable: list[Item] = []
    skipped: list[tuple[str, str]] = []
    array = GrowingArray(len(items), mode)
    for item, picture in zip(items, map_ahead(attempt, items, threads)):
        if isinstance(picture, Image.Image):
            readable.append(item)
            array.add(picture)
            continue
        reason = picture
        if strict:
            raise DataError(f"{where}: {name(item)} cannot be read: {reason}; replace or remove it")
        skipped.append((name(item), reason))
    if len(readable) < least:
        first, reason = skipped[0]
        raise DataError(
            f"none of the {len(items)} images in {where} can be read; the first, {first}: {reason}"
        )
    return Decoded(readable, array.finish(where), tuple(skipped))
