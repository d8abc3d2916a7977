"""The study file: what is run, what is measured, what is drawn, and what was published. TOML, read
strictly.

    title = "A plane for a code"        question = "..."            text = ["a paragraph", ...]
    data = "mnist"                      a named set, a path, or { kind = "coloured-mnist", colour = "image" };
                                        pairs: { kind = "clean", noisy = "noisy" }, of two folders
                                        or two files, for runs with
                                        changes = { corruption = "pairs" }; others are measured on
                                        them too, and those that learn from noisy images alone are
                                        trained on the noisy ones

    [[runs]]                            one trained model
    name = "vae"
    recipe = "lab-d"
    changes = { epochs = 5 }            merged into the recipe
    data = "fashion-mnist"              its own data, instead of the study's
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
from narrows.study.parse import parse
from narrows.study.read_toml import read_toml

Whole = Annotated[int, msgspec.Meta(ge=1)]
SOURCES = ("history", "batch", "test", "error")  # a number has one of them
BELONGS_TO = {"epoch": "history", "mean": "history", "trap": "error"}  # keys of a number -> source
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
    runs = []
    for entry in _entries(plain, "runs"):
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            return None
        runs.append(parse(entry, Run, Faults("")) or Run(name, next(iter(RECIPES))))
    if not runs:
        return None
    numbers, figures = _right(plain, "numbers", Number), _right(plain, "figures", Drawing)
    return Study("", runs, numbers=numbers, figures=figures)


def _entries(plain: dict[str, Any], key: str) -> list[Any]:
    """The entries of a list; none if it is missing or no list."""
    entries = plain.get(key)
    if isinstance(entries, list):
        return entries
    return []


def _right(plain: dict[str, Any], key: str, kind: Any) -> list[Any]:
    """The entries of a list that are right in themselves."""
    entries = [parse(entry, kind, Faults("")) for entry in _entries(plain, key)]
    return [entry for entry in entries if entry is not None]


def validate_study(study: Study, faults: Faults) -> None:
    """Add to `faults` names that do not exist or cannot be used."""
    names = [run.name for run in study.runs]
    if not names:
        faults.add("it has no runs; it needs at least one [[runs]]")
    _once(faults, "runs", names)
    _once(faults, "figures", [figure.title for figure in study.figures])
    for run in study.runs:
        _run(faults, run)
    for number in study.numbers:
        _known(faults, "run", number.run, names)
        _number(faults, number)
    for figure in study.figures:
        _figure(faults, figure)
        for run in figure.runs:
            _known(faults, "run", run, names)


def _run(faults: Faults, run: Run) -> None:
    """A name that cannot be a folder's, a recipe that there is not, changes that it cannot take."""
    if Path(run.name).name != run.name or not run.name.strip(". "):
        faults.add(f"the run {run.name!r}: its name cannot be that of a folder; use another name")
    if run.recipe not in RECIPES:
        _known(faults, "recipe", run.recipe, RECIPES)
        return
    wrong = Faults(run.name)
    with wrong.catch():
        _check_changes(run, wrong)
    for fault in wrong.found:
        faults.add(f"the run {run.name!r}: {fault}")


def _check_changes(run: Run, faults: Faults) -> None:
    """Changes that the recipe cannot take, and epochs to watch where the model has none."""
    model = recipe(run.recipe, **run.changes)
    model.validate_options(faults)
    if run.watch and not model.fits_in_epochs:
        kind = type(model).__name__
        faults.add(f"a {kind} has no epochs after which to watch the {run.watch} images")


def _number(faults: Faults, number: Number) -> None:
    """A number without a source or with several, and keys that do not go with its source."""
    title, sources = f"the number {number.label!r}", _sources_of(number)
    if len(sources) != 1:
        got = " and ".join(sources) or "none"
        faults.add(f"{title} needs exactly one of {', '.join(SOURCES)}; it has {got}")
    for name, source in BELONGS_TO.items():
        if getattr(number, name) and source not in sources:
            faults.add(f"{title} has {name!r}, which only numbers with {source!r} can have")
    if number.mean and number.epoch:
        faults.add(f"{title} has both 'epoch' and 'mean'; give one of them")
    if isinstance(number.published, list) and "error" not in sources:
        faults.add(f"{title} has a list as 'published', which only numbers with 'error' can have")


def _sources_of(number: Number) -> list[str]:
    return [name for name in SOURCES if getattr(number, name) is not None]


def _once(faults: Faults, what: str, names: list[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            faults.add(f"{count} {what} are called {name!r}; give each a name of its own")


def _figure(faults: Faults, figure: Drawing) -> None:
    """An unknown kind of figure; options that it does not have, or needs."""
    if figure.kind not in STUDY_FIGURES:
        _known(faults, "kind of figure", figure.kind, STUDY_FIGURES)
        return
    title, known = f"the figure {figure.title!r}", _options_of(figure.kind)
    for option in figure.options:
        if option not in known:
            faults.add(f"{title} has no option {option!r}; {did_you_mean(option, known)}")
    for option, default in known.items():
        if default is inspect.Parameter.empty and option not in figure.options:
            faults.add(f"{title} needs the option {option!r}")


def _options_of(kind: str) -> dict[str, Any]:
    """The options of a kind of figure with their defaults; those that it does not name itself go to
    the drawing.
    """
    picture = STUDY_FIGURES[kind]
    options = default_options(picture, GIVEN)
    parameters = inspect.signature(picture).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return {**default_options(FIGURES[PASSED_ON], GIVEN), **options}
    return options


def _known(faults: Faults, what: str, name: str, known: Any) -> None:
    if name not in known:
        faults.add(str(unknown(what, name, known)))
