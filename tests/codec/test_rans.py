"""Streams of symbols: as short as their probabilities say, and never read in another way."""

import numpy as np
import pytest

from narrows.codec.rans import Decoder, Encoder
from narrows.errors import DataError

ARRAYS = ((0, 16), (5, 16), (300, 24), (64, 16), (777, 24))  # symbols, bits


def tables(seed=0):
    """Symbols of each array, and the ends of the intervals of its alphabet of 16."""
    generator = np.random.default_rng(seed)
    for count, bits in ARRAYS:
        cuts = np.sort(generator.choice(np.arange(1, 1 << bits), 15, replace=False))
        ends = np.append(cuts, 1 << bits)
        p = np.diff(ends, prepend=0) / (1 << bits)
        yield generator.choice(16, count, p=p), ends, bits


def find_by(ends):
    frequency = np.diff(ends, prepend=0)

    def find(piece, slots):
        symbol = np.searchsorted(ends, slots, side="right")
        return symbol, ends[symbol] - frequency[symbol], frequency[symbol]

    return find


def encoded(lanes, seed=0):
    encoder = Encoder()
    for symbols, ends, bits in tables(seed):
        frequency = np.diff(ends, prepend=0)[symbols]
        encoder.put(ends[symbols] - frequency, frequency, bits)
    return encoder.finish(lanes), encoder.bits()


def decoded(stream, lanes, seed=0):
    decoder = Decoder(stream, lanes)
    arrays = [decoder.take(len(s), bits, find_by(ends)) for s, ends, bits in tables(seed)]
    decoder.finish()
    return arrays


@pytest.mark.parametrize("lanes", [1, 2, 7, 64, 1024])
def test_rans_round_trip(lanes):
    stream, _ = encoded(lanes)
    for (symbols, _, _), array in zip(tables(), decoded(stream, lanes), strict=True):
        assert (array == symbols).all()


@pytest.mark.parametrize("lanes", [1, 16])
def test_rans_takes_the_bits_of_the_probabilities(lanes):
    stream, bits = encoded(lanes)
    p = [np.diff(e, prepend=0)[s] / (1 << b) for s, e, b in tables()]
    assert bits == pytest.approx(-np.log2(np.concatenate(p)).sum(), rel=1e-3)
    assert bits / 8 <= len(stream) <= bits / 8 * 1.001 + 8 * lanes


@pytest.mark.parametrize("bits", [16, 24])
def test_rans_extreme_frequencies(bits):
    """A certain symbol takes no bits, and the least likely one `bits`."""
    encoder = Encoder()
    encoder.put(np.array([0, 5]), np.array([1 << bits, 1]), bits)
    assert encoder.bits() == pytest.approx(bits, abs=0.006)
    decoder = Decoder(encoder.finish(2), 2)

    def find(piece, slots):
        certain = np.array([True, False])
        return (
            np.where(certain, 0, slots),
            np.where(certain, 0, slots),
            np.where(certain, 1 << bits, 1),
        )

    assert list(decoder.take(2, bits, find)) == [0, 5]
    decoder.finish()


@pytest.mark.parametrize("lanes", [1, 64])
def test_rans_refuses_a_truncated_stream(lanes):
    stream, _ = encoded(lanes)
    for length in (0, 7, 8 * lanes, len(stream) - 4, len(stream) - 1):
        with pytest.raises(DataError, match="damaged"):
            decoded(stream[:length], lanes)


def test_rans_refuses_words_in_excess_and_other_states():
    stream, _ = encoded(4)
    with pytest.raises(DataError, match="damaged"):
        decoded(stream + bytes(4), 4)
    for place in range(32):
        changed = bytearray(stream)
        changed[place] ^= 1
        with pytest.raises(DataError, match="damaged"):
            decoded(bytes(changed), 4)
