"""Options that verbs share, and how `--set part.option=value` becomes changes of a recipe."""

import tomllib
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter

from narrows.choose import merge
from narrows.errors import BuildError

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print numbers as JSON.")]
Force = Annotated[bool, Parameter(negative="", help="Replace what is there.")]
Output = Annotated[str, Parameter(name=["--output", "-o"], help="Where to write.")]
Data = Annotated[str, Parameter(help="A named set (digits, mnist, fashion-mnist, coloured-mnist) or a path.")]


@Parameter(name="*")
@dataclass
class Changes:
    """Changes to a recipe.

    Parameters
    ----------
    epochs
        How many times to go through the images.
    batch_size
        Images in a step.
    seed
        Fixes everything that is random.
    device
        auto, cpu, cuda or mps.
    validation
        Share of the training images held back to choose the best epoch by.
    set
        part.option=value, as in bottleneck.size=64; may be given several times.
    """

    epochs: int | None = None
    batch_size: int | None = None
    seed: int | None = None
    device: str | None = None
    validation: float | None = None
    set: Annotated[list[str] | None, Parameter(negative="")] = None

    def as_dict(self) -> dict[str, Any]:
        """The changes that were asked for, by the names that models know."""
        names = {"epochs": "epochs", "batch_size": "batch_size", "seed": "random_state", "device": "device",
                 "validation": "validation"}  # fmt: skip
        found = {new: getattr(self, old) for old, new in names.items() if getattr(self, old) is not None}
        for text in self.set or []:
            found = merge(found, assignment(text))
        return found


def assignment(text: str) -> dict[str, Any]:
    """`part.option=value` as nested dicts; the value is read as TOML, or else taken as a word.

    >>> assignment("bottleneck.size=64")
    {'bottleneck': {'size': 64}}
    """
    name, equals, value = text.partition("=")
    if not (equals and name.strip()):
        raise BuildError(f"--set: got {text!r}, expected part.option=value, such as bottleneck.size=64")
    try:
        found: Any = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        found = value
    for part in reversed(name.strip().split(".")):
        found = {part: found}
    return found
