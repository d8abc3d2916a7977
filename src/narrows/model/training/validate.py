"""Validation: the training's own objective, and measures, on images that are not trained on.

Nothing is dropped out, costs have their final weights, and the random numbers are the same after
every epoch, so that epochs can be compared.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from narrows import measure
from narrows.distributed.collectives import all_gather_objects
from narrows.distributed.process_group import rank_and_size
from narrows.errors import unknown, wrong
from narrows.image_batches import ImageBatches, weighted
from narrows.model.network import Network
from narrows.model.training.pairs import training_batch
from narrows.parts.forward_pass import ForwardPass
from narrows.parts.objective import Objective
from narrows.randomness import KeyedRandom
from narrows.scale import Scale

SSIM = 7  # pixels across its window
MEASURES = {"mse": measure.mse, "psnr": measure.psnr, "ssim": measure.ssim, "snr": measure.snr}
SPANS = {"unit": 1.0, "symmetric": 2.0}  # black to white


@torch.no_grad()
def validation_means(
    network: Network,
    objective: Objective,
    images: ImageBatches,
    seed: int,
    measures: Sequence[str],
    measure_scale: str,
) -> dict[str, float]:
    """Means over the images, by their weights, of the loss, its terms, and the measures asked for.

    measure_scale: of the measures, "unit" or "symmetric".
    """
    network.eval()
    totals: dict[str, Tensor] = {}
    rank, ranks = rank_and_size()
    # each rank computes complete batches, as one process computes them
    for rows in images.batches(network.body.widest)[rank::ranks]:
        random = KeyedRandom(seed, rows.start, "validation")
        x, scale = training_batch(images, rows, network.corruption, random)
        terms, forward = objective(network, x, random)
        values = {"loss": torch.stack(list(terms.values())).sum(0), **terms}
        values |= _measures(network, scale, x, forward, measures, measure_scale)
        _add(totals, values, images.weights_at(rows))
    sums = _over_ranks(totals)
    return {name: total / len(images) for name, total in sums.items()}


def _over_ranks(totals: dict[str, Tensor]) -> dict[str, float]:
    """The totals of all ranks together, read at the end, so that an accelerator is not waited for."""
    of_ranks = all_gather_objects({name: float(total) for name, total in totals.items()})
    return {name: sum(of_rank.get(name, 0.0) for of_rank in of_ranks) for name in of_ranks[0]}


def _measures(
    network: Network,
    scale: Scale,
    x: Tensor,
    forward: ForwardPass,
    measures: Sequence[str],
    measure_scale: str,
) -> dict[str, Tensor]:
    """The measures of a batch that are asked for, one value an image."""
    if not measures:
        return {}
    clean = on_measure_scale(scale.unit(x), measure_scale)
    output = on_measure_scale(scale.unit(network.likelihood.mean(forward.out)), measure_scale)
    span = SPANS[measure_scale]
    return {name: MEASURES[name](clean, output, **_span(name, span)) for name in measures}


def _add(totals: dict[str, Tensor], values: dict[str, Tensor], weights: Tensor | None) -> None:
    """Add the sums of a batch to the totals."""
    for name, of_images in values.items():
        total = weighted(of_images, weights).double().sum()
        if name in totals:
            total += totals[name]
        totals[name] = total


def validate_measures(
    measures: Sequence[str],
    measure_scale: str,
    pixels: ImageBatches,
    validation: ImageBatches | None,
) -> None:
    """Refuse measures that do not exist, or cannot be taken. Raises `BuildError`, `UnknownName`."""
    validate_measure_scale(measure_scale)
    if measures and validation is None:
        raise wrong("measures", measures, "() without validation images")
    if isinstance(measures, str):
        raise wrong("measures", measures, "a list of names")
    if "ssim" in measures and min(pixels.layout.image[:2]) < SSIM:
        expected = f"no ssim for images smaller than its window, {SSIM} x {SSIM}"
        raise wrong("measures", measures, expected)
    for name in set(measures) - set(MEASURES):
        raise unknown("measure", name, MEASURES)


def validate_measure_scale(measure_scale: str) -> None:
    """Refuse any other scale than "unit" and "symmetric". Raises `BuildError`."""
    if measure_scale not in SPANS:
        raise wrong("measure_scale", measure_scale, "'unit' or 'symmetric'")


def on_measure_scale(unit: Tensor, measure_scale: str) -> Tensor:
    """Images on [0, 1] as they are measured: so, or on [-1, 1]."""
    return unit * 2 - 1 if measure_scale == "symmetric" else unit


def _span(name: str, span: float) -> dict[str, float]:
    return {"data_range": span} if name in ("psnr", "ssim") else {}
