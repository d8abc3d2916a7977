"""The weights of a network as images.

A unit of a first linear layer computes h_j = φ(Σ_i w_ji x_i + b_j): its weights w_j are an image. A
linear layer to the image adds z_j w_j: what the unit draws.
"""

from math import prod

import numpy as np
from torch import nn

from narrows.layout import Layout
from narrows.model.network import Network

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
ENDS = {"encoder": 0, "decoder": -1}


def filters(network: Network, layout: Layout, end: str) -> np.ndarray | None:
    """The units of the first ("encoder") or last ("decoder") linear layer, `(units, H, W)`.

    None if the layer that meets the image is not linear, or the images are not grey.
    """
    channels, *size = layout.chw
    if channels != 1 or layout.is_table:
        return None
    layers = [
        layer
        for part in (network.body, network.bottleneck, network.up)
        for layer in part.modules()
        if isinstance(layer, (nn.Linear, *CONVOLUTIONS))
    ]
    layer = layers[ENDS[end]] if layers else None
    if not isinstance(layer, nn.Linear):
        return None
    weight = layer.weight.detach().cpu().numpy()
    if end == "decoder":
        weight = weight.T
    return weight.reshape(-1, *size) if weight.shape[1] == prod(size) else None


def kernels(network: Network) -> list[np.ndarray]:
    """The kernels `(out, in, k, k)` of the convolutions of the way up, in the order of the layers."""
    weights = []
    for layer in network.up.modules():
        if isinstance(layer, CONVOLUTIONS):
            weight = layer.weight.detach().cpu().numpy()
            is_transposed = isinstance(layer, nn.ConvTranspose2d)
            weights.append(weight.swapaxes(0, 1) if is_transposed else weight)
    return weights
