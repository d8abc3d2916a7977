"""A pixel model: what each pixel is likely to be, given those before it, as blocks of images need it.

The probability of an image is the product of those of its pixels, each given its neighbours that come
earlier in the coding order (`wavefront`):

    p(image) = prod p(x_rc | neighbours of (r, c)),   bits = -log2 p(image)

The distribution of one pixel is the model's head: `categorical` for grey images of few values, `mixture` for
colours and for many values, both networks in integers (`integers`); and `codes` for what are no pixels, the
codes of an autoencoder. What a head says is coded by `rans`. Values are counted from 0: those of int16 begin
at -32768, False and True are 0 and 1.

A model file says, besides the integers of its head, `head`, `types` (of images that it codes), `channels`,
`values`, the logarithms `tile` and `area` (`blocks`), and `probe`: the CRC-32 of what the head makes of
fixed neighbours. A machine whose arithmetic is not exact is refused by it, before it decodes anything.

Reference: A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, "Pixel recurrent neural networks", 2016,
https://arxiv.org/abs/1601.06759.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256
from typing import Any, Protocol

import numpy as np

from narrows.codec.blocks import Kind
from narrows.codec.categorical_blocks import CategoricalHead
from narrows.codec.codes import CodesHead
from narrows.codec.index import LARGEST_AREA, LARGEST_TILE, MOST_CHANNELS
from narrows.codec.mixture_blocks import MixtureHead
from narrows.codec.model_bytes import DAMAGED, from_bytes, to_bytes
from narrows.codec.model_checks import require_between
from narrows.codec.rans import Decoder, Encoder
from narrows.codec.wavefront import Size, Wavefront, wavefront
from narrows.errors import DataError, NarrowsError

MOST_LANES = 10  # logarithm
LEAST_TILE, LEAST_AREA = 4, 12  # logarithms
FIRST = {"int16": -32768}  # the value that counts as 0, if it is not 0
STORED_AS = {"bool": np.uint8, "uint8": np.uint8, "uint16": np.uint16, "int16": np.uint16}


class Head(Protocol):
    """The distribution of a pixel, for blocks.

    bits_a_lane: of a stream, at least; a lane takes about 48 of them, and more lanes less time.
    """

    radius: int
    bits_a_lane: int

    def encode(self, wave: Wavefront, flat: np.ndarray, encoder: Encoder) -> None:
        """Put the choices of all pixels of the flat array `(length, channels)`."""
        ...

    def decode(self, wave: Wavefront, flat: np.ndarray, decoder: Decoder) -> None:
        """Take them, and fill the flat array, which is zeros."""
        ...

    def probe(self) -> int:
        """CRC-32 of what it makes of fixed neighbours."""
        ...


HEADS: dict[str, type[Any]] = {
    "categorical": CategoricalHead,
    "mixture": MixtureHead,
    "codes": CodesHead,
}


class PixelModel:
    """A pixel model, ready to code.

    options, tensors: of its file; see the module. Raises `DataError` if they make no model.
    """

    def __init__(self, options: Mapping[str, Any], tensors: Mapping[str, np.ndarray]):
        self.options, self.tensors = dict(options), dict(tensors)
        with _as_damage():
            self.types = [str(name) for name in options["types"]]
            if not set(self.types) <= set(STORED_AS):
                raise ValueError(f"types {self.types}")
            self.channels = require_between("channels", options["channels"], 1, MOST_CHANNELS)
            self.values = require_between("values", options["values"], 1, 1 << 16)
            self.tile = require_between("tile", options["tile"], LEAST_TILE, LARGEST_TILE)
            self.area = require_between("area", options["area"], LEAST_AREA, LARGEST_AREA)
            self.head: Head = HEADS[options["head"]](self.tensors, self.options)

    def to_bytes(self) -> bytes:
        """Its file."""
        return self._bytes

    @cached_property
    def _bytes(self) -> bytes:
        return to_bytes({**self.options, "probe": self.head.probe()}, self.tensors)

    @cached_property
    def digest(self) -> bytes:
        """The SHA-256 of its file."""
        return sha256(self._bytes).digest()

    def knows(self, kind: Kind) -> bool:
        """Whether it is for images of this type and number of channels."""
        return kind.dtype in self.types and kind.channels == self.channels

    def fits(self, kind: Kind, tiles: Sequence[np.ndarray]) -> bool:
        """Whether it can code these tiles."""
        if not self.knows(kind):
            return False
        return max(int(tile.max(initial=0)) for tile in counted(tiles)) < self.values

    def encode(self, tiles: Sequence[np.ndarray]) -> tuple[bytes, int]:
        """Tiles `(rows, columns, channels)` as a stream, and the logarithm of its lanes."""
        wave = wavefront(tuple(tile.shape[:2] for tile in tiles), self.head.radius)
        encoder = Encoder()
        self.head.encode(wave, wave.lay_out(counted(tiles)), encoder)
        pixels_a_step = len(wave.places) / len(wave.steps())  # more lanes are of no use
        lanes = min(encoder.bits() / self.head.bits_a_lane, pixels_a_step)
        logarithm = min(int(max(1.0, lanes)).bit_length() - 1, MOST_LANES)
        return encoder.finish(1 << logarithm), logarithm

    def decode(
        self, stream: bytes, lanes: int, kind: Kind, sizes: Sequence[Size]
    ) -> list[np.ndarray]:
        """The tiles of a stream. Raises `DataError` if it is not one."""
        wave = wavefront(tuple(sizes), self.head.radius)
        flat = np.zeros((wave.length, self.channels), STORED_AS[kind.dtype])
        decoder = Decoder(stream, 1 << lanes)
        self.head.decode(wave, flat, decoder)
        decoder.finish()
        first = FIRST.get(kind.dtype, 0)
        return [
            (view + np.array(first, kind.dtype)).astype(kind.dtype) for view in wave.views(flat)
        ]


def counted(tiles: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    """Values of tiles of one type, counted from 0."""
    name = tiles[0].dtype.name
    stored, first = STORED_AS[name], FIRST.get(name, 0)
    if first:
        return [(tile.astype(np.int32) - first).astype(stored) for tile in tiles]
    return tiles if tiles[0].dtype == stored else [tile.astype(stored) for tile in tiles]


def read_model(data: bytes) -> PixelModel:
    """The model of a file. Raises `DataError` if it is not one, or if this machine's arithmetic is not that
    of the machine that wrote it.
    """
    options, tensors = from_bytes(data)
    probe = options.pop("probe", None)
    model = PixelModel(options, tensors)
    with _as_damage():
        given = model.head.probe()
    if given != probe:
        raise DataError(
            "this pixel model is damaged, or the arithmetic of this machine is not exact: its probe gives "
            "other numbers than where it was written"
        )
    return model


@contextmanager
def _as_damage() -> Iterator[None]:
    """What numbers that make no model raise, as `DataError`."""
    try:
        yield
    except NarrowsError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise DataError(f"{DAMAGED}: {error}") from error
