"""What the command line prints: results to standard output, everything else to standard error."""

import json
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from narrows.errors import BuildError, NarrowsWarning, UnknownName, escaped


def tell(words: str) -> None:
    """A line about the work, to the standard error."""
    print(escaped(words), file=sys.stderr, flush=True)


def complain(words: str) -> None:
    tell(f"narrows: {words}")


def code_of(error: BaseException) -> int:
    """The exit code: 2 if the command was wrong, else 1."""
    if isinstance(error, (UnknownName, BuildError)):
        return 2
    return 1


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Show the warnings of Narrows in the style of its other messages, each time, without their
    source line.
    """
    showwarning = warnings.showwarning

    def show(message: Any, category: type[Warning], *where: Any) -> None:
        if issubclass(category, NarrowsWarning):
            complain(f"warning: {message}")
        else:
            showwarning(message, category, *where)

    with warnings.catch_warnings():
        warnings.simplefilter("always", NarrowsWarning)
        warnings.showwarning = show
        yield


def give(table: Any, as_json: bool = False) -> None:
    """A table of results, as text or as JSON."""
    from narrows.measure import Table

    if as_json:
        print(Table(table).to_json())
    else:
        print(Table(table))


def give_facts(facts: dict[str, Any], as_json: bool = False) -> None:
    """Names and values, a line each, or one JSON object."""
    from narrows.measure import Table

    if as_json:
        print(json.dumps(json.loads(Table([facts]).to_json())[0], indent=2))
    else:
        give([{"": name, " ": value} for name, value in facts.items()])
