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
        frequency = self.groups.ends[cells, 0]
        group, start = np.zeros(len(cells), np.int64), np.zeros(len(cells), np.int64)
        others = np.flatnonzero(slots >= frequency)
        if len(others):
            group[others], start[others], frequency[others] = self.groups.find(
                cells[others], slots[others]
            )
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
        self.valid = np.arange(self.sizes.max()) < self.sizes[:, None]
        self._layers(tensors, options["shifts"])

    def _layers(self, tensors: dict[str, np.ndarray], shifts: Sequence[int]) -> None:
        top = self.values - 1
        highest = np.repeat([top, top - self.bright], [neighbour_count(self.radius), self.fine])
        self.row, self.column = tensors["row"], tensors["column"]
        bias = _largest(self.row) + _largest(self.column)
        self.layer1 = Dense(tensors["W1"], tensors["b1"], shifts[0], highest, bias)
        self.layer2 = Dense(tensors["W2"], tensors["b2"], shifts[1])
        self.group_layer = Dense(tensors["W3"], tensors["b3"], shifts[2])
        self.gate, self.gate_scale = tensors["gate"].astype(np.float32), 2.0 ** -shifts[3]
        self.place_bias, weight = tensors["b4"], tensors["W4"]
        no_bias = np.zeros(len(weight), np.int64)
        self.place_layer = Dense(weight, no_bias, shifts[4], more=_largest(self.place_bias))

    # -- the distribution --------------------------------------------------------------------------

    def activations(self, x: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """a2 `(n, B)` of neighbours `(n, K)` at those rows and columns."""
        near = np.maximum(x[:, : self.fine], self.bright) - self.bright
        inputs = np.concatenate([x, near], axis=1)
        row = np.minimum(rows, len(self.row) - 1)
        column = np.minimum(columns, len(self.column) - 1)
        a1 = hidden(self.layer1(inputs, self.row[row] + self.column[column]))
        return hidden(self.layer2(a1))

    def groups(self, a2: np.ndarray) -> Frequencies:
        """Of the groups."""
        return frequencies(self.group_layer(a2))

    def places(self, a2: np.ndarray, group: np.ndarray) -> Frequencies:
        """Of the places in these groups."""
        gated = hidden(np.floor(a2 * self.gate[group] * self.gate_scale))
        return frequencies(self.place_layer(gated, self.place_bias[group]), self.valid[group])

    @cached_property
    def cold(self) -> Cold:
        """For each place, row by row."""
        rows, columns = len(self.row), len(self.column)
        row, column = np.repeat(np.arange(rows), columns), np.tile(np.arange(columns), rows)
        x = np.zeros((rows * columns, neighbour_count(self.radius)), np.uint8)
        a2 = self.activations(x, row, column)
        return Cold(self.groups(a2), a2)

    def cells(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """The numbers of places in `cold`."""
        row = np.minimum(rows, len(self.row) - 1).astype(np.int64)
        return row * len(self.column) + np.minimum(columns, len(self.column) - 1)


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
