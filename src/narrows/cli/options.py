"""Options that verbs share, and how `--set part.option=value` becomes changes of a recipe."""

import ast
import re
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import CoercionError, Parameter, Token

from narrows.choose import merge_spec
from narrows.errors import BuildError, wrong

NAMES = re.compile(
    r"\[[\w\s-]+(,[\w\s-]+)*\]"
)  # a list of names without quotes, as shells leave it


def integer(kind: Any, tokens: Sequence[Token]) -> int:
    """The integer of an option. cyclopts alone would round a fraction."""
    text = tokens[0].value
    try:
        return int(text)
    except ValueError:
        words = f"got {text!r}, expected an integer"
        raise CoercionError(msg=words, token=tokens[0]) from None


def integers(kind: Any, tokens: Sequence[Token]) -> list[int]:
    """The integers of an option that takes several."""
    return [integer(int, [token]) for token in tokens]


Integer = Annotated[int, Parameter(converter=integer)]  # the type of every option that takes an int
Flag = Annotated[bool, Parameter(negative="")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print numbers as JSON.")]
Force = Annotated[bool, Parameter(negative="", help="Replace output that exists.")]
Output = Annotated[
    str, Parameter(name=["--output", "-o"], help="Where to write; missing folders are created.")
]
Noisy = Annotated[
    str,
    Parameter(
        help="The same images with your own noise: a folder with the same file names, or a file."
    ),
]
Data = Annotated[
    str,
    Parameter(
        help="A named set (digits, mnist, fashion-mnist, coloured-mnist), or the path of a folder, "
        "a pack, or an IDX, .npy or .npz file."
    ),
]


Normal = Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")]
Split = Annotated[
    str,
    Parameter(
        help="train, val, test or all; by default test if the images have such a part, else all."
    ),
]


def levels_of_range(words: list[str] | None) -> Any:
    """`--range LOW HIGH` or `--range auto`, as the option `levels` of models."""
    if not words:
        return None
    if words == ["auto"]:
        return "auto"
    try:
        low, high = map(float, words)
    except ValueError:
        expected = "two numbers, those of black and white, or auto"
        raise wrong("--range", " ".join(words), expected) from None
    return low, high


@Parameter(name="*")
@dataclass
class Changes:
    """Changes to a recipe.

    Parameters
    ----------
    epochs
        Number of passes over the training images; by default that of the recipe, or more
        if there are few images.
    batch_size
        Images in each step; by default that of the recipe, or fewer if there are few images.
    seed
        Seed of all random numbers, an integer ≥ 0; by default that of the recipe.
    device
        auto, cpu, cuda or mps; by default auto, the best of this machine.
    range
        The values of black and white, such as 0 4095 for a camera of 12 bits; or auto, the 0.1 and 99.9
        percentiles of the training images. By default those that the files state, else those of their type.
    validation
        Share of the training images held back to choose the best epoch, such as 0.1; by default
        that of the recipe.
    minutes
        For the recipe anomaly: how long it may train networks as further candidates, such as 5; by
        default 0, no networks.
    set
        An option of the recipe as part.option=value, such as bottleneck.size=64; can be repeated.
        `narrows parts` lists the options.
    """

    epochs: Integer | None = None
    batch_size: Integer | None = None
    seed: Integer | None = None
    device: str | None = None
    range: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None
    validation: float | None = None
    minutes: float | None = None
    set: Annotated[list[str] | None, Parameter(negative="")] = None

    def as_dict(self) -> dict[str, Any]:
        """The given changes, by the names that models use."""
        given = {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "random_state": self.seed,
            "device": self.device,
            "validation": self.validation,
            "minutes": self.minutes,
            "levels": levels_of_range(self.range),
        }
        changes: dict[str, Any] = {
            name: value for name, value in given.items() if value is not None
        }
        for text in self.set or []:
            changes = merge_spec(changes, assignment(text))
        return changes


@Parameter(name="*")
@dataclass
class Reading:
    """How image files are read.

    Parameters
    ----------
    size
        Height and width of every picture in pixels, or one number for both; by default it keeps
        its size.
    fit
        How to reach that size: crop (scale, cut out the centre), pad (scale, fill with black) or
        stretch.
    grey
        Convert colour pictures to grey.
    strict
        Stop at the first file that cannot be read; by default it is skipped and reported.
    labels
        A CSV file with the columns file and label: the classes of the pictures in a folder.
    array
        The name of the array that holds the images, for files of several: .npz, .mat, HDF5, ...
    shape
        Height, width and channels of an image, for files of rows of values: .csv, .mat, ...
    axis
        The axis, counted from 0, along which the images are stacked: for NIfTI (the slices of a
        volume; by default 2), MATLAB and HDF5.
    """

    size: Annotated[
        list[int] | None, Parameter(consume_multiple=True, negative="", converter=integers)
    ] = None
    fit: str = "crop"
    grey: Annotated[bool, Parameter(negative="")] = False
    strict: Annotated[bool, Parameter(negative="")] = False
    labels: str = ""
    array: str = ""
    shape: Annotated[
        list[int] | None, Parameter(consume_multiple=True, negative="", converter=integers)
    ] = None
    axis: Integer | None = None

    def as_options(self) -> dict[str, Any]:
        """The given options, by the names that readers use."""
        options: dict[str, Any] = {}
        if self.grey:
            options["grey"] = True
        if self.strict:
            options["strict"] = True
        if self.labels:
            options["labels"] = self.labels
        if self.fit != "crop":
            options["fit"] = self.fit
        if self.size is not None:
            side, *others = self.size
            options["size"] = [side, *others] if others else side
        if self.array:
            options["array"] = self.array
        if self.shape is not None:
            options["shape"] = self.shape
        if self.axis is not None:
            options["axis"] = self.axis
        return options

    def of(self, data: str, noisy: str = "") -> Any:
        """The data as a reader takes it: a name or a path, with these options if there are any."""
        options = self.as_options()
        if noisy:
            options["noisy"] = noisy
        return {"kind": data, **options} if options else data


@Parameter(name="*")
@dataclass
class Tsne:
    """What replaces t-SNE in figures that ask for it.

    Parameters
    ----------
    no_tsne
        Show codes by their principal components instead of t-SNE.
    quick_tsne
        If there are many codes, lay out a subset by t-SNE and the others next to their nearest
        neighbours.
    """

    no_tsne: Annotated[bool, Parameter(negative="")] = False
    quick_tsne: Annotated[bool, Parameter(negative="")] = False

    @property
    def method(self) -> str:
        if self.no_tsne:
            return "components"
        if self.quick_tsne:
            return "quick-tsne"
        return "tsne"


@Parameter(name="*")
@dataclass
class How:
    """How models are trained, and how results are kept and printed.

    Parameters
    ----------
    log
        Also log to a tracker: tensorboard, wandb or mlflow.
    reuse
        Keep the models that the folder already holds, if nothing that made them has changed.
    resume
        Like --reuse, and continue an interrupted training as if it had not stopped; --epochs can
        ask for more.
    save_every
        Minutes between two checkpoints of a training; one is also written after each epoch.
    force
        Replace output that exists.
    devices
        Number of processes that share each training on this machine: one for each GPU, or this
        many on the CPU.
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
    """`part.option=value` as nested dicts; the value is read as TOML or as Python, or else kept as text.

    >>> assignment("bottleneck.size=64")
    {'bottleneck': {'size': 64}}
    """
    name, _, value = text.partition("=")
    parts, value = [part.strip() for part in name.split(".")], value.strip()
    if not (all(parts) and value):
        raise BuildError(
            f"--set: got {text!r}, expected part.option=value, such as bottleneck.size=64"
        )
    nested = _value(value)
    for part in reversed(parts):
        nested = {part: nested}
    return nested


def _value(text: str) -> Any:
    with suppress(ValueError):
        return tomllib.loads(f"value = {text}")["value"]
    with suppress(ValueError, SyntaxError):
        return ast.literal_eval(text)
    if NAMES.fullmatch(text):
        return [name.strip() for name in text[1:-1].split(",")]
    return text
