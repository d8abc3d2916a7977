"""Entropy coding: range asymmetric numeral systems (rANS) for arrays of symbols, in numpy.

A symbol of probability p is coded in log2(1/p) bits. Its probability is an integer frequency f of
M = 2^bits, and its interval is [start, start + f) of [0, M). A state x, an integer in [2^31, 2^63),
holds what was coded so far:

    code       x <- (x // f) M + start + x mod f
    decode     slot = x mod M tells the symbol: start <= slot < start + f
               x <- f (x // M) + slot - start

Before x would leave its range the coder puts out its low 32 bits, and the decoder takes them in again
when x falls below 2^31. A code is a stack: it is read in the order opposite to that of writing. The
encoder therefore keeps all symbols, in the order in which they will be read, and codes them from
the last to the first.

To code arrays at once there are L states, the lanes: the n-th symbol of each array belongs to lane
n mod L. A stream is the L final states, eight bytes each, and the words of 32 bits in the order
of reading, all little-endian. After the last symbol each state is 2^31 again and no word is left, which
is checked.

Reference: J. Duda, "Asymmetric numeral systems: entropy coding combining speed of Huffman coding with
compression rate of arithmetic coding", 2013, https://arxiv.org/abs/1311.2540; lanes: F. Giesen, "Interleaved
entropy coders", 2014, https://arxiv.org/abs/1402.3392.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from narrows.errors import DataError

LOWEST = 1 << 31  # of a state
STATE_BITS = np.uint64(63)
WORD_BITS = np.uint64(32)
LOW_WORD = np.uint64(0xFFFFFFFF)
FINE = 15  # digits of the mantissa of a float32 that its logarithm here goes without, of 23
# log2 of those from 1 up, in 2^-16, in the middle of each part
LOGARITHMS = np.rint(
    (1 << 16) * (np.arange(25)[:, None] + np.log2(1 + (np.arange(256) + 0.5) / 256)).ravel()
).astype(np.int64)
DAMAGED = "a block of this archive is damaged: its codes do not end where they should"


class Choices(NamedTuple):
    """An array of coded symbols: starts and frequencies out of 2^bits, `(n,)`."""

    start: np.ndarray
    frequency: np.ndarray
    bits: int


class Encoder:
    """Keeps symbols in the order in which they will be read, and codes them all."""

    def __init__(self) -> None:
        self.choices: list[Choices] = []

    def put(self, start: np.ndarray, frequency: np.ndarray, bits: int) -> None:
        """One array of symbols: their starts and frequencies (at least 1) out of 2^bits."""
        self.choices.append(Choices(start.astype(np.uint32), frequency.astype(np.uint32), bits))

    def bits(self) -> float:
        """What all of this takes: the sum of log2(1/p), of which each is at most 0.003 wrong, and the same
        on every machine.
        """
        total = 0.0
        for choices in self.choices:
            parts = choices.frequency.astype(np.float32).view(np.int32) >> FINE
            logarithms = LOGARITHMS.take(parts - (127 << 23 - FINE))
            total += choices.bits * len(parts) - int(logarithms.sum()) / (1 << 16)
        return total

    def finish(self, lanes: int) -> bytes:
        """The stream."""
        states = np.full(lanes, LOWEST, np.uint64)
        words: list[np.ndarray] = []
        for choices in reversed(self.choices):
            bits = np.uint64(choices.bits)
            for start, frequency in _backwards(choices, lanes):
                x = states[: len(frequency)]
                full = x >= frequency << (STATE_BITS - bits)
                words.append((x[full] & LOW_WORD).astype("<u4"))
                x[full] >>= WORD_BITS
                quotient = x // frequency
                x -= quotient * frequency
                x += (quotient << bits) + start
        words.reverse()
        return states.astype("<u8").tobytes() + b"".join(word.tobytes() for word in words)


def _backwards(choices: Choices, lanes: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Starts and frequencies in pieces of at most one symbol a lane, the last piece first."""
    count = len(choices.frequency)
    for first in reversed(range(0, count, lanes)):
        piece = slice(first, first + lanes)
        yield choices.start[piece].astype(np.uint64), choices.frequency[piece].astype(np.uint64)


Found = tuple[np.ndarray, np.ndarray, np.ndarray]  # symbols, their starts and frequencies
Find = Callable[[slice, np.ndarray], Found]


class Decoder:
    """Reads a stream. Raises `DataError` if it is not one of that many lanes."""

    def __init__(self, stream: bytes, lanes: int):
        head = 8 * lanes
        if len(stream) < head or (len(stream) - head) % 4:
            raise DataError(DAMAGED)
        self.states = np.frombuffer(stream, "<u8", lanes).astype(np.uint64)
        self.words = np.frombuffer(stream, "<u4", offset=head)
        self.place = 0

    def take(self, count: int, bits: int, find: Find) -> np.ndarray:
        """The next array, `(count,)` symbols.

        find: (the places in the array that are decoded, their slots) -> (symbols, starts, frequencies).
        """
        symbols = []
        lanes = len(self.states)
        mask = np.uint64((1 << bits) - 1)
        for first in range(0, count, lanes):
            piece = slice(first, min(first + lanes, count))
            x = self.states[: piece.stop - first]
            slots = x & mask
            found, start, frequency = find(piece, slots.view(np.int64))
            symbols.append(found)
            x >>= np.uint64(bits)
            x *= frequency.astype(np.uint64)
            x += slots - start.astype(np.uint64)
            self._refill(x)
        return np.concatenate(symbols) if symbols else np.zeros(0, np.int64)

    def _refill(self, x: np.ndarray) -> None:
        """Take a word into each state that is too low."""
        low = x < LOWEST
        count = np.count_nonzero(low)
        if not count:
            return
        words = self.words[self.place : self.place + count]
        if len(words) < count:
            raise DataError(DAMAGED)
        self.place += count
        x[low] = (x[low] << WORD_BITS) + words

    def finish(self) -> None:
        """Raises `DataError` unless everything was read and each state is back where it began."""
        if self.place != len(self.words) or (self.states != LOWEST).any():
            raise DataError(DAMAGED)
