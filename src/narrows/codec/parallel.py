"""Work on one item after another, by as many threads as processors, with results in order.

numpy lets go of the interpreter in its loops, so that threads share the work. At most one item more
than there are threads is begun before its result is taken, which bounds the memory. Each matrix product uses
one thread: more would wait for one another.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from narrows.threads import count_cores, one_thread_a_product

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The result of `work` for each item, in the order of the items."""
    threads = count_cores()
    with one_thread_a_product(), ThreadPoolExecutor(threads) as pool:
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
