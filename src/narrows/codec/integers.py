"""Networks in integers: the same numbers on every machine, for any batch size and number of threads.

The sum of a matrix product in floating point depends on its order, and so on the machine. Here weights,
activations and biases are integers, held in floats: as long as no sum can reach 2^24 (float32) or 2^53
(float64), every product and partial sum is exact, in any order. `Dense` checks this once, from its
weights, and chooses the type:

    z = floor((W x + b) / 2^shift),     sum_j |W_ij| max_j + |b_i| < 2^24 or 2^53

A hidden layer clips z to [0, 1023]. Logits are in units of 1/256 nat and become frequencies without the
exponential of the machine, by a table of integers

    EXP[k] = round(65536 exp(-k / 256)),   e_i = EXP[max z - z_i],   f_i = 1 + floor(e_i (M - n) / sum e)

of n symbols, M = 2^16 in all, where what is left goes to the likeliest symbol (the first of them). A
quotient of integers below 2^53 in float64, rounded down, is exact: IEEE 754 rounds divisions correctly,
and no quotient that is not an integer is so close to one.
"""

from typing import NamedTuple

import numpy as np

from narrows.codec.rans import Found
from narrows.errors import DataError

HIGHEST = 1023  # of an activation
LOGIT = 256  # units of a logit in one nat
BITS = 16  # of frequencies
TOTAL = 1 << BITS
EXP = np.rint(65536 * np.exp(-np.arange(3072) / LOGIT)).astype(np.int64)
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
        self.weight = np.ascontiguousarray(weight.T, self.dtype)
        self.bias = bias.astype(self.dtype)
        self.scale = self.dtype(2.0**-shift)

    def __call__(self, x: np.ndarray, more: np.ndarray | int = 0) -> np.ndarray:
        """`(n, outputs)` of inputs `(n, inputs)`. more: integers that are added to W x + b."""
        z = x.astype(self.dtype, copy=False) @ self.weight
        z += self.bias
        z += more
        z *= self.scale
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
    """Frequencies `(n, symbols)` of 2^16, and the sums of those up to and with each symbol."""

    each: np.ndarray
    ends: np.ndarray

    def of(self, rows: np.ndarray | slice, symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Start and frequency of a symbol of each row."""
        at = np.arange(len(self.each))[rows], symbols
        frequency = self.each[at]
        return self.ends[at] - frequency, frequency

    def find(self, rows: slice | np.ndarray, slots: np.ndarray) -> Found:
        """The symbol of each slot, its start and its frequency."""
        symbols = (self.ends[rows] <= slots[:, None]).sum(1)
        return symbols, *self.of(rows, symbols)


def frequencies(logits: np.ndarray, valid: np.ndarray | None = None) -> Frequencies:
    """Frequencies of logits `(n, symbols)`, integers.

    valid: `(n, symbols)`, of which symbols there are; None: all. The others have the frequency 0.
    """
    z = logits if valid is None else np.where(valid, logits, -np.inf)
    top = z.argmax(1)
    down = z[np.arange(len(z)), top][:, None] - z
    e = EXP[np.minimum(down, len(EXP) - 1).astype(np.int64)]
    least = np.ones_like(e) if valid is None else valid.astype(np.int64)
    if valid is not None:
        e *= least
    free = TOTAL - least.sum(1)
    each = least + np.floor(e * free[:, None] / e.sum(1)[:, None]).astype(np.int64)
    each[np.arange(len(z)), top] += TOTAL - each.sum(1)
    return Frequencies(each, np.cumsum(each, axis=1))
