"""Verbs that train and measure: demo, lab, study, train, compare, evaluate, report."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from narrows.cli.options import Changes, Data, Force, How, Json, Output
from narrows.cli.say import give, give_facts, tell

NO_CHANGES, PLAINLY = Changes(), How()
Fast = Annotated[
    bool, Parameter(name="--no-tsne", negative="", help="Show codes by principal components, not by t-SNE.")
]


def demo(output: Output = "narrows-demo", *, force: Force = False, json: Json = False) -> None:
    """Train a denoiser and a VAE on embedded digits, and measure them beside PCA: under a minute.

    Example: narrows demo
    """
    _run_file(_lab_file("demo"), output, None, NO_CHANGES, How(force=force, json=json))


def lab(
    name: str,
    /,
    *,
    output: Output = "",
    data: Data | None = None,
    no_tsne: Fast = False,
    changes: Changes = NO_CHANGES,
    how: How = PLAINLY,
) -> None:
    """Run one lab, or all: its numbers beside the published ones, its figures, and report.html.

    Example: narrows lab A -o lab-a

    Parameters
    ----------
    name
        The lab's letter, such as A, or all; `narrows labs` lists them.
    """
    folder = output or f"narrows-lab{'s' if name == 'all' else f'-{name.lower()}'}"
    if name == "all":
        _all_labs(folder, data, changes, how, no_tsne)
    else:
        _run_file(_lab_file(name.lower()), folder, data, changes, how, no_tsne)


def study(
    file: str,
    /,
    *,
    output: Output = "",
    data: Data | None = None,
    no_tsne: Fast = False,
    changes: Changes = NO_CHANGES,
    how: How = PLAINLY,
) -> None:
    """Run your own study file, as a lab is run.

    Example: narrows study my.toml -o my-study

    Parameters
    ----------
    file
        A study file in TOML.
    """
    _run_file(Path(file), output or f"narrows-{Path(file).stem}", data, changes, how, no_tsne)


def train(
    recipe: str,
    /,
    *,
    data: Data,
    output: Output,
    changes: Changes = NO_CHANGES,
    how: How = PLAINLY,
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
    _run(whole, output, None, changes, how)


def compare(
    *recipes: str,
    data: Data,
    output: Output,
    changes: Changes = NO_CHANGES,
    how: How = PLAINLY,
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
    _run(Study(f"{', '.join(recipes)} on {data}", runs, _path(data)), output, None, changes, how)


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
        A run folder, or the folder of a lab, of all labs, or of a study.
    """
    from narrows.study.index import redraw

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


def _run_file(file: Path, output: str, data: Any, changes: Changes, how: How, no_tsne: bool = False) -> None:
    _run(_study(file, no_tsne), output, data, changes, how)


def _study(file: Path, no_tsne: bool) -> Any:
    """The study in a file, if so wished without what is slow."""
    from narrows.study.form import read_study

    found = read_study(file)
    for drawing in found.figures if no_tsne else []:
        if drawing.options.get("method") == "tsne":
            drawing.options["method"] = "components"
    return found


def _all_labs(output: str, data: Any, changes: Changes, how: How, no_tsne: bool) -> None:
    """Every lab into a folder of its own, and a page over all of them, which grows as they end."""
    from narrows.errors import Faults, NarrowsError
    from narrows.study.index import draw
    from narrows.study.labs import lab_names

    folder, tables, faults = _folder(output, how), {}, Faults("all labs are run, but")
    for name in lab_names():
        tell(f"\nlab {name.upper()}")
        with faults.catch():
            record = _recorded(_study(_lab_file(name), no_tsne), folder / name, data, changes, how)
            tables[name.upper()] = {table["title"]: table["rows"] for table in record.tables}
        draw(folder)
    if how.json:
        give_facts(tables, as_json=True)
    for name, found in {} if how.json else tables.items():
        print(f"\nLab {name}")
        give(found.get("Published and faithful", []))
    tell(f"\nThe index: {(folder / 'index.html').resolve()}")
    faults.stop(NarrowsError)


def _run(found: Any, output: str, data: Any, changes: Changes, how: How) -> None:
    """Run a study into a folder, and print its tables and where its page is."""
    folder = _folder(output, how)
    record = _recorded(found, folder, data, changes, how)
    if how.json:
        give_facts({table["title"]: table["rows"] for table in record.tables}, as_json=True)
    for table in [] if how.json else record.tables:
        print(f"\n{table['title']}")
        give(table["rows"])
    tell(f"\nThe report: {(folder / 'report.html').resolve()}")


def _folder(output: str, how: How) -> Path:
    """Where to write, once it is known that everything asked for is there."""
    from narrows.files import may_write
    from narrows.model.log import tracker

    if how.log is not None:
        tracker(how.log)
    return may_write(output, how.force or how.reuse)


def _recorded(found: Any, folder: Path, data: Any, changes: Changes, how: How) -> Any:
    from narrows.study.run import run_study

    return run_study(
        found, folder, data=data, changes=changes.as_dict(), log=how.log, reuse=how.reuse, say=tell
    )
