"""The distribution of a pixel of few values, grey: a softmax over groups of values, then over places.

The V <= 256 values are cut into G <= 16 groups of at most 32 consecutive values. A network in integers
(`integers`) sees the neighbours x of a pixel (`wavefront`) and where it is:

    a1 = hidden(W1 x + b1 + row[r] + column[c]),   a2 = hidden(W2 a1 + b2)
    group ~ softmax(W3 a2 + b3)
    place ~ softmax(W4 hidden(a2 * E[group]) + b4[group]),   if the group has more than one value

So two choices of 16 and at most 32 stand for one of 256, which takes a fraction of the time.

Where all neighbours are zero, as for four of five pixels of MNIST, the pixel is called cold; its
distribution depends on (r, c) alone and is computed once for each place. A step of the wavefront is three
arrays of choices: the groups of the cold pixels, the groups of the others, the places of those of either
whose group has more than one value.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from narrows.codec.integers import Dense, Frequencies, frequencies, hidden
from narrows.codec.rans import Found
from narrows.codec.wavefront import neighbour_count


class Cold(NamedTuple):
    """What is computed once for each place (row, column): of pixels whose neighbours are all zero."""

    groups: Frequencies
    activations: np.ndarray

    def find(self, cells: np.ndarray, slots: np.ndarray) -> Found:
        """The group of each slot, its start and its frequency. Nearly all are the first."""
        frequency = self.groups.ends[0, cells]
        group, start = np.zeros(len(cells), np.int8), np.zeros(len(cells), np.float32)
        others = np.flatnonzero(slots >= frequency)
        if len(others):
            found = self.groups.find(cells[others], slots[others])
            group[others], start[others], frequency[others] = found
        return group, start, frequency


MOST_RADIUS, MOST_PLACES, WIDEST = 12, 64, 1024


class Categorical:
    """The distribution of pixels, by the integers of a model file.

    tensors: W1 `(A, inputs)`, b1, row `(rows, A)`, column `(columns, A)`, W2 `(B, A)`, b2, W3 `(G, B)`,
        b3, gate `(G, B)`, W4 `(P, B)`, b4 `(G, P)`.
    options: radius; values, V; groups, the first value of each; bright, a value, and fine, how many of
        the nearest neighbours are given twice: as v and as max(v - bright, 0); shifts of the layers.
    """

    def __init__(self, tensors: dict[str, np.ndarray], options: dict[str, Any]):
        self.radius, self.values = int(options["radius"]), int(options["values"])
        self.fine, self.bright = int(options["fine"]), int(options["bright"])
        _check(tensors, options)
        first = np.append(options["groups"], self.values)
        self.first, self.sizes = first[:-1], np.diff(first)
        self.group_of = np.repeat(np.arange(len(self.sizes)), self.sizes)
        self.place_of = np.arange(self.values) - self.first[self.group_of]
        self.valid = (np.arange(self.sizes.max())[:, None] < self.sizes).astype(np.float64)
        self._layers(tensors, options["shifts"])

    def _layers(self, tensors: dict[str, np.ndarray], shifts: Sequence[int]) -> None:
        top = self.values - 1
        highest = np.repeat([top, top - self.bright], [neighbour_count(self.radius), self.fine])
        row, column = tensors["row"], tensors["column"]
        self.places = len(row), len(column)
        bias = _largest(row) + _largest(column)
        at = row[:, None] + column  # (rows, columns, A)
        self.bias_at = (at * 2.0 ** -shifts[0]).reshape(-1, at.shape[-1]).astype(np.float32)
        self.layer1 = Dense(tensors["W1"], tensors["b1"], shifts[0], highest, bias)
        self.layer2 = Dense(tensors["W2"], tensors["b2"], shifts[1])
        self.group_layer = Dense(tensors["W3"], tensors["b3"], shifts[2])
        self.gate = (tensors["gate"] * 2.0 ** -shifts[3]).astype(np.float32)
        bias, weight = tensors["b4"], tensors["W4"]
        self.place_bias = (bias * 2.0 ** -shifts[4]).astype(np.float32)
        no_bias = np.zeros(len(weight), np.int64)
        self.place_layer = Dense(weight, no_bias, shifts[4], more=_largest(bias))

    # -- the distribution --------------------------------------------------------------------------

    def activations(self, x: np.ndarray, cells: np.ndarray) -> np.ndarray:
        """a2 `(n, B)` of neighbours `(n, K)` at those cells."""
        near = np.maximum(x[:, : self.fine], self.bright) - self.bright
        inputs = np.concatenate([x, near], axis=1)
        a1 = hidden(self.layer1(inputs, self.bias_at.take(cells, axis=0)))
        return hidden(self.layer2(a1))

    def groups(self, a2: np.ndarray) -> Frequencies:
        """Of the groups."""
        return frequencies(self.group_layer(a2).T)

    def group_places(self, a2: np.ndarray, group: np.ndarray) -> Frequencies:
        """Of the places in these groups."""
        gated = hidden(np.floor(a2 * self.gate[group]))
        logits = self.place_layer(gated, self.place_bias[group])
        return frequencies(logits.T, self.valid[:, group])

    @cached_property
    def cold(self) -> Cold:
        """For each cell."""
        cells = np.arange(len(self.bias_at))
        x = np.zeros((len(cells), neighbour_count(self.radius)), np.uint8)
        a2 = self.activations(x, cells)
        return Cold(self.groups(a2), a2)

    def cells(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """The number of the place of each pixel, row by row, for `cold` and for biases; beyond the last
        row or column that of the last.
        """
        most_rows, most_columns = self.places
        row = np.minimum(rows, most_rows - 1).astype(np.int64)
        return row * most_columns + np.minimum(columns, most_columns - 1)


def _largest(table: np.ndarray) -> np.ndarray:
    """The largest size in each column."""
    return np.abs(table).max(0)


def _check(tensors: dict[str, np.ndarray], options: dict[str, Any]) -> None:
    """Refuse what would take much time or memory. Raises `ValueError`."""
    groups, radius, values = options["groups"], options["radius"], options["values"]
    sizes = np.diff([*groups, values])
    if not (len(groups) <= 16 and groups[0] == 0 and min(sizes) >= 1 and max(sizes) <= 32):
        raise ValueError(f"groups of values {groups} of {values}")
    if not (1 <= radius <= MOST_RADIUS and 1 <= values <= 256 and 0 <= options["bright"] < values):
        raise ValueError(f"radius {radius}, {values} values, bright {options['bright']}")
    places = max(len(tensors["row"]), len(tensors["column"]))
    if (
        places > MOST_PLACES
        or max(map(max, (tensor.shape for tensor in tensors.values()))) > WIDEST
    ):
        raise ValueError(f"{places} rows or columns, or layers wider than {WIDEST}")
