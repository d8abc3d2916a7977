"""PNG at its full depth: what Pillow drops of 16 bits a channel, and of what a file says of itself.

    IHDR    bits a sample (1, 2, 4, 8, 16) and the kind of colour
    tRNS    the one grey or colour that is transparent, in samples of the file's own depth
    sBIT    how many bits were significant before they were stored in more

Pillow keeps the high byte of colours of 16 bits. Its decoder puts bytes into place as a "raw mode"
says: read once as big-endian and once as little-endian, it gives the high bytes and the low bytes.
Grey and alpha of 16 bits have four bytes a pixel, as colour and alpha of 8 bits have, and are read
as that.

sBIT: a writer that follows the standard scales samples up to the full range, so that white is
65535; others store them as they are, and white is 2^sBIT - 1. Which of the two can be seen: scaled
samples repeat their high bits, or zeros, in the low ones.

Reference: W3C, "Portable Network Graphics (PNG) Specification", https://www.w3.org/TR/png-3/.
"""

import struct
import zlib
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image

from narrows.data.readers.pixels import Page, channels_of
from narrows.levels import Levels

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, COLOUR, PALETTE, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6
RAW_MODES = {COLOUR: "RGB;16", COLOUR_ALPHA: "RGBA;16"}
COLOURS = {1: GREY, 2: GREY_ALPHA, 3: COLOUR, 4: COLOUR_ALPHA}  # by the number of channels
HEADER_END = 33  # of signature and IHDR


class PngFacts(NamedTuple):
    """bits a sample, the kind of colour, the significant bits of the first sample (0: not said), and the
    transparent sample, one number or three; None if there is none.
    """

    bits: int
    colour: int
    significant: int = 0
    transparent: tuple[int, ...] | None = None


def png_facts(content: bytes) -> PngFacts:
    """What the chunks before the pixels say. Damaged ones are left to Pillow to refuse."""
    bits, colour = content[24], content[25]
    significant, transparent = 0, None
    place = HEADER_END
    while place + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        data = content[place + 8 : place + 8 + min(length, 32)]
        if kind == b"IDAT":
            break
        if kind == b"sBIT" and data:
            significant = data[0]
        if kind == b"tRNS" and colour in (GREY, COLOUR):
            count = len(data) // 2
            transparent = struct.unpack(f">{count}H", data[: 2 * count])
        place += 12 + length
    return PngFacts(bits, colour, significant, transparent)


def read_16_bits(content: bytes, colour: int) -> np.ndarray:
    """The samples, uint16 `(H, W)` or `(H, W, C)`, of a PNG of 16 bits."""
    if colour == GREY:
        return np.asarray(_loaded(content)).astype(np.uint16)
    if colour == GREY_ALPHA:
        pairs = np.asarray(_loaded(_as_8_bit_colour(content)))
        return _joined(pairs[..., 0::2], pairs[..., 1::2])
    high = _loaded(content, RAW_MODES[colour] + "B")
    low = _loaded(content, RAW_MODES[colour] + "L")
    return _joined(np.asarray(high), np.asarray(low))


def levels_by_significant_bits(pixels: np.ndarray, significant: int) -> Levels | None:
    """Black and white of 16-bit samples of which fewer bits are significant, if they are not scaled."""
    if not 0 < significant < 16:
        return None
    spare = 16 - significant
    kept = pixels >> spare
    zeros = kept << spare
    repeated = zeros | (zeros >> significant)
    is_scaled = np.array_equal(pixels, repeated) or np.array_equal(pixels, zeros)
    if is_scaled or int(pixels.max()) >> significant:
        return None
    return Levels(0, 2**significant - 1)


def with_transparency(pixels: np.ndarray, facts: PngFacts) -> np.ndarray:
    """Grey or colour with alpha: 0 where a pixel is the transparent sample, else white."""
    if facts.transparent is None:
        return pixels
    key = np.array(facts.transparent[: 1 if pixels.ndim == 2 else 3])
    if facts.bits < 8:  # they were scaled to 8
        key = key * 255 // (2**facts.bits - 1)
    colours = pixels if pixels.ndim == 3 else pixels[..., None]
    white = np.iinfo(pixels.dtype).max
    alpha = np.where((colours == key).all(axis=2, keepdims=True), 0, white).astype(pixels.dtype)
    return np.concatenate([colours, alpha], axis=2)


def _loaded(content: bytes, raw_mode: str = "") -> Image.Image:
    image = Image.open(BytesIO(content), formats=("PNG",))
    if raw_mode:
        image.tile = [tile._replace(args=raw_mode) for tile in image.tile]
    image.load()
    return image


def _joined(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    return (high.astype(np.uint16) << 8) | low


def _as_8_bit_colour(content: bytes) -> bytes:
    """The same bytes of pixels under a header that calls them colour and alpha of 8 bits."""
    header = b"IHDR" + content[16:24] + bytes((8, COLOUR_ALPHA)) + content[26:29]
    others = _without_transparency(content[HEADER_END:])
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + others


def _without_transparency(chunks: bytes) -> bytes:
    """No chunk that would be read by the depth of the header: sBIT and bKGD have two samples here."""
    kept, place = [], 0
    while place + 12 <= len(chunks):
        length, kind = struct.unpack_from(">I4s", chunks, place)
        end = place + 12 + length
        if kind in (b"IDAT", b"IEND"):
            kept.append(chunks[place:end])
        place = end
    return b"".join(kept)


def png_holds(levels: Levels | None) -> bool:
    """Whether a PNG of 16 bits can say black and white: they are those of the type, or 0 and 2^n - 1."""
    return levels is None or levels in [(0, 2**bits - 1) for bits in range(1, 17)]


def png_bytes(page: Page) -> bytes:
    """A PNG of uint16 `(H, W)` or `(H, W, C)`: Pillow writes none with several channels.

    White that is 2^n - 1 is written as n significant bits, for samples that are not scaled.
    """
    pixels = page.pixels
    channels = channels_of(pixels)
    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, COLOURS[channels], 0, 0, 0)
    chunks = [(b"IHDR", header)]
    if page.levels is not None and png_holds(page.levels):
        bits = int(page.levels.white).bit_length()
        chunks.append((b"sBIT", bytes([bits] * channels)))
    if page.profile is not None:
        chunks.append((b"iCCP", b"profile\0\0" + zlib.compress(page.profile)))
    chunks += [(b"IDAT", zlib.compress(_filtered(pixels), 6)), (b"IEND", b"")]
    return SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def _filtered(pixels: np.ndarray) -> bytes:
    """The rows, each behind its filter: "Sub", each byte minus that of the pixel before."""
    height, step = len(pixels), 2 * channels_of(pixels)
    samples = np.ascontiguousarray(pixels.reshape(height, -1), dtype=">u2")
    rows = samples.view(np.uint8).reshape(height, -1)
    filtered = np.ones((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 1 : 1 + step] = rows[:, :step]
    filtered[:, 1 + step :] = rows[:, step:] - rows[:, :-step]
    return filtered.tobytes()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
