"""Verbs that train and measure: demo, lab, study, train, compare, evaluate, report."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from narrows.cli.options import Changes, Data, Force, Json, Output
from narrows.cli.say import give, give_facts, tell

NO_CHANGES = Changes()
Fast = Annotated[
    bool, Parameter(name="--no-tsne", negative="", help="Show codes by principal components, not by t-SNE.")
]


def demo(output: Output = "narrows-demo", *, force: Force = False, json: Json = False) -> None:
    """Train a denoiser and a VAE on embedded digits, and measure them beside PCA: under a minute.

    Example: narrows demo
    """
    _run_file(_lab_file("demo"), output, None, NO_CHANGES, force, json)


def lab(
    name: str,
    /,
    *,
    output: Output = "",
    data: Data | None = None,
    no_tsne: Fast = False,
    changes: Changes = NO_CHANGES,
    force: Force = False,
    json: Json = False,
) -> None:
    """Run one lab: its numbers beside the published ones, its figures, and report.html.

    Example: narrows lab A -o lab-a

    Parameters
    ----------
    name
        The lab's letter, such as A; `narrows labs` lists them.
    """
    _run_file(_lab_file(name.lower()), output or f"narrows-lab-{name.lower()}", data, changes, force, json, no_tsne)


def study(
    file: str,
    /,
    *,
    output: Output = "",
    data: Data | None = None,
    no_tsne: Fast = False,
    changes: Changes = NO_CHANGES,
    force: Force = False,
    json: Json = False,
) -> None:
    """Run your own study file, as a lab is run.

    Example: narrows study my.toml -o my-study

    Parameters
    ----------
    file
        A study file in TOML.
    """
    _run_file(Path(file), output or f"narrows-{Path(file).stem}", data, changes, force, json, no_tsne)


def train(
    recipe: str,
    /,
    *,
    data: Data,
    output: Output,
    changes: Changes = NO_CHANGES,
    force: Force = False,
    json: Json = False,
) -> None:
    """Train a recipe on images: a run folder with the model, its history and a report.

    Example: narrows train vae-mlp --data mnist -o my-run --epochs 5 --set bottleneck.size=10

    Parameters
    ----------
    recipe
        A recipe's name; `narrows recipes` lists them.
    """
    from narrows.study.form import Run, Study

    _known([recipe])
    whole = Study(f"{recipe} on {data}", [Run(recipe, recipe)], _path(data))
    _run(whole, output, None, changes, force, json)


def compare(
    *recipes: str,
    data: Data,
    output: Output,
    changes: Changes = NO_CHANGES,
    force: Force = False,
    json: Json = False,
) -> None:
    """Train several recipes on the same images and measure them side by side.

    Example: narrows compare pca ae-mlp sparse-mlp --data mnist -o compared --epochs 5

    Parameters
    ----------
    recipes
        Names of recipes, two at least.
    """
    from narrows.errors import BuildError
    from narrows.study.form import Run, Study

    if len(recipes) < 2:
        raise BuildError(f"compare needs two recipes at least, got {len(recipes)}; `narrows recipes` lists them")
    _known(recipes)
    runs = [Run(name if recipes.count(name) == 1 else f"{name}-{k + 1}", name) for k, name in enumerate(recipes)]
    _run(Study(f"{', '.join(recipes)} on {data}", runs, _path(data)), output, None, changes, force, json)


def evaluate(run: str, /, *, data: Data, split: str = "", seed: int = 0, json: Json = False) -> None:
    """Measure a trained model on images: errors, PSNR, SSIM, bounds, and its code.

    Example: narrows evaluate my-run --data mnist

    Parameters
    ----------
    run
        A run folder, or a model file.
    split
        train, test or all; by default test for named sets, all for paths.
    seed
        Of noise and sampled codes.
    """
    from narrows.data import SETS, read
    from narrows.model.evaluate import evaluate as measured
    from narrows.model.store import load
    from narrows.study.page import measure_name

    model = load(run)
    images = read(data, split or ("test" if data in SETS else "all"))
    for name, reason in images.skipped:
        tell(f"skipped {name}: {reason}")
    found = measured(model, images.images, seed=seed)
    if json:
        give([found], as_json=True)
    else:
        give([{"measure": measure_name(name), "value": value} for name, value in found.items()])


def report(folder: str, /) -> None:
    """Draw the page of a run or a study again, from what is stored, without training.

    Example: narrows report my-run

    Parameters
    ----------
    folder
        A run folder, or the folder of a lab or a study.
    """
    from narrows.study.page import redraw

    print(redraw(Path(folder)))


def _lab_file(name: str) -> Path:
    from narrows.study.labs import lab_file

    return lab_file(name)


def _known(names: Iterable[str]) -> None:
    """Refuse names that are no recipes."""
    from narrows.errors import unknown
    from narrows.model.recipes import RECIPES

    for name in set(names) - set(RECIPES):
        raise unknown("recipe", name, RECIPES)


def _path(data: str) -> str:
    """A path as it is seen from anywhere; names of sets as they are."""
    from narrows.data import SETS

    path = Path(data).expanduser()
    return str(path.resolve()) if data not in SETS and path.exists() else data


def _run_file(
    file: Path, output: str, data: Any, changes: Changes, force: bool, json: bool, no_tsne: bool = False
) -> None:
    from narrows.study.form import read_study

    found = read_study(file)
    for drawing in found.figures if no_tsne else []:
        if drawing.options.get("method") == "tsne":
            drawing.options["method"] = "components"
    _run(found, output, data, changes, force, json)


def _run(found: Any, output: str, data: Any, changes: Changes, force: bool, json: bool) -> None:
    """Run a study into a folder, and print its tables and where its page is."""
    from narrows.files import may_write
    from narrows.study.run import run_study

    folder = may_write(output, force)
    record = run_study(found, folder, data=data, changes=changes.as_dict(), say=tell)
    if json:
        give_facts({table["title"]: table["rows"] for table in record.tables}, as_json=True)
    for table in [] if json else record.tables:
        print(f"\n{table['title']}")
        give(table["rows"])
    tell(f"\nThe report: {(folder / 'report.html').resolve()}")
