"""Validation: the training's own objective, and measures, on images that are not trained on.

Nothing is dropped out, costs have their final weights, and the random numbers are the same after every epoch, so that
epochs can be compared.
"""

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from narrows import measure
from narrows.distributed.collectives import all_gather_objects
from narrows.distributed.process_group import rank_and_size
from narrows.errors import unknown, wrong
from narrows.image_batches import ImageBatches, weighted
from narrows.model.network import Network
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
    pixels: ImageBatches,
    seed: int,
    measures: Sequence[str],
    measure_scale: str,
) -> dict[str, float]:
    """Means over the images, by their weights, of the loss, its terms, and the measures asked for.

    measure_scale: of the measures, "unit" or "symmetric".
    """
    network.eval()
    totals: dict[str, Tensor | float] = defaultdict(float)
    place, world = rank_and_size()
    for rows in pixels.batches(network.body.widest)[place::world]:  # whole batches, each as one process computes it
        x = pixels.batch(rows)
        terms, done = objective(network, x, KeyedRandom(seed, rows.start, "validation", noisy=pixels.noisy_at(rows)))
        found = {"loss": torch.stack(list(terms.values())).sum(0), **terms}
        if measures:
            a, b = (
                on_measure_scale(image, pixels.scale, measure_scale)
                for image in (x, network.likelihood.mean(done.out))
            )
            found |= {name: MEASURES[name](a, b, **_span(name, SPANS[measure_scale])) for name in measures}
        for name, values in found.items():
            values = weighted(values, pixels.weights_at(rows))
            totals[name] += values.double().sum()  # read at the end, so that an accelerator is not waited for
    every = all_gather_objects({name: float(total) for name, total in totals.items()})
    return {name: sum(found.get(name, 0.0) for found in every) / len(pixels) for name in every[0]}


def validate_measures(
    measures: Sequence[str], measure_scale: str, pixels: ImageBatches, validation: ImageBatches | None
) -> None:
    """Refuse measures that do not exist, or cannot be taken. Raises `BuildError`, `UnknownName`."""
    if measure_scale not in SPANS:
        raise wrong("measure_scale", measure_scale, "'unit' or 'symmetric'")
    if measures and validation is None:
        raise wrong("measures", measures, "() without validation images")
    if isinstance(measures, str):
        raise wrong("measures", measures, "a list of names")
    small = "ssim" in measures and min(pixels.layout.image[:2]) < SSIM
    if small:
        raise wrong("measures", measures, f"no ssim for images smaller than its window, {SSIM} x {SSIM}")
    for name in set(measures) - set(MEASURES):
        raise unknown("measure", name, MEASURES)


def on_measure_scale(working: Tensor, scale: Scale, measure_scale: str) -> Tensor:
    """Images on the working scale as they are measured: on [0, 1], or on [-1, 1]."""
    unit = scale.unit(working)
    return unit * 2 - 1 if measure_scale == "symmetric" else unit


def _span(name: str, span: float) -> dict[str, float]:
    return {"data_range": span} if name in ("psnr", "ssim") else {}
