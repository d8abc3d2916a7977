"""Networks in integers: the same numbers on every machine, for any batch size and number of threads.

The sum of a matrix product in floating point depends on its order, and so on the machine. Here weights,
activations and biases are integers, held in floats: as long as no sum can reach 2^24 (float32) or 2^53
(float64), every product and partial sum is exact, in any order. `Dense` checks this once, from its
weights, and chooses the type:

    z = floor((W x + b) / 2^shift),     sum_j |W_ij| max_j + |b_i| < 2^24 or 2^53

A hidden layer clips z to [0, 1023]. Logits are in units of 1/256 nat and become frequencies without the
exponential of the machine, by a table of integers

    EXP[k] = round(65536 exp(-k / 256)),   e_i = EXP[max z - z_i],
    r = (M - n) / sum e,   f_i = 1 + floor(e_i r)

of n symbols, M = 2^16 in all, where what is left goes to the first symbol. The quotient r and the product
are rounded to float32, as IEEE 754 says to the last bit. Each is at most 2^-24 of it too large, so that
the frequencies add up to no more than M.
"""

from typing import NamedTuple

import numpy as np

from narrows.codec.rans import Found
from narrows.errors import DataError

HIGHEST = 1023  # of an activation
LOGIT = 256  # units of a logit in one nat
BITS = 16  # of frequencies
TOTAL = 1 << BITS
EXP = np.rint(65536 * np.exp(-np.arange(3072) / LOGIT)).astype(np.float32)  # 0 at last
IMPOSSIBLE = -(2.0**60)  # logit, below all others
EXACT = ((np.float32, 1 << 24), (np.float64, 1 << 53))


class Dense:
    """An affine layer in integers, floor((W x + b) / 2^shift).

    weight: `(outputs, inputs)`; bias: `(outputs,)`; highest: the largest size of each input, `(inputs,)`
    or one number; more: that of what will be added to W x + b. Raises `DataError` if sums may be too
    large to be exact.
    """

    def __init__(
        self,
        weight: np.ndarray,
        bias: np.ndarray,
        shift: int,
        highest: np.ndarray | int = HIGHEST,
        more: np.ndarray | int = 0,
    ):
        weight, bias = weight.astype(np.int64), bias.astype(np.int64)
        inputs = np.broadcast_to(highest, weight.shape[1:])
        largest = np.abs(weight) @ inputs + np.abs(bias) + more
        self.dtype = _exact_type(int(largest.max(initial=0)))
        scale = 2.0**-shift  # of integers as exact as they are
        self.weight = np.ascontiguousarray(weight * scale, self.dtype)
        self.bias = (bias * scale).astype(self.dtype)[:, None]

    def __call__(self, x: np.ndarray, more: np.ndarray | None = None) -> np.ndarray:
        """`(outputs, n)` of inputs `(inputs, n)`. more: `(outputs, n)`, is added to (W x + b) / 2^shift."""
        z = self.weight @ x.astype(self.dtype, copy=False)
        z += self.bias
        if more is not None:
            z += more
        return np.floor(z, out=z)

    def rows(self, x: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """`(n, outputs)` of inputs `(inputs, n)`, with other biases, divided by 2^shift, in place of b."""
        z = x.astype(self.dtype, copy=False).T @ self.weight.T
        z += bias
        return np.floor(z, out=z)


def _exact_type(largest: int) -> type[np.floating]:
    for dtype, limit in EXACT:
        if largest < limit:
            return dtype
    raise DataError(
        f"the weights of this pixel model are too large: sums of {largest:,} are not exact"
    )


def hidden(z: np.ndarray) -> np.ndarray:
    """Activations: z clipped to [0, 1023], in place."""
    return np.clip(z, 0, HIGHEST, out=z)


class Frequencies(NamedTuple):
    """Sums of the frequencies of the symbols before each, and of all, `(symbols + 1, n)` int32, 0 to 2^16."""

    ends: np.ndarray

    def of(
        self, symbols: np.ndarray, columns: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Start and frequency of one symbol of each column, or of some columns."""
        count = self.ends.shape[1]
        at = symbols * np.int64(count)
        at += np.arange(count) if columns is None else columns
        start = self.ends.take(at)
        at += count
        return start, self.ends.take(at) - start

    def find(self, columns: slice | np.ndarray, slots: np.ndarray) -> Found:
        """The symbol of the slot of each column, its start and its frequency."""
        below = self.ends[1:-1, columns] <= slots.astype(np.int32)
        symbols = below.view(np.int8).sum(0, dtype=np.int8)
        each = np.arange(columns.start, columns.stop) if isinstance(columns, slice) else columns
        return symbols, *self.of(symbols, each)


def shares(logits: np.ndarray, least: np.ndarray | float = 1.0) -> np.ndarray:
    """Frequencies `(symbols, n)`, float32, of logits `(symbols, n)`, integers; of each column they add up to
    2^16.

    least: of each, `(symbols, n)` float32, 1; 0 for symbols that there are not, whose logits are far
        below all others. The first always is.
    """
    e = EXP.take((logits.max(0) - logits).astype(np.intp), mode="clip")
    count = least.sum(0) if isinstance(least, np.ndarray) else len(e) * least
    e *= (TOTAL - count) / e.sum(0)
    each = np.floor(e, out=e)
    each += least
    each[0] += TOTAL - each.sum(0)
    return each


def frequencies(logits: np.ndarray, least: np.ndarray | float = 1.0) -> Frequencies:
    """The sums of `shares`."""
    each = shares(logits, least).astype(np.int32)
    ends = np.empty((len(each) + 1, *each.shape[1:]), np.int32)
    ends[0] = 0
    for symbol, frequency in enumerate(each):
        np.add(ends[symbol], frequency, out=ends[symbol + 1])
    return Frequencies(ends)
