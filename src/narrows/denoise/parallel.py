"""Independent parts of a picture, computed side by side.

torch divides one operation among its threads, which pays for large ones. The operations on a block of
patches are small: there it is quicker that each thread has blocks of its own and computes alone. The
results come in the order of the parts, so that sums are the same with any number of threads.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

import torch

Part = TypeVar("Part")
Result = TypeVar("Result")
Map = Callable[..., Iterable[Any]]
AT_ONCE = 16  # parts a thread, whose results are held in memory


def map_parts(function: Callable[[Part], Result], parts: Iterator[Part]) -> Iterator[Result]:
    """`function` of each part, in their order, by as many threads as torch has."""
    with _threads() as of_some:
        while some := list(islice(parts, AT_ONCE * torch.get_num_threads())):
            yield from of_some(function, some)


@contextmanager
def _threads() -> Iterator[Map]:
    """A `map` by threads that compute with one thread each; the caller's number stays as it is."""
    count = torch.get_num_threads()
    if count == 1:
        yield map
        return
    try:
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(count)  # new threads start with the number that was set last
