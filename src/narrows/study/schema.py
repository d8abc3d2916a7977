"""The study file: what is run, what is measured, what is drawn, and what was published. TOML, read
strictly.

    title = "A plane for a code"        question = "..."            text = ["a paragraph", ...]
    data = "mnist"                      a named set, a path, or { kind = "coloured-mnist", colour = "image" };
                                        pairs: { kind = "clean", noisy = "noisy" }, of two folders
                                        or two files, for runs with
                                        changes = { corruption = "pairs" }; others are measured on
                                        them too

    [[runs]]                            one trained model
    name = "vae"
    recipe = "lab-d"
    changes = { epochs = 5 }            merged into the recipe
    data = "fashion-mnist"              its own data, in place of the study's
    snapshots = [1, 5]                  epochs after which pictures of it are taken
    watch = "test"                      take the validation loss and measures on the test images (no
                                        choice of the best epoch may depend on them: for recipes
                                        that keep the last)

    [[numbers]]                         one row of the table published | faithful | difference; see `numbers`
    label = "PSNR after epoch 20, dB"
    run = "vae"
    history = "val_psnr"                an entry of the model's history, at `epoch` (default: the last),
    epoch = 20                          or its mean over epochs with `mean = true`;
    batch = "loss"                      or that of the last mini-batch; or test = "psnr", a measure
                                        of test images;
    error = { on = "test", index = [9710] }   or the squared error of chosen images
    trap = 255                          the same error with the input multiplied, in a column of its own
    published = 14.17                   a list for several images
    per_pixel = false                   divide by the number of values in an image
    times = 1.0                         multiply by this

    [[figures]]                         see `figures.STUDY_FIGURES` for the kinds
    kind = "curves"
    title = "Loss"
    caption = "what to see"
    runs = ["vae"]                      default: all
    options = { of = ["loss", "val_loss"] }

Unknown keys, wrong types, names that do not exist (recipes and their options, runs, kinds of figure
and their options) and names given twice are refused, all at once.
"""

import inspect
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from narrows.choose import default_options
from narrows.draw import FIGURES
from narrows.errors import DataError, Faults, did_you_mean, unknown
from narrows.model.recipes import RECIPES, recipe
from narrows.study.figures import STUDY_FIGURES
from narrows.study.parse import parse, read_toml

Whole = Annotated[int, msgspec.Meta(ge=1)]
SOURCES = ("history", "batch", "test", "error")  # a number has one of them
PASSED_ON = "curves"  # the drawing that options of pictures of curves go to
# arguments of a picture and a drawing that are no options
GIVEN = ("run", "runs", "arrays", "title")


class Run(msgspec.Struct, forbid_unknown_fields=True):
    """One model to train."""

    name: str
    recipe: str
    changes: dict[str, Any] = {}
    data: str | dict[str, Any] | None = None
    snapshots: list[Whole] = []
    watch: Literal["", "test"] = ""


class Number(msgspec.Struct, forbid_unknown_fields=True):
    """One number, next to the published one."""

    label: str
    run: str
    history: str | None = None
    batch: str | None = None
    test: str | None = None
    error: dict[str, Any] | None = None
    epoch: Whole | None = None
    mean: bool = False
    per_pixel: bool = False
    times: float = 1.0
    trap: float | None = None
    published: float | list[float] | None = None


class Drawing(msgspec.Struct, forbid_unknown_fields=True):
    """One figure, or a series of one kind."""

    kind: str
    title: str
    caption: str = ""
    runs: list[str] = []
    options: dict[str, Any] = {}


class Study(msgspec.Struct, forbid_unknown_fields=True):
    """A study."""

    title: str
    runs: list[Run]
    data: str | dict[str, Any] = "mnist"
    question: str = ""
    text: list[str] = []
    measure_scale: Literal["unit", "symmetric"] = "unit"
    numbers: list[Number] = []
    figures: list[Drawing] = []


def read_study(path: Path) -> Study:
    """A study from its file. Raises `DataError` with all that the file says wrongly."""
    plain, faults = read_toml(path), Faults(str(path))
    study = parse(plain, Study, faults)
    readable = study or _readable(plain)
    if readable is not None:
        validate_study(readable, faults)
    faults.stop(DataError)
    assert study is not None  # there were no faults
    return study


