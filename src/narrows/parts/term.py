"""A term of the loss, as its maker describes it: what it is called, what it means, in which unit it
is.

A loss is a sum of named terms, loss = Σ terms. The part or objective that makes a term declares it
here, so that histories, figures and tables need no list of names:

    Term("kl", "KL to the prior", "nats an image", "KL(q(z|x) ‖ p(z))")

This module is pure Python: a page can be drawn from a record of a run without torch.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from narrows.errors import BuildError


@dataclass(frozen=True)
class Term:
    """A term of the loss. name: its key in a history. title: for people. unit: empty if it has
    none.

    caption: what it is, for a figure or a table; may be empty. former: its name in files of earlier
    versions, if it had another.
    """

    name: str
    title: str
    unit: str = ""
    caption: str = ""
    former: str = ""


def described_terms(names: Iterable[str], declared: Iterable[Term]) -> dict[str, Term]:
    """The terms put out under `names`, as they were declared; the title of an undeclared one is its
    name.
    """
    by_name = {term.name: term for term in declared}
    return {name: by_name.get(name) or Term(name, name.replace("_", " ")) for name in names}


def present_names(names: Iterable[str], declared: Iterable[Term]) -> dict[str, str]:
    """By each name in a file, perhaps of an earlier version, the present one: of a term, of its
    validation ("val_"), of any other column.
    """
    terms = tuple(declared)
    present = {term.name for term in terms}
    former = {term.former: term.name for term in terms if term.former not in ("", *present)}
    former |= {f"val_{old}": f"val_{new}" for old, new in former.items()}
    return {name: former.get(name, name) for name in names}


def refuse_same_names(terms: Iterable[Term]) -> None:
    """Refuse terms that would overwrite each other. Raises `BuildError`."""
    counts = Counter(term.name for term in terms)
    for name in sorted(counts):
        if counts[name] > 1:
            raise BuildError(
                f"{counts[name]} terms of the loss are called {name!r}: each needs a name of its own; "
                "give one penalty of a kind, or rename the term of a registered part"
            )
