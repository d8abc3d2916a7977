"""Options that verbs share, and how `--set part.option=value` becomes changes of a recipe."""

import ast
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import CoercionError, Parameter, Token

from narrows.choose import merge_spec
from narrows.errors import BuildError


def integer(kind: Any, tokens: Sequence[Token]) -> int:
    """The integer of an option. cyclopts alone would round a fraction."""
    text = tokens[0].value
    try:
        return int(text)
    except ValueError:
        words = f"got {text!r}, expected a whole number"
        raise CoercionError(msg=words, token=tokens[0]) from None


def integers(kind: Any, tokens: Sequence[Token]) -> list[int]:
    """The integers of an option that takes several."""
    return [integer(int, [token]) for token in tokens]


Integer = Annotated[int, Parameter(converter=integer)]  # the type of every option that takes an int
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print numbers as JSON.")]
Force = Annotated[bool, Parameter(negative="", help="Replace what is there.")]
Output = Annotated[str, Parameter(name=["--output", "-o"], help="Where to write.")]
Noisy = Annotated[
    str, Parameter(help="The same images with noise of your own: a folder of the same names, or a file.")
]
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

    epochs: Integer | None = None
    batch_size: Integer | None = None
    seed: Integer | None = None
    device: str | None = None
    validation: float | None = None
    set: Annotated[list[str] | None, Parameter(negative="")] = None

    def as_dict(self) -> dict[str, Any]:
        """The changes that were asked for, by the names that models know."""
        names = {"epochs": "epochs", "batch_size": "batch_size", "seed": "random_state", "device": "device",
                 "validation": "validation"}  # fmt: skip
        found = {new: getattr(self, old) for old, new in names.items() if getattr(self, old) is not None}
        for text in self.set or []:
            found = merge_spec(found, assignment(text))
        return found


@Parameter(name="*")
@dataclass
class Reading:
    """How image files are read.

    Parameters
    ----------
    size
        Height and width (or one number for both) to bring every picture to.
    fit
        How: crop (scale, and cut the centre out), pad (scale, and fill up with black) or stretch.
    grey
        Make colour pictures grey.
    strict
        Stop at the first file that cannot be read; by default it is skipped and told.
    """

    size: Annotated[list[int] | None, Parameter(consume_multiple=True, negative="", converter=integers)] = None
    fit: str = "crop"
    grey: Annotated[bool, Parameter(negative="")] = False
    strict: Annotated[bool, Parameter(negative="")] = False

    def as_options(self) -> dict[str, Any]:
        """What was asked for, by the names that readers know."""
        found: dict[str, Any] = {name: True for name in ("grey", "strict") if getattr(self, name)}
        if self.fit != "crop":
            found["fit"] = self.fit
        if self.size is not None:
            found["size"] = self.size[0] if len(self.size) == 1 else list(self.size)
        return found

    def of(self, data: str, noisy: str = "") -> Any:
        """The data as a reader takes it: a name or a path, with these options if there are any."""
        options = {**self.as_options(), **({"noisy": noisy} if noisy else {})}
        return {"kind": data, **options} if options else data


@Parameter(name="*")
@dataclass
class Tsne:
    """What takes the place of t-SNE, in figures that ask for it.

    Parameters
    ----------
    no_tsne
        Show codes by principal components, not by t-SNE.
    quick_tsne
        Of many codes lay out some by t-SNE, others beside them.
    """

    no_tsne: Annotated[bool, Parameter(negative="")] = False
    quick_tsne: Annotated[bool, Parameter(negative="")] = False

    @property
    def method(self) -> str:
        return "components" if self.no_tsne else "quick-tsne" if self.quick_tsne else "tsne"


@Parameter(name="*")
@dataclass
class How:
    """How models are trained and what becomes of it.

    Parameters
    ----------
    log
        Also log to a tracker: tensorboard, wandb or mlflow.
    reuse
        Take over what the folder holds already, where nothing that made it has changed.
    resume
        The same, and go on with a training that was broken off, as if it had not been; --epochs may ask for more.
    save_every
        Minutes between two states of a training, to go on from; one is written after each epoch too.
    force
        Replace what is there.
    devices
        How many processes of this machine to spread each training over: one a GPU, or so many on its CPU.
    json
        Print numbers as JSON.
    """

    log: str | None = None
    reuse: Annotated[bool, Parameter(negative="")] = False
    resume: Annotated[bool, Parameter(negative="")] = False
    save_every: float = 10.0
    force: Annotated[bool, Parameter(negative="")] = False
    devices: Integer = 1
    json: Annotated[bool, Parameter(negative="")] = False


def assignment(text: str) -> dict[str, Any]:
    """`part.option=value` as nested dicts; the value is read as TOML or as Python, or else taken as a word.

    >>> assignment("bottleneck.size=64")
    {'bottleneck': {'size': 64}}
    """
    name, _, value = text.partition("=")
    parts, value = [part.strip() for part in name.split(".")], value.strip()
    if not (all(parts) and value):
        raise BuildError(f"--set: got {text!r}, expected part.option=value, such as bottleneck.size=64")
    found = _value(value)
    for part in reversed(parts):
        found = {part: found}
    return found


def _value(text: str) -> Any:
    for read in (lambda text: tomllib.loads(f"value = {text}")["value"], ast.literal_eval):
        with suppress(ValueError, SyntaxError):
            return read(text)
    return text
