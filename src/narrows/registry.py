"""What you add of your own, entered by one line: parts of a model, and readers of files.

    narrows.register("body", Down)                          a class, see `parts.register`
    @narrows.register("up")                                 the same, above the class
    narrows.register("reader", read_raw, recognise=is_raw)  a function, see below

A reader is `reader(path, split, **options)`: the path of a file, one of the splits "train", "val",
"test" and "all", and options of its own, which `load_data(path, ...)` and study files may give. It
returns images `(N, H, W)` or `(N, H, W, C)`, or a tuple of images and labels, or an `ImageSet`; a
file that it cannot read it refuses with a `DataError`. Which files are its own it says by
`recognise(path, head)`, of the path and the first 4,096 bytes: True or False. That may be given as
an argument, or be an attribute of the reader. Registered readers are asked before all others.
"""

from typing import Any

from narrows.data.readers.formats import register_reader
from narrows.errors import unknown
from narrows.parts.kinds import KINDS
from narrows.parts.register import register_part

REGISTRARS = {**dict.fromkeys(KINDS, register_part), "reader": register_reader}


def register(kind: str, make: Any = None, *, name: str | None = None, **how: Any) -> Any:
    """Enter a class or a function of your own under `kind`, and give it back; without it, a
    decorator.

    kind: a kind of part (corruption, body, bottleneck, up, likelihood, prior, penalty or
    objective), or reader. name: by default its own. recognise, of a reader: `(path, head) -> bool`.
    The same class may be registered again, as when a cell is run twice; the name of another is
    refused.
    """
    if kind not in REGISTRARS:
        raise unknown("kind of part", kind, REGISTRARS)
    if make is None:
        return lambda made: register(kind, made, name=name, **how)
    return REGISTRARS[kind](kind, make, name=name, **how)
