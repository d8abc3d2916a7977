"""Verbs that train and measure: train, compare, evaluate."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from narrows.cli.files import Skipped, array, skipping
from narrows.cli.options import Changes, Data, Force, How, Json, Output, Reading
from narrows.cli.running import run
from narrows.cli.say import give

NO_CHANGES, PLAINLY, AS_THEY_ARE = Changes(), How(), Reading()


def train(
    recipe: str,
    /,
    *,
    data: Data,
    output: Output,
    noisy: str = "",
    reading: Reading = AS_THEY_ARE,
    changes: Changes = NO_CHANGES,
    how: How = PLAINLY,
) -> None:
    """Train a recipe on images: a run folder with the model, its history and a report.

    Example: narrows train vae-mlp --data mnist -o my-run --epochs 5 --set bottleneck.size=10

    Parameters
    ----------
    recipe
        A recipe's name; `narrows recipes` lists them.
    noisy
        The same images with noise of your own, to learn to denoise from: a folder with the same names, or a file.
    """
    from narrows.study.form import Run, Study

    _known([recipe])
    images, paired = reading.of(_path(data)), {"corruption": "pairs"} if noisy else {}
    if noisy:
        images = {**(images if isinstance(images, dict) else {"kind": images}), "noisy": _path(noisy)}
    run(Study(f"{recipe} on {data}", [Run(recipe, recipe, paired)], images), output, None, changes, how)


def compare(
    *recipes: str,
    data: Data,
    output: Output,
    reading: Reading = AS_THEY_ARE,
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
    run(Study(f"{', '.join(recipes)} on {data}", runs, reading.of(_path(data))), output, None, changes, how)


def evaluate(
    run: str,
    /,
    *,
    data: Data,
    split: str = "",
    seed: int = 0,
    baselines: Annotated[bool, Parameter(negative="")] = False,
    reading: Reading = AS_THEY_ARE,
    skipped: Skipped = "",
    json: Json = False,
    force: Force = False,
) -> None:
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
    baselines
        Measure classical denoisers instead, beside the model, on the same noisy images (1,000 at most).
    """
    from narrows.model.evaluate import evaluate as measured
    from narrows.model.store import load
    from narrows.study.page import measure_name

    model = load(run)
    with skipping(skipped, force) as skip:
        images = array(data, reading, skip, split)
    if baselines:
        from narrows.model.classical import beside

        give(beside(model, images.images, seed=seed), as_json=json)
        return
    found = measured(model, images.images, seed=seed)
    if json:
        give([found], as_json=True)
    else:
        give([{"measure": measure_name(name), "value": value} for name, value in found.items()])


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
