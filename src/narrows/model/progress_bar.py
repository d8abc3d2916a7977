"""A bar for long work: shown where errors go to a terminal, silent elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Words = Callable[[], str]
Advance = Callable[[Words], None]
OFTEN = 0.1  # seconds between two words


@contextmanager
def progress_bar(what: str, total: int, done: int = 0) -> Iterator[Advance]:
    """A bar of `total` steps, `done` of them; the block is given a function to advance it by one,
    with words.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda words: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, TextColumn("{task.fields[words]}"), console=console, transient=True
    ) as bar:
        task = bar.add_task(what, total=total, completed=done, words="")
        said = -OFTEN

        def advance(words: Words) -> None:
            nonlocal said
            now = time.monotonic()
            if now - said < OFTEN:
                bar.advance(task)
            else:
                said = now
                bar.update(task, advance=1, words=words())

        yield advance
