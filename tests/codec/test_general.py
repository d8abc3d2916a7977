"""General compressors: what goes in comes out, in bounded memory, and the smallest is taken."""

import numpy as np
import pytest

from narrows.codec import general
from narrows.errors import DataError

GENERATOR = np.random.default_rng(0)
DATA = {
    "nothing": b"",
    "one": b"x",
    "noise": GENERATOR.bytes(3000),
    "zeros": bytes(200_000),
    "text": b"the words of a text " * 300,
    "periods": GENERATOR.bytes(70_000) * 3,
    "far repeats": GENERATOR.bytes(1_000_000) * 2,
    "few": GENERATOR.choice(4, 200_000, p=[0.9, 0.05, 0.03, 0.02]).astype(np.uint8).tobytes(),
    "walk": np.cumsum(GENERATOR.integers(-2, 3, 200_000)).astype(np.uint8).tobytes(),
    "geometric": GENERATOR.geometric(0.3, 200_000).astype(np.uint8).tobytes(),
}


@pytest.mark.parametrize("method", range(len(general.METHODS)))
@pytest.mark.parametrize("name", DATA)
def test_each_method_round_trip(name, method):
    packed = general.METHODS[method].pack(DATA[name])
    assert general.unpack(method, packed, len(DATA[name])) == DATA[name]


@pytest.mark.parametrize("name", DATA)
def test_pack_is_no_larger_than_any_method(name):
    number, packed = general.pack(DATA[name])
    sizes = [len(method.pack(DATA[name])) for method in general.METHODS]
    assert len(packed) == min(sizes) == len(general.METHODS[number].pack(DATA[name]))


@pytest.mark.parametrize("name", DATA)
def test_pack_below_finds_what_is_smaller(name):
    _, best = general.pack(DATA[name])
    least, below = general.pack_below(DATA[name], len(best))
    assert below is None
    assert least <= len(best)
    least, below = general.pack_below(DATA[name], len(best) + 1)
    assert below is not None
    assert len(below[1]) == len(best) == least


@pytest.mark.parametrize("method", range(1, len(general.METHODS)))
def test_unpack_refuses_another_length_and_damage(method):
    packed = general.METHODS[method].pack(DATA["zeros"])
    for length in (0, 199_999, 200_001):
        with pytest.raises(DataError, match="damaged"):
            general.unpack(method, packed, length)
    for damaged in (packed[:-1], packed + b"x", b"", bytes(len(packed))):
        with pytest.raises(DataError, match="damaged"):
            general.unpack(method, damaged, 200_000)


def test_unpack_refuses_an_unknown_method():
    with pytest.raises(DataError, match="no method 9"):
        general.unpack(9, b"", 0)
