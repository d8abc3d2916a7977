"""Filters and kernels: the weights of a network as images.

A unit of a first linear layer computes h_j = φ(Σ_i w_ji x_i + b_j): its weights w_j are an image,
bright where the unit looks for ink and dark where it looks for none. A linear layer to the image
adds z_j w_j: what the unit draws. All sheets of a figure share one signed scale.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from narrows.errors import wrong
from narrows.model.estimator.pca import PCA
from narrows.study.figures.per_run import per_run
from narrows.study.record import Figure
from narrows.study.trained import Trained

ENDS = {"encoder": 0, "decoder": -1}
CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def filters(runs: Sequence[Trained], count: int = 64, of: str = "encoder", largest: bool = False) -> Iterator[Figure]:
    """`count` units of the encoder's first linear layer, or of the decoder's last, as images.

    largest: those with the largest weights, largest first, not the first ones; dead units have
    hardly any.
    """
    if of not in ENDS:
        raise wrong("of", of, " or ".join(map(repr, ENDS)))
    found = {run.name: images for run in runs if (images := _filters(run, of)) is not None}
    if found:
        some = (
            f"the {count} units of each with the largest weights" if largest else f"the first {count} units of each"
        )
        words = some if any(len(images) > count for images in found.values()) else ""
        sheets = {name: (_largest(images) if largest else images)[:count] for name, images in found.items()}
        yield Figure(of, "tiles", words, _look(sheets), sheets)


def _largest(images: np.ndarray) -> np.ndarray:
    """By the norm of their weights, largest first."""
    return images[np.argsort(-np.linalg.norm(images, axis=(1, 2)), kind="stable")]


@per_run
def kernels(run: Trained) -> Iterator[Figure]:
    """The kernels of the decoder's convolutions: a sheet a layer, a row for each channel that it puts out."""
    layers = [layer for layer in _modules(run, "up") if isinstance(layer, CONVOLUTIONS)]
    sheets, widths = {}, []
    for number, layer in enumerate(layers, start=1):
        weight = layer.weight.detach().cpu().numpy()
        weight = weight.swapaxes(0, 1) if isinstance(layer, nn.ConvTranspose2d) else weight  # (out, in, k, k)
        rms = float(np.sqrt(np.square(weight).mean()))
        name = f"convolution {number}: {weight.shape[1]} → {weight.shape[0]}, root mean square {rms:.3f}"
        sheets[name] = weight.reshape(-1, *weight.shape[2:])
        widths.append(weight.shape[1])
    if sheets:
        yield Figure(run.name, "tiles", "", {**_look(sheets), "columns": widths}, sheets)


def _look(sheets: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """One signed scale for all; the largest 1 in 500 weights may lie beyond its ends, or they alone would show."""
    reach = float(np.quantile(np.abs(np.concatenate([sheet.ravel() for sheet in sheets.values()])), 0.998)) or 1.0
    return {"signed": True, "limits": [-reach, reach], "unit": "weight"}


def _filters(run: Trained, of: str) -> np.ndarray | None:
    """`(units, H, W)`, of PCA its components; None where images do not meet a linear layer, or are not grey."""
    channels, *size = run.model.layout_.chw
    if channels != 1 or run.model.layout_.is_table:
        return None
    if isinstance(run.model, PCA):
        return run.model.components_.reshape(-1, *size)
    layers = [layer for layer in _modules(run, "") if isinstance(layer, (nn.Linear, *CONVOLUTIONS))]
    end = layers[ENDS[of]] if layers else None
    if not isinstance(end, nn.Linear):
        return None
    weight = end.weight.detach().cpu().numpy()
    weight = weight if of == "encoder" else weight.T
    return weight.reshape(-1, *size) if weight.shape[1] == np.prod(size) else None


def _modules(run: Trained, part: str) -> list[Any]:
    """The layers of a part of the network, in the order in which an image meets them; none without a network."""
    network = getattr(run.model, "network_", None)
    if network is None:
        return []
    parts = [getattr(network, part)] if part else [network.body, network.bottleneck, network.up]
    return [layer for one in parts for layer in one.modules()]
