"""The verb that measures: evaluate."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from narrows.cli.anomalies import give_measures
from narrows.cli.inputs import Skipped, array, skipping
from narrows.cli.no_reference import give_quality
from narrows.cli.options import Data, Force, Integer, Json, Noisy, Normal, Reading, Split
from narrows.cli.output import give, tell

AS_THEY_ARE = Reading()


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
    no_reference: Annotated[bool, Parameter(negative="")] = False,
    sheets: str = "",
    reading: Reading = AS_THEY_ARE,
    skipped: Skipped = "",
    json: Json = False,
    force: Force = False,
) -> None:
    """Measure a trained model on images: errors, PSNR, SSIM, bounds, and its code.

    Example: narrows evaluate my-run --data mnist
             narrows evaluate photo --data noisy/ --no-reference --sheets compared/

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
    no_reference
        The pictures are noisy, and there are no clean ones: estimate the noise before and after, the PSNR,
        and whether what was removed is noise alone. RUN may be photo or ridge, too.
    sheets
        With --no-reference, a folder for pictures of each: noisy, the result, and what was removed.
    """
    if no_reference:
        give_quality(run, data, sheets, json, force)
        return
    from narrows.model.estimator.inference import with_input_levels
    from narrows.model.files.store import load

    model = load(run)
    with skipping(skipped, force) as skip:
        images = array(data, reading, skip, split, noisy)
    model = with_input_levels(model, images.levels)
    if baselines:
        _give_baselines(model, images, seed, json)
        return
    measures = _measures(model, images, seed)
    if normal:
        measures |= _anomaly_measures(model, images, normal, data, split, reading)
    give_measures(measures, json, "the working scale" if model.layout_.is_table else "[0, 1]")


def _give_baselines(model: Any, images: Any, seed: int, json: bool) -> None:
    from narrows.denoise.baseline import MORE_BASELINES
    from narrows.model.use.baselines import compare_denoisers

    pair = {"X": images.images, "noisy": images.noisy}
    give(compare_denoisers(model, **pair, seed=seed, more=MORE_BASELINES), as_json=json)


def _measures(model: Any, images: Any, seed: int) -> dict[str, Any]:
    """What is measured of any model; says so if that is no comparison."""
    from narrows.model.use.evaluate import evaluate as evaluate_model
    from narrows.model.use.evaluate import is_compared

    if not is_compared(model, images.noisy):
        tell(
            "note: this model learns from noisy images, and takes these as such, so nothing is compared "
            "with them; clean ones are given by --data, noisy ones then by --noisy"
        )
    return evaluate_model(model, *images.pair, seed=seed)


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
