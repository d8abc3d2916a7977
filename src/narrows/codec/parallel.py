"""Work on one block after another, by several processes or threads or in this one, with results in order.

General compressors let go of the interpreter for seconds, so that threads share their work. Pixel models are
computed by processes (`workers`), if there is enough to do for the fifth of a second that these take
to start. At most one item more than there are of them is begun before its result is taken, which bounds the
memory. Each matrix product uses one thread.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain, islice
from typing import Any, TypeVar

from narrows.codec.pixel_model import PixelModel
from narrows.threads import count_cores, one_thread_a_product

MOST = 4  # processes or threads: each holds a block, and what is made of it, in 200 MB
ENOUGH = 1 << 17  # bytes of the first of several blocks, from which processes are started

Item = TypeVar("Item", bound=tuple[Any, ...])
Result = TypeVar("Result")


def in_order(
    work: Callable[[Item, PixelModel | None], Result],
    items: Iterable[Item],
    model: PixelModel | None,
) -> Iterator[Result]:
    """The result of `work(item, model)` for each item, in the order of the items; by as many processes or
    threads as there are processors, 4 at most.

    work: a function of a module, which other processes find. items: tuples of which the first is the block.
    """
    left = iter(items)
    first = list(islice(left, 2))
    every = chain(first, left)
    count = min(count_cores(), MOST)
    with one_thread_a_product():
        if model is None:
            yield from _by_threads(partial(_without_model, work), every, count)
        elif count > 1 and len(first) > 1 and first[0][0].length >= ENOUGH and sys.executable:
            from narrows.codec.workers import workers

            with workers(model, count) as done:
                yield from _by_threads(partial(done, work), every, count)
        else:
            yield from (work(item, model) for item in every)


def _without_model(work: Callable[[Item, None], Result], item: Item) -> Result:
    return work(item, None)


def _by_threads(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Iterator[Result]:
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
