"""Networks in integers: the same numbers on every machine, for any batch size and number of threads.

The sum of a matrix product in floating point depends on its order, and so on the machine. Here weights,
activations and biases are integers, held in floats: as long as no sum can reach 2^24 (float32) or 2^53
(float64), every product and partial sum is exact, in any order. `Dense` checks this once, from its
weights, and chooses the type:

    z = floor((W x + b) / 2^shift),     sum_j |W_ij| max_j + |b_i| < 2^24 or 2^53

A hidden layer clips z to [0, 1023]. Logits are in units of 1/256 nat and become frequencies without the
exponential of the machine, by a table of integers

    EXP[k] = round(65536 exp(-k / 256)),   e_i = EXP[max z - z_i],   f_i = 1 + floor(e_i (M - n) / sum e)

of n symbols, M = 2^16 in all, where what is left goes to the first symbol. A quotient of integers
below 2^53 in float64, rounded down, is exact: IEEE 754 rounds divisions correctly, and no quotient that is
not an integer is so close to one. Sums of frequencies are products with a triangle of ones.
"""

from typing import NamedTuple

import numpy as np

from narrows.codec.rans import Found
from narrows.errors import DataError

HIGHEST = 1023  # of an activation
LOGIT = 256  # units of a logit in one nat
BITS = 16  # of frequencies
TOTAL = 1 << BITS
EXP = np.rint(65536 * np.exp(-np.arange(3072) / LOGIT))
ALL = slice(None)
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
        self.weight = np.ascontiguousarray(weight.T * scale, self.dtype)
        self.bias = (bias * scale).astype(self.dtype)

    def __call__(self, x: np.ndarray, more: np.ndarray | float = 0.0) -> np.ndarray:
        """`(n, outputs)` of inputs `(n, inputs)`. more: is added to (W x + b) / 2^shift."""
        z = x.astype(self.dtype, copy=False) @ self.weight
        z += self.bias + more if np.ndim(more) == 0 else self.bias
        if np.ndim(more):
            z += more
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
    """Frequencies `(symbols, n)` of 2^16, and the sums of those up to and with each symbol."""

    each: np.ndarray
    ends: np.ndarray

    def of(
        self, symbols: np.ndarray, columns: slice | np.ndarray = ALL
    ) -> tuple[np.ndarray, np.ndarray]:
        """Start and frequency of one symbol of each column."""
        at = symbols, np.arange(self.each.shape[1])[columns]
        frequency = self.each[at]
        return self.ends[at] - frequency, frequency

    def find(self, columns: slice | np.ndarray, slots: np.ndarray) -> Found:
        """The symbol of the slot of each column, its start and its frequency."""
        symbols = (self.ends[:, columns] <= slots).sum(0, dtype=np.int8)
        return symbols, *self.of(symbols, columns)


def frequencies(logits: np.ndarray, valid: np.ndarray | None = None) -> Frequencies:
    """Frequencies of logits `(symbols, n)`, integers.

    valid: `(symbols, n)`, 1 for symbols that there are, the first always; None: all. The others have
        the frequency 0.
    """
    top = logits.max(0) if valid is None else np.where(valid, logits, -np.inf).max(0)
    down = np.clip(top - logits, 0, len(EXP) - 1)
    e = EXP.take(down.astype(np.intp))
    least = np.ones(e.shape) if valid is None else valid
    e *= least
    each = least + np.floor(e * (TOTAL - least.sum(0)) / e.sum(0))
    each[0] += TOTAL - each.sum(0)
    each = each.astype(np.float32)
    return Frequencies(each, np.tri(len(each), dtype=np.float32) @ each)
