"""Mixtures of logistic distributions over integers, in integers: any number of values, none of them listed.

The probability of a value v of 0 .. V-1 is that between v - 1/2 and v + 1/2 of a mixture of M logistic
distributions with weights w, centres mu and scales s; the lowest and the highest value take the tails:

    P(value < v) = sum_k w_k sigmoid((v - 1/2 - mu_k) / s_k),     P(value < 0) = 0,   P(value < V) = 1

In integers: w_k are frequencies of 2^16, c_k = 64 mu_k, and s_k = exp(l_k / 256) / 32 for l_k of 0 .. 3071,
that is 1/32 to 5,066. T units stand for one of the sigmoid's argument: 512, or 16,384 if V > 512.

    E[l]   = exp(-l / 256), rounded to 10 binary digits
    S[t]   = round(2^24 sigmoid(t / T - 13)),   S[0] = 0,   S[26 T] = 2^24
    t_k(v) = floor((64 v - 32 - c_k) T/2 E[l_k]) + 13 T, at least 0, at most 26 T
    q(v)   = floor(sum_k w_k S[t_k(v)] / 2^16),   q(0) = 0,   q(V) = 2^24
    C(v)   = v + floor(q(v) (2^24 - V) / 2^24)

C rises with every v, from 0 to 2^24, and so the interval of v, [C(v), C(v + 1)) of 2^24, is never empty. All
numbers have fewer than 53 binary digits, and float64 holds them exactly. A value is found from its slot by
search: in which quarter of the values it is, in which quarter of that, and so on.

Reference: T. Salimans, A. Karpathy, X. Chen, D. P. Kingma, "PixelCNN++: improving the PixelCNN with
discretized logistic mixture likelihood and other modifications", 2017, https://arxiv.org/abs/1701.05517.
"""

from functools import lru_cache

import numpy as np

from narrows.codec.integers import LOGIT, TOTAL
from narrows.codec.rans import Found

BITS = 24  # of an interval
ALL = 1 << BITS
FRACTION = 64  # units of a centre in one level
SCALES, SMALLEST = 3072, 32  # how many scales; 1 / the smallest
FAR = 13  # where the sigmoid is 0 or 1
MOST_VALUES = 1 << 16
QUARTERS, ENDS = np.arange(1.0, 4)[:, None], np.arange(2.0)[:, None]


def units_of(values: int) -> int:
    """T."""
    return 512 if values <= 512 else 16384


def inverse_scales() -> np.ndarray:
    """E, `(3072,)`."""
    mantissa, exponent = np.frexp(np.exp(-np.arange(SCALES) / LOGIT))
    return np.ldexp(np.rint(mantissa * 1024), exponent - 10)


INVERSE = inverse_scales()


@lru_cache(maxsize=2)
def sigmoids(units: int) -> np.ndarray:
    """S, `(26 T + 1,)`."""
    t = np.arange(-FAR * units, FAR * units + 1)
    s = np.rint(ALL / (1 + np.exp(-t / units)))
    s[[0, -1]] = 0, ALL
    return s


class Logistics:
    """Mixtures, one for each of n pixels.

    weight: `(M, n)` w, with sums of 2^16. centre: `(M, n)` c. log_scale: `(M, n)` l. values: V.
    """

    def __init__(self, weight: np.ndarray, centre: np.ndarray, log_scale: np.ndarray, values: int):
        units = units_of(values)
        self.weight, self.values, self.table = weight[:, None], values, sigmoids(units)
        self.digits = -(-(values - 1).bit_length() // 2)  # of a value, to the base 4
        inverse = INVERSE.take(log_scale) * (units * SMALLEST / FRACTION)
        self.gain = (inverse * FRACTION)[:, None]
        self.offset = ((centre + FRACTION / 2) * inverse - FAR * units)[:, None]

    def cumulative(self, v: np.ndarray) -> np.ndarray:
        """C of values `(m, n)`, float64; 2^24 for V and beyond."""
        c = self._inner(v, (self.weight, self.gain, self.offset))
        c[v <= 0] = 0
        c[v >= self.values] = ALL
        return c

    def _inner(self, v: np.ndarray, parts: tuple[np.ndarray, ...]) -> np.ndarray:
        """C of values from 1 to V - 1. parts: weights, gains and offsets of their pixels."""
        weight, gain, offset = parts
        t = v * gain
        t -= offset
        s = self.table.take(t.astype(np.intp), mode="clip")
        s *= weight
        q = s.sum(0)
        q *= 1 / TOTAL
        np.floor(q, out=q)
        q *= 1 - self.values / ALL
        np.floor(q, out=q)
        q += v
        return q

    def interval(self, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Start and frequency of values `(n,)`."""
        start, end = self.cumulative(np.stack([v, v + 1]))
        return start, end - start

    def find(self, pixels: slice, slots: np.ndarray) -> Found:
        """The value of the slot of each of some pixels, its start and its frequency."""
        parts = tuple(part[..., pixels] for part in (self.weight, self.gain, self.offset))
        low = np.zeros(len(slots))
        for digit in reversed(range(self.digits)):
            inner = low + 4.0**digit * QUARTERS
            c = self._inner(inner, parts)
            if 4**self.digits > self.values:
                c[inner >= self.values] = ALL
            low += 4.0**digit * (c <= slots).view(np.int8).sum(0)
        start, end = self._inner(low + ENDS, parts)
        start[low == 0] = 0
        end[low == self.values - 1] = ALL
        return low.astype(np.int64), start, end - start
