"""The study file: what is run, what is measured, what is drawn, and what was published. TOML, read strictly.

    title = "A plane for a code"        question = "..."            text = ["a paragraph", ...]
    data = "mnist"                      a named set, a path, or { kind = "coloured-mnist", colour = "image" }

    [[runs]]                            one trained model
    name = "vae"
    recipe = "lab-d"
    changes = { epochs = 5 }            merged into the recipe
    snapshots = [1, 5]                  epochs after which pictures of it are taken
    watch = "test"                      take the validation loss and measures on the test images (no choice of the
                                        best epoch may hang on them: for recipes that keep the last)

    [[numbers]]                         one row of the table published | faithful | difference
    label = "PSNR after epoch 20, dB"
    run = "vae"
    history = "val_psnr"                an entry of the model's history, at `epoch` (default: the last),
    epoch = 20                          or its mean over epochs with `mean = true`;
    published = 14.17                   or test = "psnr", a measure of the test images
    per_pixel = false                   divide by the number of values in an image

    [[figures]]                         see `pictures.PICTURES` for the kinds
    kind = "curves"
    title = "Loss"
    caption = "what to see"
    runs = ["vae"]                      default: all
    options = { of = ["loss", "val_loss"] }

Unknown keys, wrong types, names that do not exist (recipes, runs, kinds of figure and their options) and names given
twice are refused.
"""

import inspect
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from narrows.choose import options_of
from narrows.draw import FIGURES
from narrows.errors import DataError, Faults, did_you_mean, unknown
from narrows.model.recipes import RECIPES
from narrows.study.pictures import PICTURES


class Run(msgspec.Struct, forbid_unknown_fields=True):
    """One model to train."""

    name: str
    recipe: str
    changes: dict[str, Any] = {}
    snapshots: list[int] = []
    watch: Literal["", "test"] = ""


class Number(msgspec.Struct, forbid_unknown_fields=True):
    """One number, beside the published one."""

    label: str
    run: str
    history: str | None = None
    test: str | None = None
    epoch: Annotated[int, msgspec.Meta(ge=1)] | None = None
    mean: bool = False
    per_pixel: bool = False
    published: float | None = None


class Drawing(msgspec.Struct, forbid_unknown_fields=True):
    """One figure, or a series of one kind."""

    kind: str
    title: str
    caption: str = ""
    runs: list[str] = []
    options: dict[str, Any] = {}


class Study(msgspec.Struct, forbid_unknown_fields=True):
    """A whole study."""

    title: str
    runs: list[Run]
    data: str | dict[str, Any] = "mnist"
    question: str = ""
    text: list[str] = []
    measure_scale: Literal["unit", "symmetric"] = "unit"
    numbers: list[Number] = []
    figures: list[Drawing] = []


def read_study(path: Path) -> Study:
    """A study from its file. Raises `DataError` for what the file says wrongly, all names at once."""
    if not path.is_file():
        raise DataError(f"there is no study file {path}")
    try:
        study = msgspec.toml.decode(path.read_bytes(), type=Study, strict=True)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no study file: {error}") from error
    vet(study, str(path))
    return study


def vet(study: Study, where: str) -> None:
    """Refuse names that do not exist or cannot be used, all at once."""
    faults, names = Faults(where), [run.name for run in study.runs]
    if not names:
        faults.add("it has no runs")
    _once(faults, "runs", names)
    _once(faults, "figures", [figure.title for figure in study.figures])
    for run in study.runs:
        if Path(run.name).name != run.name or not run.name.strip(". "):
            faults.add(f"the run {run.name!r} cannot name a folder")
        _known(faults, "recipe", run.recipe, RECIPES)
    for number in study.numbers:
        _known(faults, "run", number.run, names)
        if (number.history is None) == (number.test is None):
            faults.add(f"the number {number.label!r} needs either history or test")
    for figure in study.figures:
        _known(faults, "kind of figure", figure.kind, PICTURES)
        if figure.kind in PICTURES:
            _options(faults, figure)
        for run in figure.runs:
            _known(faults, "run", run, names)
    faults.stop(DataError)


def _once(faults: Faults, what: str, names: list[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            faults.add(f"{count} {what} are called {name!r}; give each a name of its own")


def _options(faults: Faults, figure: Drawing) -> None:
    """Options that the kind has not, or lacks; those it does not name itself go to the drawing."""
    make = PICTURES[figure.kind]
    known = options_of(make, ("run", "shown"))
    if any(p.kind is p.VAR_KEYWORD for p in inspect.signature(make).parameters.values()):
        passed_on = (
            options_of(FIGURES[figure.kind], ("arrays", "title")) if figure.kind in FIGURES else figure.options
        )
        known = {**passed_on, **known}
    for option in figure.options:
        if option not in known:
            faults.add(f"the figure {figure.title!r} has no option {option!r}; {did_you_mean(option, known)}")
    for option, default in known.items():
        if default is inspect.Parameter.empty and option not in figure.options:
            faults.add(f"the figure {figure.title!r} needs the option {option!r}")


def _known(faults: Faults, what: str, name: str, known: Any) -> None:
    if name not in known:
        faults.add(str(unknown(what, name, known)))
