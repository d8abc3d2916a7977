"""A progress bar for long work: drawn if stderr is a terminal, nothing otherwise."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Words = Callable[[], str]
Advance = Callable[[Words], None]
OFTEN = 0.1  # seconds between two texts


@contextmanager
def progress_bar(what: str, total: int, done: int = 0) -> Iterator[Advance]:
    """A bar of `total` steps, of which `done` are done; yields a function that advances it by one.

    That function takes another one, which makes the text next to the bar when it is updated.
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
        updated = -OFTEN

        def advance(words: Words) -> None:
            nonlocal updated
            now = time.monotonic()
            if now - updated < OFTEN:
                bar.advance(task)
            else:
                updated = now
                bar.update(task, advance=1, words=words())

        yield advance
