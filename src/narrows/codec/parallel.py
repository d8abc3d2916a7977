"""Work on one item after another, by several threads or in this one, with results in order.

General compressors let go of the interpreter for seconds, so that threads share their work. Steps of a pixel
model do so for microseconds, and then threads wait for one another: two of them took twice as long as one
(10,000 digits of MNIST: 25 s and 12.5 s). At most one item more than there are threads is begun
before its result is taken, which bounds the memory. Each matrix product uses one thread.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from narrows.threads import count_cores, one_thread_a_product

MOST = 4  # threads: each holds a block, what is made of it, and 100 MB of its compressor

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], in_threads: bool
) -> Iterator[Result]:
    """The result of `work` for each item, in the order of the items; by as many threads as there are
    processors, 4 at most, if `in_threads`.
    """
    with one_thread_a_product():
        yield from _by_threads(work, items) if in_threads else map(work, items)


def _by_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    threads = min(count_cores(), MOST)
    with ThreadPoolExecutor(threads) as pool:
        begun: deque[Future[Result]] = deque()
        try:
            for item in items:
                begun.append(pool.submit(work, item))
                if len(begun) > threads:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()