def _readable(plain: dict[str, Any]) -> Study | None:
    """What of a faulty file can be validated: the entries that are right in themselves, and every
    run's name.

    None where a run has no name, since then nobody can say which runs there are.
    """
    given = {
        key: plain[key] if isinstance(plain.get(key), list) else []
        for key in ("runs", "numbers", "figures")
    }
    names = [run.get("name") if isinstance(run, dict) else None for run in given["runs"]]
    if not names or not all(isinstance(name, str) for name in names):
        return None

    def right(key: str, kind: Any) -> list[Any]:
        return [parse(one, kind, Faults("")) for one in given[key]]

    runs = [
        run or Run(str(name), next(iter(RECIPES))) for run, name in zip(right("runs", Run), names)
    ]
    numbers, figures = (
        list(filter(None, right(*one))) for one in (("numbers", Number), ("figures", Drawing))
    )
    return Study("", runs, numbers=numbers, figures=figures)


def validate_study(study: Study, faults: Faults) -> None:
    """Add to `faults` names that do not exist or cannot be used."""
    names = [run.name for run in study.runs]
    if not names:
        faults.add("it has no runs")
    _once(faults, "runs", names)
    _once(faults, "figures", [figure.title for figure in study.figures])
    for run in study.runs:
        _run(faults, run)
    for number in study.numbers:
        _number(faults, number, names)
    for figure in study.figures:
        _known(faults, "kind of figure", figure.kind, STUDY_FIGURES)
        if figure.kind in STUDY_FIGURES:
            _options(faults, figure)
        for run in figure.runs:
            _known(faults, "run", run, names)


def _run(faults: Faults, run: Run) -> None:
    """A name that cannot be a folder's, a recipe that there is not, changes that it cannot take."""
    if Path(run.name).name != run.name or not run.name.strip(". "):
        faults.add(f"the run {run.name!r} cannot name a folder")
    if run.recipe not in RECIPES:
        return _known(faults, "recipe", run.recipe, RECIPES)
    wrong = Faults(run.name)
    with wrong.catch():
        model = recipe(run.recipe, **run.changes)
        model.validate_options(wrong)
        if run.watch and not model.fits_in_epochs:
            wrong.add(
                f"a {type(model).__name__} has no epochs after which to watch the {run.watch} images"
            )
    for fault in wrong.found:
        faults.add(f"the run {run.name!r}: {fault}")
    return None


def _number(faults: Faults, number: Number, names: list[str]) -> None:
    _known(faults, "run", number.run, names)
    given = [name for name in SOURCES if getattr(number, name) is not None]
    if len(given) != 1:
        got = " and ".join(given) or "none"
        faults.add(
            f"the number {number.label!r} needs just one of {', '.join(SOURCES)}; it has {got}"
        )
    for name, needed in (("epoch", "history"), ("mean", "history"), ("trap", "error")):
        if getattr(number, name) and needed not in given:
            faults.add(
                f"the number {number.label!r} has {name!r}, which goes with {needed!r} alone"
            )
    if number.mean and number.epoch:
        faults.add(
            f"the number {number.label!r} has an epoch and a mean over all of them: give one"
        )
    if isinstance(number.published, list) and "error" not in given:
        faults.add(
            f"the number {number.label!r} has a list as 'published', which goes with 'error' alone"
        )


def _once(faults: Faults, what: str, names: list[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            faults.add(f"{count} {what} are called {name!r}; give each a name of its own")


def _options(faults: Faults, figure: Drawing) -> None:
    """Options that the kind has not, or lacks; those it does not name itself go to the drawing."""
    make = STUDY_FIGURES[figure.kind]
    known = default_options(make, GIVEN)
    if any(p.kind is p.VAR_KEYWORD for p in inspect.signature(make).parameters.values()):
        known = {**default_options(FIGURES[PASSED_ON], GIVEN), **known}
    for option in figure.options:
        if option not in known:
            faults.add(
                f"the figure {figure.title!r} has no option {option!r}; {did_you_mean(option, known)}"
            )
    for option, default in known.items():
        if default is inspect.Parameter.empty and option not in figure.options:
            faults.add(f"the figure {figure.title!r} needs the option {option!r}")


def _known(faults: Faults, what: str, name: str, known: Any) -> None:
    if name not in known:
        faults.add(str(unknown(what, name, known)))
