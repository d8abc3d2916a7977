"""The distribution of a pixel of few values, grey: a softmax over groups of values, then over places.

The V <= 256 values are cut into G <= 16 groups of at most 32 consecutive values. A network in integers
(`integers`) sees the K neighbours x of a pixel, the nearest first (`wavefront`), and where it is:

    inputs   = FIRST[x_1 .. x_K], SECOND[x_1 .. x_N]           two tables of V integers each
    a1       = hidden(W1 inputs + b1 + row[r] + column[c])
    a2       = hidden(W2 a1 + b2)
    group    ~ softmax(z),   z = W3 a2 + b3                     G logits
    place    ~ softmax(y),   y = W4 u + b4[group],  u = clip(a2 * gate[group], -1023, 1023)

Each layer has its own power of two by which sums are divided (`Dense`). So two choices of 16 and of at most
32 stand for one of 256, which takes a fraction of the time.

Values recur: a neighbour's exact value, and any that the image has had, are likelier than those next to
them. The layers put out more numbers than there are logits, and these are added to the logits of such values:

    z[group of x_j] += z[G + j]                  j < Mg
    y[place of x_j] += y[P + j]                  j < M, if x_j is in the group; P is the size of the largest
    y[place of v]   += y[P + M]                  if the image has had v in an earlier step (`seen` is 1)

Where all neighbours are zero, as for many pixels of MNIST, the pixel is called cold; its group depends on
(r, c) alone and is computed once for each place.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from narrows.codec.groups import groups_from
from narrows.codec.integers import HIGHEST, IMPOSSIBLE, Dense, Frequencies, frequencies, hidden
from narrows.codec.model_checks import require_between, require_shapes, require_shifts
from narrows.codec.rans import Found
from narrows.codec.wavefront import neighbour_count


class Cold(NamedTuple):
    """What is computed once for each place (row, column): of pixels whose neighbours are all zero."""

    groups: Frequencies
    first: np.ndarray  # frequencies of the first group, int64
    activations: np.ndarray

    def find(self, cells: np.ndarray, slots: np.ndarray) -> Found:
        """The group of each slot, its start and its frequency. Nearly all are the first."""
        frequency = self.first.take(cells)
        group, start = np.zeros(len(cells), np.int8), np.zeros(len(cells), np.int64)
        others = np.flatnonzero(slots >= frequency)
        if len(others):
            found = self.groups.find(cells[others], slots[others])
            group[others], start[others], frequency[others] = found
        return group, start, frequency


TABLES = ("FIRST", "SECOND")
MOST_VALUES, MOST_RADIUS, MOST_PLACES, WIDEST, LAYERS = 256, 8, 64, 512, 5
# of numbers that are kept in float32, or multiplied in it by up to 1023
LARGEST = {**dict.fromkeys((*TABLES, "row", "column", "b4"), 1 << 23), "gate": 1 << 14}


class Categorical:
    """The distribution of pixels, by the integers of a model file.

    tensors: FIRST and SECOND `(V,)`, W1 `(A, K + N)`, b1, row `(rows, A)`, column `(columns, A)`, W2
        `(B, A)`, b2, W3 `(G + Mg, B)`, b3, gate `(G, B)`, W4 `(P + M + seen, B)`, b4 `(G, P + M + seen)`.
    options: radius; values, V; groups, the first value of each; near, N; group_copies, Mg; copies, M;
        seen, 0 or 1; shifts of W1, W2, W3, gate and W4.
    """

    def __init__(self, tensors: dict[str, np.ndarray], options: dict[str, Any]):
        _check(tensors, options)
        self.radius, self.values = int(options["radius"]), int(options["values"])
        groups = groups_from(options["groups"], self.values)
        self.first, self.sizes, self.group_of, self.place_of, valid = groups
        self.valid, self.is_wide = valid.astype(np.float32), self.sizes > 1
        # the place of a value in a group, the number of places if it is in another
        self.place_in = np.full((len(self.sizes), MOST_VALUES), len(valid))
        self.place_in[self.group_of, np.arange(self.values)] = self.place_of
        self.near, self.seen = int(options["near"]), int(options["seen"])
        self.group_copies, self.copies = int(options["group_copies"]), int(options["copies"])
        self._input_layers(tensors, options["shifts"])
        self._output_layers(tensors, options["shifts"])

    def _input_layers(self, tensors: dict[str, np.ndarray], shifts: Sequence[int]) -> None:
        self.first_input, self.second_input = (tensors[name].astype(np.float32) for name in TABLES)
        self.is_plain = bool((self.first_input == np.arange(len(self.first_input))).all())
        most = [np.abs(tensors[name]).max() for name in TABLES]
        highest = np.repeat(most, [neighbour_count(self.radius), self.near])
        row, column = tensors["row"], tensors["column"]
        self.places = len(row), len(column)
        bias = _largest(row) + _largest(column)
        self.layer1 = Dense(tensors["W1"], tensors["b1"], shifts[0], highest, bias)
        at = (row[:, None] + column + tensors["b1"]) * 2.0 ** -shifts[0]  # (rows, columns, A)
        self.bias_at = at.reshape(-1, at.shape[-1]).astype(self.layer1.dtype)
        self.layer2 = Dense(tensors["W2"], tensors["b2"], shifts[1])

    def _output_layers(self, tensors: dict[str, np.ndarray], shifts: Sequence[int]) -> None:
        self.group_layer = Dense(tensors["W3"], tensors["b3"], shifts[2])
        self.gate = _columns(tensors["gate"] * 2.0 ** -shifts[3])
        bias, weight = tensors["b4"], tensors["W4"]
        self.place_bias = _columns(bias * 2.0 ** -shifts[4])
        self.place_bias[: len(self.valid)] += (1 - self.valid) * np.float32(IMPOSSIBLE)
        no_bias = np.zeros(len(weight), np.int64)
        self.place_layer = Dense(weight, no_bias, shifts[4], more=_largest(bias))

    def inputs(self, x: np.ndarray) -> np.ndarray:
        """The inputs `(K + N, n)` of neighbours `(K, n)`, uint8."""
        inputs = np.empty((len(x) + self.near, x.shape[1]), np.float32)
        inputs[: len(x)] = x if self.is_plain else self.first_input.take(x)
        inputs[len(x) :] = self.second_input.take(x[: self.near])
        return inputs

    def activations(self, inputs: np.ndarray, cells: np.ndarray) -> np.ndarray:
        """a2 `(B, n)` of inputs `(K + N, n)` at those cells."""
        a1 = hidden(self.layer1.rows(inputs, self.bias_at.take(cells, axis=0)))
        return hidden(self.layer2(a1.T))

    def groups(self, a2: np.ndarray, x: np.ndarray) -> Frequencies:
        """Of the groups; x: the nearest neighbours `(at least Mg, n)`."""
        near = self.group_of.take(x[: self.group_copies])
        return frequencies(_with_copies(self.group_layer(a2), near, len(self.sizes)))

    def group_places(
        self, a2: np.ndarray, group: np.ndarray, x: np.ndarray, had: np.ndarray | None
    ) -> Frequencies:
        """Of the places in these groups.

        x: the nearest neighbours `(at least M, n)`. had: `(P, n)`, whether the image has had the value
            of each place; None if the model does not ask.
        """
        u = np.floor(a2 * self.gate.take(group, axis=1))
        y = self.place_layer(np.clip(u, -HIGHEST, HIGHEST), self.place_bias.take(group, axis=1))
        target = self.place_in.take(group * MOST_VALUES + x[: self.copies])
        logits = _with_copies(y, target, len(self.valid))
        if had is not None:
            logits += had * y[-1]
        return frequencies(logits, (logits > IMPOSSIBLE / 2).astype(np.float32))

    @cached_property
    def cold(self) -> Cold:
        """For each cell."""
        cells = np.arange(len(self.bias_at))
        x = np.zeros((neighbour_count(self.radius), len(cells)), np.uint8)
        a2 = self.activations(self.inputs(x), cells)
        groups = self.groups(a2, x)
        return Cold(groups, groups.ends[1].astype(np.int64), a2)

    def cells(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """The number of the place of each pixel, row by row, for `cold` and for biases; beyond the last
        row or column that of the last.
        """
        most_rows, most_columns = self.places
        row = np.minimum(rows, most_rows - 1).astype(np.int64)
        return row * most_columns + np.minimum(columns, most_columns - 1)


def _columns(table: np.ndarray) -> np.ndarray:
    """A table of rows for groups as one of columns, float32."""
    return np.ascontiguousarray(table.T, np.float32)


def _with_copies(logits: np.ndarray, target: np.ndarray, count: int) -> np.ndarray:
    """The first `count` rows of `(rows, n)` logits, to which those that follow are added, in place.

    target: `(copies, n)`, to which row each is added; if it is none, `count`, a row of no use.
    """
    sums = logits[: count + 1].reshape(-1)
    pixels = np.arange(logits.shape[1])
    for row, added in zip(target, logits[count:].copy()):
        sums[row * len(pixels) + pixels] += added
    return logits[:count]


def _largest(table: np.ndarray) -> np.ndarray:
    """The largest size in each column."""
    return np.abs(table).max(0)


def _check(tensors: dict[str, np.ndarray], options: dict[str, Any]) -> None:
    """Refuse what would take much time or memory, or would not be exact. Raises `ValueError`."""
    require_between("channels", options["channels"], 1, 1)
    values = require_between("values", options["values"], 1, MOST_VALUES)
    neighbours = neighbour_count(require_between("radius", options["radius"], 1, MOST_RADIUS))
    for name in ("near", "copies", "group_copies"):
        require_between(name, options[name], 0, neighbours)
    require_between("seen", options["seen"], 0, 1)
    for first in options["groups"]:
        require_between("first value of a group", first, 0, values - 1)
    require_shifts(options["shifts"], LAYERS)
    require_shapes(tensors, _shapes(tensors, options))
    for name, most in LARGEST.items():
        require_between(f"largest of {name}", int(np.abs(tensors[name]).max()), 0, most)


def _shapes(tensors: dict[str, np.ndarray], options: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor, of widths as they are said by the biases. Raises `ValueError`."""
    values, near = options["values"], options["near"]
    sizes = groups_from(options["groups"], values).sizes
    rows, columns = (
        require_between(name, len(tensors[name]), 1, MOST_PLACES) for name in ("row", "column")
    )
    a, b = (require_between(name, len(tensors[name]), 1, WIDEST) for name in ("b1", "b2"))
    groups, group_outputs = len(sizes), len(sizes) + options["group_copies"]
    places = int(sizes.max()) + options["copies"] + options["seen"]
    return {
        **dict.fromkeys(TABLES, (values,)),
        "W1": (a, neighbour_count(options["radius"]) + near),
        "b1": (a,),
        "row": (rows, a),
        "column": (columns, a),
        "W2": (b, a),
        "b2": (b,),
        "W3": (group_outputs, b),
        "b3": (group_outputs,),
        "gate": (groups, b),
        "W4": (places, b),
        "b4": (groups, places),
    }
