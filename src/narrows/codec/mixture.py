"""The distribution of a pixel of colours or of many values: a mixture of logistics, a channel after another.

The channels are coded in an order, green first if there are colours. What is predicted of each is a plane:
the channel itself, or its difference to one that was coded before it, since colours go up and down together:

    y_j = v_j                  or          y_j = v_j - v_base(j),       base(j) < j < C

A neighbour outside of the image counts as 0 in all planes. The neighbours to the left (W), above (N) and
between them (NW) make a first guess, the median edge detector,

    p_j = max(min(W, N), min(max(W, N), W + N - NW))

A network in integers (`integers`) for each plane sees how far from their guesses the K neighbours are, and
those planes of this pixel that are known, in units of 2^u levels:

    units(d) = floor(d / 2^u), at least -1023, at most 1023
    inputs   = units(y_i(neighbour) - p_i) for all neighbours and i < C,  units(y_i - p_i) for i < j
    a1       = hidden(W1 inputs + b1),   a2 = hidden(W2 a1 + b2)
    z, m, l  = W3 a2 + b3                                                  M of each

The value v_j then has the mixture (`logistics`) of weights softmax(z), centres p_j + v_base(j) + 2^u m / 64
and log-scales l. Each layer has its own power of two by which sums are divided (`Dense`).

Reference: M. Weinberger, G. Seroussi, G. Sapiro, "The LOCO-I lossless image compression algorithm:
principles and standardization into JPEG-LS", 2000, https://doi.org/10.1109/83.855427 (the guess).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from narrows.codec.integers import HIGHEST, Dense, hidden, shares
from narrows.codec.logistics import FRACTION, MOST_VALUES, SCALES, Logistics
from narrows.codec.model_checks import require_between, require_shapes, require_shifts
from narrows.codec.wavefront import neighbour_count

NORTH, WEST, NORTH_WEST = 0, 1, 2  # places among the neighbours, the nearest first
MOST_CHANNELS, MOST_UNIT, MOST_RADIUS, MOST_COMPONENTS, WIDEST = 4, 12, 6, 16, 512
LAYERS = ("1", "2", "3")


class Mixture:
    """The distribution of pixels, by the integers of a model file.

    tensors: for each of C planes W1 `(C, A, K C + C - 1)`, b1 `(C, A)`, W2 `(C, B, A)`, b2, W3 `(C, 3 M, B)`,
        b3. Inputs that a plane does not know, the last of W1, are not used.
    options: radius; channels, C; values, V; order, the channels in the order of coding; base, for each of
        these the place in `order` of the one that is subtracted, or -1; unit, u; shifts, of the layers.
    """

    def __init__(self, tensors: dict[str, np.ndarray], options: dict[str, Any]):
        _check(tensors, options)
        self.radius, self.values = int(options["radius"]), int(options["values"])
        self.channels, self.unit = int(options["channels"]), int(options["unit"])
        self.order, self.base = list(options["order"]), list(options["base"])
        self.near = neighbour_count(self.radius) * self.channels  # inputs that all planes know
        self.layers = [
            self._layers(plane, tensors, options["shifts"]) for plane in range(self.channels)
        ]

    def _layers(
        self, plane: int, tensors: dict[str, np.ndarray], shifts: Sequence[int]
    ) -> list[Dense]:
        weights = [tensors[f"W{layer}"][plane] for layer in LAYERS]
        weights[0] = weights[0][:, : self.near + plane]
        biases = [tensors[f"b{layer}"][plane] for layer in LAYERS]
        return [Dense(*parts) for parts in zip(weights, biases, shifts)]

    def planes(self, flat: np.ndarray) -> np.ndarray:
        """Values `(length, channels)` as planes `(length, channels)`, float32."""
        return planes_of(flat, self.order, self.base)

    def units(self, d: np.ndarray) -> np.ndarray:
        """Differences in units of 2^u levels."""
        return units(d, self.unit)

    def outputs(self, plane: int, inputs: np.ndarray) -> np.ndarray:
        """z, m, l `(3 M, n)` of inputs `(at least K C + plane, n)`."""
        first, second, third = self.layers[plane]
        return third(hidden(second(hidden(first(inputs[: self.near + plane])))))

    def mixtures(self, outputs: np.ndarray, level: np.ndarray) -> Logistics:
        """Of the outputs for a plane. level: `(n,)` p + v_base."""
        z, m, log_scale = np.split(outputs.astype(np.float64), 3)
        far = FRACTION * MOST_VALUES
        centre = FRACTION * level + np.clip(m * (1 << self.unit), -far, far)
        scale = np.clip(log_scale, 0, SCALES - 1).astype(np.intp)
        return Logistics(shares(z).astype(np.float64), centre, scale, self.values)


class Surroundings:
    """What is known of n pixels before they are coded, and as their planes become known.

    planes: of a block, `(length, channels)`. places: `(n,)` of the pixels. offsets: `(K,)` of the neighbours.
    """

    def __init__(self, model: Mixture, planes: np.ndarray, places: np.ndarray, offsets: np.ndarray):
        self.model = model
        around = planes.take(places[:, None] + offsets, axis=0)
        self.guess = guesses(around)
        self.inputs = np.empty((len(places), model.near + model.channels - 1), np.float32)
        near = model.units(around - self.guess[:, None])
        self.inputs[:, : model.near] = near.reshape(len(places), -1)

    def know(self, plane: int, y: np.ndarray) -> None:
        """The values `(n,)` of a plane, except the last."""
        self.inputs[:, self.model.near + plane] = self.model.units(y - self.guess[:, plane])

    def mixtures(self, plane: int, base: np.ndarray | int) -> Logistics:
        """Of the channel of a plane, once those before it are known. base: what was subtracted."""
        level = self.guess[:, plane].astype(np.float64) + base
        return self.model.mixtures(self.model.outputs(plane, self.inputs.T), level)


def planes_of(values: np.ndarray, order: Sequence[int], base: Sequence[int]) -> np.ndarray:
    """Values `(..., channels)` as planes of the same shape, float32."""
    ordered = values[..., order].astype(np.float32)
    planes = ordered.copy()
    for plane, other in enumerate(base):
        if other >= 0:
            planes[..., plane] -= ordered[..., other]
    return planes


def guesses(around: np.ndarray) -> np.ndarray:
    """p, `(n, channels)`, of neighbours `(n, K, channels)`."""
    north, west, corner = (around[:, place] for place in (NORTH, WEST, NORTH_WEST))
    low, high = np.minimum(north, west), np.maximum(north, west)
    return np.maximum(low, np.minimum(high, north + west - corner))


def units(d: np.ndarray, unit: int) -> np.ndarray:
    """Differences in units of 2^unit levels."""
    d = np.floor(d * np.float32(2.0**-unit)) if unit else d
    return np.clip(d, -HIGHEST, HIGHEST)


def _check(tensors: dict[str, np.ndarray], options: dict[str, Any]) -> None:
    """Refuse what would take much time or memory, or code values that there are not. Raises `ValueError`."""
    channels = require_between("channels", options["channels"], 1, MOST_CHANNELS)
    require_between("values", options["values"], 1, MOST_VALUES)
    require_between("radius", options["radius"], 1, MOST_RADIUS)
    require_between("unit", options["unit"], 0, MOST_UNIT)
    if sorted(options["order"]) != list(range(channels)) or len(options["base"]) != channels:
        raise ValueError(
            f"order {options['order']} and base {options['base']} of {channels} planes"
        )
    for plane, base in enumerate(options["base"]):
        require_between("base", base, -1, plane - 1)
    require_shifts(options["shifts"], len(LAYERS))
    require_shapes(tensors, _shapes(tensors, options))


def _shapes(tensors: dict[str, np.ndarray], options: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor, of widths as they are said by the biases. Raises `ValueError`."""
    channels = options["channels"]
    widths = [tensors[f"b{layer}"].shape[-1] for layer in LAYERS]
    require_between("widest layer", max(widths), 1, WIDEST)
    require_between("components", widths[2] // 3, 1, MOST_COMPONENTS)
    if widths[2] % 3:
        raise ValueError(f"{widths[2]} outputs, expected 3 of each component")
    inputs = neighbour_count(options["radius"]) * channels + channels - 1, *widths
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, rows, columns in zip(LAYERS, widths, inputs):
        shapes[f"W{layer}"], shapes[f"b{layer}"] = (channels, rows, columns), (channels, rows)
    return shapes
