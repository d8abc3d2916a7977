"""Verbs that train and measure: train, compare, evaluate."""

from collections.abc import Iterable
from typing import Annotated, Any

from cyclopts import Parameter

from narrows.cli.options import (
    Changes,
    Data,
    How,
    Noisy,
    Output,
    Reading,
)
from narrows.cli.patches import Patches, advice_on_size, with_patches
from narrows.cli.run_study import run

NoClean = Annotated[
    bool,
    Parameter(
        negative="",
        help="The images are noisy, and there are no clean ones: learn from them alone. With --noisy "
        "both are noisy images of the same scenes.",
    ),
]

NO_CHANGES = Changes()
PLAINLY = How()
AS_THEY_ARE = Reading()


def train(
    recipe: str,
    /,
    *,
    data: Data,
    output: Output,
    noisy: Noisy = "",
    no_clean: NoClean = False,
    patches: Patches = None,
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
    """
    from narrows.study.provenance import placed
    from narrows.study.schema import Run, Study

    _known([recipe])
    runs = [Run(recipe, recipe, _changes_for(recipe, noisy, no_clean))]
    images = with_patches(reading.of(data, noisy), patches, changes.seed)
    study = Study(f"{recipe} on {data}", runs, placed(images))
    run(
        study,
        output,
        None,
        changes,
        how,
        "" if patches is not None else advice_on_size(data, reading),
    )


def _changes_for(recipe: str, noisy: str, no_clean: bool) -> dict[str, Any]:
    """What a recipe changes for noisy images: those that come with clean ones, with other noisy ones, or
    alone.
    """
    from narrows.model.recipes import without_clean

    if no_clean:
        return without_clean(recipe, paired=bool(noisy))
    return {"corruption": "pairs"} if noisy else {}


def compare(
    *recipes: str,
    data: Data,
    output: Output,
    patches: Patches = None,
    reading: Reading = AS_THEY_ARE,
    changes: Changes = NO_CHANGES,
    how: How = PLAINLY,
) -> None:
    """Train several recipes on the same images and compare their measures.

    Example: narrows compare pca ae-mlp sparse-mlp --data mnist -o compared --epochs 5

    Parameters
    ----------
    recipes
        Names of recipes, at least two.
    """
    from narrows.errors import BuildError
    from narrows.study.provenance import placed
    from narrows.study.schema import Run, Study

    if len(recipes) < 2:
        raise BuildError(
            f"compare needs at least two recipes, got {len(recipes)}; `narrows recipes` lists them"
        )
    _known(recipes)
    runs = []
    for number, name in enumerate(recipes, start=1):
        label = name if recipes.count(name) == 1 else f"{name}-{number}"
        runs.append(Run(label, name))
    images = with_patches(reading.of(data), patches, changes.seed)
    study = Study(f"{', '.join(recipes)} on {data}", runs, placed(images))
    run(
        study,
        output,
        None,
        changes,
        how,
        "" if patches is not None else advice_on_size(data, reading),
    )


def _known(names: Iterable[str]) -> None:
    """Refuse names of recipes that do not exist."""
    from narrows.errors import unknown
    from narrows.model.recipes import RECIPES

    for name in set(names) - set(RECIPES):
        raise unknown("recipe", name, RECIPES)
