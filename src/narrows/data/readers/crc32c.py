"""CRC-32C, the sum that TFRecord has of its records, of many records at once.

The remainder of a message as a polynomial over GF(2), bits reversed, with the polynomial of
Castagnoli. A byte b changes the state c, which begins and ends inverted, to

    table[(c xor b) mod 256] xor (c >> 8)

That is a step a byte, too slow in Python for one message after another, but not for many side by
side: they are rows of an array that end together, and a state of 0 stays 0 over the zeros in front.
To begin inverted is the same as to invert the first four bytes.

Reference: G. Castagnoli, S. Bräuer, M. Herrmann, Optimization of cyclic redundancy-check codes with
24 and 32 parity bits, IEEE Transactions on Communications 41, 1993.
"""

from collections.abc import Sequence

import numpy as np

POLYNOMIAL = 0x82F63B78  # its bits reversed
MASK = 0xA282EAD8
AT_ONCE = 256  # messages
INVERTED = 4  # bytes, as many as the state has


def _table() -> np.ndarray:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(POLYNOMIAL), table >> 1)
    return table


TABLE = _table()


def crc32c(messages: Sequence[bytes]) -> np.ndarray:
    """The CRC-32C of each message of at least four bytes, uint32 `(N,)`."""
    order = np.argsort([len(message) for message in messages], kind="stable")
    sums = np.empty(len(messages), np.uint32)
    for first in range(0, len(messages), AT_ONCE):
        places = order[first : first + AT_ONCE]
        sums[places] = _side_by_side([messages[k] for k in places])
    return sums


def _side_by_side(messages: Sequence[bytes]) -> np.ndarray:
    columns = np.zeros((max(map(len, messages)), len(messages)), np.uint8)
    for k, message in enumerate(messages):
        columns[len(columns) - len(message) :, k] = np.frombuffer(message, np.uint8)
        columns[len(columns) - len(message) :, k][:INVERTED] ^= 255
    state = np.zeros(len(messages), np.uint32)
    for column in columns:
        state = TABLE[(state ^ column) & 255] ^ (state >> 8)
    return ~state


def masked(sums: np.ndarray) -> np.ndarray:
    """Sums as TFRecord keeps them: turned by 15 bits, and a constant added."""
    turned = (sums >> 15) | (sums << 17)
    return turned + np.uint32(MASK)
