"""Integers in bytes: fixed widths, and LEB128, of which small integers take one byte.

LEB128: seven bits a byte, the lowest first, the highest bit of each byte but the last set.
"""

from narrows.errors import DataError

LONGEST = 9  # bytes of an integer below 2^63
TRUNCATED = "this archive is damaged: its index ends too early"


def leb128(value: int) -> bytes:
    """An integer of 0 to 2^63 - 1."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class Reader:
    """Reads bytes from the first to the last. Raises `DataError` at their end."""

    def __init__(self, data: bytes):
        self.data = data
        self.place = 0

    def bytes(self, count: int) -> bytes:
        piece = self.data[self.place : self.place + count]
        if len(piece) < count:
            raise DataError(TRUNCATED)
        self.place += count
        return piece

    def fixed(self, width: int) -> int:
        """An unsigned integer of that many bytes, little-endian."""
        return int.from_bytes(self.bytes(width), "little")

    def integer(self, most: int = 2**63 - 1) -> int:
        """An integer in LEB128, at most `most`."""
        value = 0
        for place in range(LONGEST):
            byte = self.fixed(1)
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                break
        else:
            raise DataError("this archive is damaged: an integer of its index has no end")
        if value > most:
            raise DataError(f"this archive is damaged: {value:,} in its index, at most {most:,}")
        return value

    def finish(self) -> None:
        """Raises `DataError` if something is left."""
        if self.place != len(self.data):
            raise DataError("this archive is damaged: bytes follow its index")
