"""What the command line says: results to the standard output, everything else to the standard error."""

import json
import sys
from typing import Any


def tell(words: str) -> None:
    """A line about the work, to the standard error."""
    print(words, file=sys.stderr, flush=True)


def complain(words: str) -> None:
    tell(f"narrows: {words}")


def give(table: Any, as_json: bool = False) -> None:
    """A table of results, as text or as JSON."""
    from narrows.measure import Table

    print(Table(table).to_json() if as_json else Table(table))


def give_facts(facts: dict[str, Any], as_json: bool = False) -> None:
    """Names and values, a line each, or one JSON object."""
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        give([{"": name, " ": value} for name, value in facts.items()])
