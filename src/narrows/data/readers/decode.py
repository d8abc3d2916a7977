"""Many pictures from files: in order, a few ahead in threads, and what cannot be read told apart."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from os import cpu_count
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from narrows.data.readers.growing_array import GrowingArray
from narrows.data.readers.image_files import reason_of
from narrows.errors import DataError

One = TypeVar("One")


def each(function: Callable[[One], Any], items: Iterable[One], threads: bool) -> Iterator[Any]:
    """The function of each item, in order. In threads only a few results wait: one may be a photograph of 36 MB."""
    if not threads:
        yield from map(function, items)
        return
    waiting: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(workers := cpu_count() or 1) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def decode(
    where: Path,
    items: Sequence[One],
    opened: Callable[[One], Image.Image],
    name: Callable[[One], str],
    threads: bool,
    strict: bool,
    least: int = 1,
    mode: str = "",
) -> tuple[list[One], np.ndarray, tuple[tuple[str, str], ...]]:
    """The items whose picture could be opened, their pixels as one array, and (name, reason) for the others.

    threads: open several at a time, which pays where files are large. strict: raise at the first that cannot be
    opened. least: how many must be readable. mode: as of `Rows`. Raises `DataError` where fewer are, and for pictures
    of several sizes; where: what held them.
    """

    def attempt(item: One) -> Image.Image | str:
        try:
            return opened(item)
        except Exception as error:  # a decoder that is fed broken bytes may raise anything
            return reason_of(error)

    kept, rows, skipped = [], GrowingArray(len(items), mode), []
    for item, result in zip(items, each(attempt, items, threads)):
        if isinstance(result, Image.Image):
            kept.append(item)
            rows.add(result)
            continue
        if strict:
            raise DataError(f"{where}: {name(item)} cannot be read: {result}; replace or remove it")
        skipped.append((name(item), result))
    if len(kept) < least:
        first, reason = skipped[0]
        raise DataError(f"none of the {len(items)} images in {where} can be read; the first, {first}: {reason}")
    return kept, rows.whole(where), tuple(skipped)
