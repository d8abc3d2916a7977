"""An archive, `.nrw`: images in blocks, each checked twice; writing and reading it block by block.

    0        4     8A 4E 52 57
    4        1     version, 1
    5        ..    the blocks, then the model, if it is inside
    ..       ..    the index (`index`)
    end - 8  4     the length of the index
    end - 4  4     CRC-32 of the first five bytes, the index and its length

All integers are little-endian. The index has the CRC-32 of the bytes of each block and of the model, and
so every byte of the file is under a checksum; it also has the CRC-32 of the pixels of each block. A block
is stored as the pixel model codes it, or by a general compressor where that is smaller (`packing`).
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np

from narrows.codec.blocks import Block, Kind, Tile, gather, tiles_of
from narrows.codec.index import (
    APART,
    DIGEST,
    INSIDE,
    MODES,
    MOST_CHANNELS,
    NO_MODEL,
    PIXEL_MODEL,
    TYPES,
    Entry,
    Form,
    Index,
    most_extras,
    read_index,
)
from narrows.codec.packing import DAMAGED, pack_block, unpack_block
from narrows.codec.parallel import in_order
from narrows.codec.pixel_model import PixelModel, read_model
from narrows.errors import DataError, ImageError

MAGIC = b"\x8aNRW"
VERSION = 1
BEGINNING = MAGIC + bytes([VERSION])
HEAD, TAIL = len(BEGINNING), 8
NOT_ONE = "this is not an archive of images (.nrw)"
TRUNCATED = "this archive is damaged or incomplete: its end is missing"


class Writer:
    """Writes an archive to a file, from its first byte to its last.

    model: codes the blocks that it fits and that it makes smaller; None: general compressors alone.
    apart: the model is not written, the archive only says which it was.
    mode: one of `MODES`.
    saved: bytes that the model has saved in its blocks, at least; its own are not counted.
    """

    def __init__(
        self,
        file: BinaryIO,
        model: PixelModel | None = None,
        apart: bool = False,
        mode: str = "lossless",
    ):
        self.file = file
        self.model = model
        self.apart = apart
        self.saved = 0
        self._last: Any = None  # type and shape of the last image
        self.index = Index(mode=MODES.index(mode))
        if model is not None:
            self.index.tile, self.index.area = model.tile, model.area
        file.write(BEGINNING)

    def write(self, images: Iterable[np.ndarray], extras: Callable[[], bytes] = bytes) -> Index:
        """Images, each `(D,)`, `(H, W)` or `(H, W, C)`, of any sizes and types, and what else is to be
        said (JSON), which is asked for after the last image. Raises `ImageError` for images that no
        archive holds.
        """
        gathered = _gathered(self._tiles(images), 1 << self.index.area)
        for packed in in_order(pack_block, gathered, self.model):
            self.file.write(packed.data)
            self.index.blocks.append(packed.entry)
            self.saved += packed.saved
        self._write_model()
        self.index.extras = extras()
        write_end(self.file, self.index)
        return self.index

    def _tiles(self, images: Iterable[np.ndarray]) -> Iterator[tuple[Kind, Tile, np.ndarray]]:
        for number, image in enumerate(images):
            form = self._add_form(image)
            height, width, channels = form.image
            pixels = image.reshape(form.image)
            if image.dtype == bool:
                pixels = pixels.view(np.uint8) != 0  # each byte 0 or 1
            for tile in tiles_of(number, height, width, 1 << self.index.tile):
                piece = pixels[tile.top : tile.bottom, tile.left : tile.right]
                yield Kind(form.dtype, channels), tile, piece

    def _add_form(self, image: np.ndarray) -> Form:
        """The form of the next image, counted in the index."""
        forms, kind = self.index.forms, (image.dtype, image.shape)
        if kind == self._last:
            forms[-1] = forms[-1]._replace(images=forms[-1].images + 1)
        else:
            forms.append(_form_of(image))
            self._last = kind
        return forms[-1]

    def _write_model(self) -> None:
        """The model, or which it was, if a block needs it; codes need its tables however they are packed."""
        model, index = self.model, self.index
        is_needed = any(entry.method == PIXEL_MODEL for entry in index.blocks)
        if model is None or not (is_needed or MODES[index.mode] == "code"):
            return
        if self.apart:
            index.model, index.model_digest = APART, model.digest[:DIGEST]
            return
        data = model.to_bytes()
        index.model, index.model_length, index.model_crc = INSIDE, len(data), zlib.crc32(data)
        self.file.write(data)


def _form_of(image: np.ndarray) -> Form:
    """The form of one image. Raises `ImageError` for what no archive holds."""
    form = Form(1, image.dtype.name, image.shape)
    is_image = 1 <= image.ndim <= 3 and 1 <= form.image[2] <= MOST_CHANNELS
    if form.dtype not in TYPES or not is_image:
        raise ImageError(
            f"an image of shape {image.shape} and type {form.dtype} cannot be compressed; expected "
            f"(H, W) or (H, W, C) with 1 to 4 channels, of {', '.join(TYPES)}"
        )
    return form


def _gathered(
    tiles: Iterable[tuple[Kind, Tile, np.ndarray]], area: int
) -> Iterator[tuple[Block, list[np.ndarray]]]:
    """Blocks, with the pixels of their tiles."""
    pixels: list[np.ndarray] = []

    def kept() -> Iterator[tuple[Kind, Tile]]:
        for kind, tile, piece in tiles:
            pixels.append(piece)
            yield kind, tile

    for block in gather(kept(), area):
        count = len(block.tiles)
        yield block, pixels[:count]
        del pixels[:count]


def write_end(file: BinaryIO, index: Index) -> None:
    """What follows the blocks and the model. Raises `ImageError`."""
    most = most_extras(index.count)
    if len(index.extras) > most:
        raise ImageError(
            f"the names and colour profiles of these images have {len(index.extras):,} bytes, of which an "
            f"archive holds {most:,}; compress fewer images at once"
        )
    data = index.to_bytes()
    end = data + len(data).to_bytes(4, "little")
    file.write(end + zlib.crc32(BEGINNING + end).to_bytes(4, "little"))


class Archive:
    """An archive to be read. Raises `DataError` for a file that is not one, or is damaged.

    model: the pixel model, if it is apart.
    """

    def __init__(self, file: BinaryIO, model: PixelModel | None = None):
        self.file = file
        self.index = index_of(file)
        self.offsets = np.cumsum([HEAD, *(entry.length for entry in self.index.blocks)])
        self.model = self._model(model)

    def _model(self, given: PixelModel | None) -> PixelModel | None:
        index = self.index
        if index.model == NO_MODEL:
            return None
        if index.model == INSIDE:
            data = self._read(int(self.offsets[-1]), index.model_length)
            if zlib.crc32(data) != index.model_crc:
                raise DataError(DAMAGED.format("its pixel model"))
            return read_model(data)
        if given is None or given.digest[:DIGEST] != index.model_digest:
            got = "none was given" if given is None else f"got one of {given.digest.hex()[:16]}"
            raise DataError(
                f"this archive needs the pixel model of SHA-256 {index.model_digest.hex()[:16]}..., with "
                f"which it was compressed; {got}"
            )
        return given

    def images(self) -> Iterator[np.ndarray]:
        """All images, one after another, in the shapes and types that they had."""
        decoded = in_order(unpack_block, self._blocks(), self.model)
        tiles = (pair for block, parts in decoded for pair in zip(block.tiles, parts))
        waiting: tuple[Tile, np.ndarray] | None = next(tiles, None)
        for number, form in enumerate(self.index.shapes()):
            image = _space_for(form)
            while waiting is not None and waiting[0].image == number:
                tile, pixels = waiting
                image[tile.top : tile.bottom, tile.left : tile.right] = pixels
                waiting = next(tiles, None)
            yield image.reshape(form.shape)

    def _blocks(self) -> Iterator[tuple[Block, Entry, bytes, str]]:
        """Each block: its entry, its bytes and its name. Raises `DataError` if there are more or fewer than
        listed.
        """
        entries = self.index.blocks
        count = 0
        for number, block in enumerate(self.index.content()):
            count += 1
            if count > len(entries):
                break
            packed = self._read(int(self.offsets[number]), entries[number].length)
            yield block, entries[number], packed, f"block {count}"
        if count != len(entries):
            raise DataError(
                "this archive is damaged: it has more or fewer blocks than its images need"
            )

    def _read(self, offset: int, length: int) -> bytes:
        self.file.seek(offset)
        data = self.file.read(length)
        if len(data) != length:
            raise DataError(TRUNCATED)
        return data


def _space_for(form: Form) -> np.ndarray:
    """An image that is to be filled. Raises `DataError` if there is no memory for it."""
    try:
        return np.empty(form.image, form.dtype)
    except (MemoryError, ValueError) as error:
        raise DataError(
            f"there is no memory for an image of shape {form.shape} and type {form.dtype}"
        ) from error


def index_of(file: BinaryIO) -> Index:
    """The index of an archive, once its bytes are those that were written."""
    file.seek(0)
    head = file.read(HEAD)
    if head[: len(MAGIC)] != MAGIC:
        raise DataError(NOT_ONE)
    if head[-1] != VERSION:
        raise DataError(
            f"this archive is of version {head[-1]}; this version of Narrows reads {VERSION}"
        )
    size = file.seek(0, 2)
    if size < HEAD + TAIL:
        raise DataError(TRUNCATED)
    file.seek(size - TAIL)
    tail = file.read(TAIL)
    length = int.from_bytes(tail[:4], "little")
    if length > size - HEAD - TAIL:
        raise DataError(TRUNCATED)
    file.seek(size - TAIL - length)
    data = file.read(length)
    if zlib.crc32(head + data + tail[:4]) != int.from_bytes(tail[4:], "little"):
        raise DataError(DAMAGED.format("its index"))
    index = read_index(data)
    inside = HEAD + sum(entry.length for entry in index.blocks) + index.model_length
    if inside + length + TAIL != size:
        raise DataError("this archive is damaged: bytes are missing or in excess")
    return index
