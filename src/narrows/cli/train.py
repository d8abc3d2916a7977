"""Verbs that train and measure: train, compare, evaluate."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from narrows.cli.inputs import Skipped, array, skipping
from narrows.cli.options import (
    Changes,
    Data,
    Force,
    How,
    Integer,
    Json,
    Noisy,
    Normal,
    Output,
    Reading,
    Split,
)
from narrows.cli.output import give, tell
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


def evaluate(
    run: str,
    /,
    *,
    data: Data,
    split: Split = "",
    seed: Integer = 0,
    noisy: Noisy = "",
    baselines: Annotated[bool, Parameter(negative="")] = False,
    normal: Normal = None,
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
    seed
        Seed of the noise and of sampled codes.
    baselines
        Compare the model with classical denoisers on the same noisy images (1,000 at most).
    normal
        The classes (names of sub-folders) that are normal: measures how well the anomaly score
        finds the others, and anomalous pixels if there are masks (ground_truth/).
    """
    from narrows.cli.anomalies import give_measures
    from narrows.model.estimator.inference import with_input_levels
    from narrows.model.files.store import load
    from narrows.model.use.evaluate import evaluate as evaluate_model
    from narrows.model.use.evaluate import is_compared

    model = load(run)
    with skipping(skipped, force) as skip:
        images = array(data, reading, skip, split, noisy)
    model = with_input_levels(model, images.levels)
    if baselines:
        from narrows.denoise.baseline import MORE_BASELINES
        from narrows.model.use.baselines import compare_denoisers

        pair = {"X": images.images, "noisy": images.noisy}
        give(compare_denoisers(model, **pair, seed=seed, more=MORE_BASELINES), as_json=json)
        return
    if not is_compared(model, images.noisy):
        tell(
            "note: this model learns from noisy images, and takes these as such, so nothing is compared "
            "with them; clean ones are given by --data, noisy ones then by --noisy"
        )
    measures = evaluate_model(model, *images.pair, seed=seed)
    if normal:
        measures |= _anomaly_measures(model, images, normal, data, split, reading)
    scale = "the working scale" if model.layout_.is_table else "[0, 1]"
    give_measures(measures, json, scale)


def _anomaly_measures(
    model: Any, images: Any, normal: list[str], data: str, split: str, reading: Reading
) -> dict[str, Any]:
    from narrows.cli.anomalies import masks_in, measures_of_set
    from narrows.cli.inputs import are_pictures, chosen_split
    from narrows.cli.thresholds import threshold_of
    from narrows.data.readers.listing import list_folder

    masks, path = None, Path(data).expanduser()
    if are_pictures(data) and path.is_dir():
        listing = list_folder(path, chosen_split(data, split, quiet=True), reading.labels)
        masks = masks_in(listing, normal, reading)
    threshold = threshold_of(model, None)
    threshold.report()
    return measures_of_set(model, images, threshold.value, normal, masks)


def _known(names: Iterable[str]) -> None:
    """Refuse names of recipes that do not exist."""
    from narrows.errors import unknown
    from narrows.model.recipes import RECIPES

    for name in set(names) - set(RECIPES):
        raise unknown("recipe", name, RECIPES)
