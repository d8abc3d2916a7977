"""Filters and kernels: the weights of a network as images.

A unit of a first linear layer computes h_j = φ(Σ_i w_ji x_i + b_j): its weights w_j are an image,
bright where the unit looks for ink and dark where it looks for the lack of it. A linear layer to
the image adds z_j w_j: what the unit draws. All sheets of a figure share one signed scale.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from narrows.errors import wrong
from narrows.study.figures.per_run import per_run
from narrows.study.record import Figure
from narrows.study.trained import Trained

ENDS = ("encoder", "decoder")
WITHIN_SCALE = 0.998  # the share of the weights within the scale; the largest alone would set it


def filters(
    runs: Sequence[Trained], count: int = 64, of: str = "encoder", largest: bool = False
) -> Iterator[Figure]:
    """`count` units of the encoder's first linear layer, or of the decoder's last, as images.

    largest: those with the largest weights, largest first, instead of the first ones; dead units
    have hardly any.
    """
    if of not in ENDS:
        raise wrong("of", of, " or ".join(map(repr, ENDS)))
    layers = _layers(runs, of)
    if layers:
        title = f"the first {count} units of each"
        if largest:
            title = f"the {count} units of each with the largest weights"
            layers = {name: _by_size(images) for name, images in layers.items()}
        if all(len(images) <= count for images in layers.values()):
            title = ""
        sheets = {name: images[:count] for name, images in layers.items()}
        yield Figure(of, "tiles", title, _signed_scale(sheets), sheets)


def _layers(runs: Sequence[Trained], of: str) -> dict[str, np.ndarray]:
    """The weights of all units as images, of each run that has them."""
    layers = {}
    for run in runs:
        images = run.model.filters(of)
        if images is not None:
            layers[run.name] = images
    return layers


@per_run
def kernels(run: Trained) -> Iterator[Figure]:
    """The kernels of the decoder's convolutions: a sheet a layer, a row for each output channel."""
    sheets, widths = {}, []
    for number, weight in enumerate(run.model.kernels(), start=1):  # (out, in, k, k)
        outputs, inputs = weight.shape[:2]
        size = float(np.sqrt(np.square(weight).mean()))
        name = f"convolution {number}: {inputs} → {outputs}, root mean square {size:.3f}"
        sheets[name] = weight.reshape(-1, *weight.shape[2:])
        widths.append(inputs)
    if sheets:
        options = {**_signed_scale(sheets), "columns": widths}
        yield Figure(run.name, "tiles", "", options, sheets)


def _by_size(images: np.ndarray) -> np.ndarray:
    """Units by the norm of their weights, largest first."""
    norms = np.linalg.norm(images, axis=(1, 2))
    return images[np.argsort(-norms, kind="stable")]


def _signed_scale(sheets: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """One signed scale for all; the largest 1 in 500 weights may be beyond its ends."""
    weights = np.concatenate([sheet.ravel() for sheet in sheets.values()])
    reach = float(np.quantile(np.abs(weights), WITHIN_SCALE)) or 1.0
    return {"signed": True, "limits": [-reach, reach], "unit": "weight"}
