"""What an archive says about its images and blocks: its index, in bytes and back.

mode            1 byte: 0 images without loss, 1 images of grey levels, 2 codes of an autoencoder
model           1 byte: 0 none, 1 inside, 2 apart
                  inside: its length (LEB128) and CRC-32 (4 bytes)
                  apart: the first 16 bytes of the SHA-256 of its file
forms           how many (LEB128); for each: how many images (LEB128), the type (1 byte), the number
                  of dimensions (1 byte), each of them (LEB128); one of no images ends a block
T, A            1 byte each: logarithms to the base 2 of the limits of tiles and blocks (`blocks`)
blocks          how many (LEB128); for each: the method (1 byte), if it is the pixel model's the
                  logarithm to the base 2 of its lanes (1 byte), the length (LEB128), the CRC-32
                  of its bytes (4 bytes), and unless it is stored as it is the CRC-32 of what was
                  packed (4 bytes)
extras          the length of the packed extras (LEB128, 0: none), the method (1 byte), the length
                  of the extras (LEB128), the packed bytes: JSON
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

from narrows.codec import general
from narrows.codec.binary import Reader, leb128
from narrows.codec.blocks import Block, Kind, Tile, gather, tiles_of
from narrows.errors import DataError

MODES = ("lossless", "levels", "code")
NO_MODEL, INSIDE, APART = range(3)
TYPES = ("uint8", "uint16", "int16", "bool", "float16", "float32", "float64")
PIXEL_MODEL = 4  # a method, after those of `general`
METHODS = 5
MOST_DIMENSIONS = 3
MOST_CHANNELS = 4
MOST_EMPTY = 1 << 16  # images of no pixels
LARGEST_TILE, LARGEST_AREA, MOST_LANES = 11, 22, 16  # logarithms
LONGEST_EXTRAS, EXTRAS_AN_IMAGE = 1 << 23, 512  # bytes of an archive, and more for each image
DIGEST = 16  # bytes of a model's SHA-256


class Form(NamedTuple):
    """Images of one type and shape, one after another. shape: `(D,)`, `(H, W)` or `(H, W, C)`."""

    images: int
    dtype: str
    shape: tuple[int, ...]

    @property
    def image(self) -> tuple[int, int, int]:
        """The shape as `(H, W, C)`; a row of a table is `(1, D, 1)`."""
        if len(self.shape) == 1:
            return 1, self.shape[0], 1
        height, width, *channels = self.shape
        return height, width, channels[0] if channels else 1


BREAK = Form(0, "uint8", (0,))  # ends a block


class Entry(NamedTuple):
    """A block: how it is packed and how it is checked. lanes: logarithm to the base 2."""

    method: int
    lanes: int
    length: int
    packed_crc: int
    crc: int


@dataclass
class Index:
    """All that an archive says about itself; see the module."""

    mode: int = 0
    model: int = NO_MODEL
    model_length: int = 0
    model_crc: int = 0
    model_digest: bytes = b""
    forms: list[Form] = field(default_factory=list)
    tile: int = 10
    area: int = 22
    blocks: list[Entry] = field(default_factory=list)
    extras: bytes = b""

    @property
    def count(self) -> int:
        """How many images."""
        return sum(form.images for form in self.forms)

    def shapes(self) -> Iterator[Form]:
        """The form of each image."""
        return _each(self.forms)

    def content(self) -> Iterator[Block]:
        """The tiles of each block, by the rules of `blocks`; a form of no images ends a block."""
        ends = [place for place, form in enumerate(self.forms) if not form.images]
        number = 0
        for first, end in zip([0, *ends], [*ends, len(self.forms)]):
            forms = self.forms[first:end]
            yield from gather(self._tiles(forms, number), 1 << self.area)
            number += sum(form.images for form in forms)

    def _tiles(self, forms: list[Form], first: int) -> Iterator[tuple[Kind, Tile]]:
        """The tiles of images, which are counted from `first`."""
        for number, form in enumerate(_each(forms), start=first):
            height, width, channels = form.image
            for tile in tiles_of(number, height, width, 1 << self.tile):
                yield Kind(form.dtype, channels), tile

    def to_bytes(self) -> bytes:
        parts = [bytes([self.mode, self.model])]
        if self.model == INSIDE:
            parts += [leb128(self.model_length), self.model_crc.to_bytes(4, "little")]
        if self.model == APART:
            parts.append(self.model_digest)
        parts.append(leb128(len(self.forms)))
        parts += map(_form_bytes, self.forms)
        parts += [bytes([self.tile, self.area]), leb128(len(self.blocks))]
        parts += map(_entry_bytes, self.blocks)
        parts.append(_extras_bytes(self.extras))
        return b"".join(parts)


def _each(forms: list[Form]) -> Iterator[Form]:
    for form in forms:
        for _ in range(form.images):
            yield form


def _form_bytes(form: Form) -> bytes:
    head = leb128(form.images) + bytes([TYPES.index(form.dtype), len(form.shape)])
    return head + b"".join(map(leb128, form.shape))


def _entry_bytes(entry: Entry) -> bytes:
    out = bytes([entry.method])
    if entry.method >= PIXEL_MODEL:
        out += bytes([entry.lanes])
    out += leb128(entry.length) + entry.packed_crc.to_bytes(4, "little")
    return out if entry.method == general.STORED else out + entry.crc.to_bytes(4, "little")


def _extras_bytes(extras: bytes) -> bytes:
    if not extras:
        return leb128(0)
    method, packed = general.pack(extras)
    return leb128(len(packed)) + bytes([method]) + leb128(len(extras)) + packed


def read_index(data: bytes) -> Index:
    """The index of these bytes. Raises `DataError` for what no archive says."""
    reader = Reader(data)
    index = Index(mode=_below(reader, len(MODES), "mode"), model=_below(reader, 3, "kind of model"))
    if index.model == INSIDE:
        index.model_length, index.model_crc = reader.integer(), reader.fixed(4)
    if index.model == APART:
        index.model_digest = reader.bytes(DIGEST)
    index.forms = [_read_form(reader) for _ in range(reader.integer(len(data)))]
    index.tile = _below(reader, LARGEST_TILE + 1, "size of tiles")
    index.area = _below(reader, LARGEST_AREA + 1, "size of blocks")
    index.blocks = [_read_entry(reader) for _ in range(reader.integer(len(data)))]
    _check_sizes(index)
    index.extras = _read_extras(reader, most_extras(index.count))
    reader.finish()
    return index


def _below(reader: Reader, limit: int, what: str) -> int:
    value = reader.fixed(1)
    if value >= limit:
        raise DataError(f"this archive is damaged, or of a later version: its {what} is {value}")
    return value


def _read_form(reader: Reader) -> Form:
    count = reader.integer()
    dtype = TYPES[_below(reader, len(TYPES), "type of pixels")]
    dimensions = _below(reader, MOST_DIMENSIONS + 1, "number of dimensions")
    form = Form(count, dtype, tuple(reader.integer() for _ in range(dimensions)))
    if not form.shape or not 1 <= form.image[2] <= MOST_CHANNELS:
        raise DataError(f"this archive is damaged: its images are of shape {form.shape}")
    return form


def _read_entry(reader: Reader) -> Entry:
    method = _below(reader, METHODS, "method")
    lanes = _below(reader, MOST_LANES + 1, "number of lanes") if method >= PIXEL_MODEL else 0
    length, packed_crc = reader.integer(), reader.fixed(4)
    crc = packed_crc if method == general.STORED else reader.fixed(4)
    return Entry(method, lanes, length, packed_crc, crc)


def most_extras(images: int) -> int:
    """How many bytes the extras of that many images may have."""
    return LONGEST_EXTRAS + EXTRAS_AN_IMAGE * images


def _read_extras(reader: Reader, most: int) -> bytes:
    length = reader.integer()
    if not length:
        return b""
    method, unpacked = reader.fixed(1), reader.integer(most)
    return general.unpack(method, reader.bytes(length), unpacked)


def _check_sizes(index: Index) -> None:
    """Refuse more images or pixels than the blocks can hold, before any is made room for."""
    most = len(index.blocks) << max(index.area, 2 * index.tile)
    sizes = [(form.images, prod(form.image[:2])) for form in index.forms]
    pixels = sum(images * size for images, size in sizes)
    if pixels > most:
        raise DataError(f"this archive is damaged: {pixels:,} pixels in {len(index.blocks)} blocks")
    empty = sum(images for images, size in sizes if not size)
    if empty > MOST_EMPTY:
        raise DataError(f"this archive is damaged: {empty:,} images without pixels")
