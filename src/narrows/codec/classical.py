"""Codecs that are not learned, as tables: general compressors, image formats without loss and with loss.

    STREAMS     bytes → fewer bytes: all images of a set, one after another, as one stream
    LOSSLESS    an image → a file of it, from which exactly that image comes back
    LOSSY       an image and a quality → a file; a quality is a number that the format defines

A codec is the call of a library. Its text (`call`) and the function are made from the same options. The
libraries: Pillow, lzma and bz2, which are always there, and imagecodecs (the extras `bench` and `jxl`).

Files of an image spend bytes on a header. `header_bytes` is the size of the file of a constant image of
the same shape and quality, so that the size less that is what the pixels themselves took.

All codecs run in one thread, with the strongest setting that takes at most some seconds a megapixel.
"""

import bz2
import io
import lzma
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from narrows.codec.sprites import MOST_SIDE
from narrows.errors import extra
from narrows.reading import cause_of

JPEG_XL_SIDE = (
    2048  # above it libjxl codes parts one by one below effort 10, which takes up to 18 % more
)
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Codec:
    """encode: an array of uint8 → bytes. decode: these bytes and the array's shape → the array. call:
    the call of the library as text. side: the largest picture to give it, pixels.
    """

    call: str
    encode: Callable[[np.ndarray], bytes]
    decode: Callable[[bytes, Shape], np.ndarray]
    side: int = MOST_SIDE


def pillow(name: str, **options: Any) -> Codec:
    """A format that Pillow writes. Images `(H, W)` or `(H, W, 3)`."""

    def encode(image: np.ndarray) -> bytes:
        file = io.BytesIO()
        Image.fromarray(image).save(file, name, **options)
        return file.getvalue()

    def decode(data: bytes, shape: Shape) -> np.ndarray:
        mode = "L" if len(shape) == 2 else "RGB"
        return np.asarray(Image.open(io.BytesIO(data)).convert(mode))

    return Codec(_call("image.save", f"file, {name!r}", options), encode, decode)


def imagecodecs(name: str, **options: Any) -> Codec:
    """A format of imagecodecs. Images `(H, W)` or `(H, W, 3)`; for compressors any array."""

    def encode(image: np.ndarray) -> bytes:
        return bytes(getattr(_imagecodecs(), f"{name}_encode")(image, **options))

    def decode(data: bytes, shape: Shape) -> np.ndarray:
        decoded = getattr(_imagecodecs(), f"{name}_decode")(data)
        pixels = np.frombuffer(decoded, np.uint8) if isinstance(decoded, bytes) else decoded
        return pixels.reshape(shape)

    return Codec(_call(f"imagecodecs.{name}_encode", "image", options), encode, decode)


def standard(module: Any, **options: Any) -> Codec:
    """A compressor of Python's standard library, for any array."""

    def encode(images: np.ndarray) -> bytes:
        return module.compress(images.tobytes(), **options)

    def decode(data: bytes, shape: Shape) -> np.ndarray:
        return np.frombuffer(module.decompress(data), np.uint8).reshape(shape)

    return Codec(_call(f"{module.__name__}.compress", "images", options), encode, decode)


def _call(function: str, argument: str, options: Mapping[str, Any]) -> str:
    words = [argument, *(f"{name}={value!r}" for name, value in options.items())]
    return f"{function}({', '.join(words)})"


def _imagecodecs() -> Any:
    return extra("imagecodecs", "bench")


def _jpeg_xl(**options: Any) -> Codec:
    return imagecodecs("jpegxl", **options, numthreads=1)


STREAMS: dict[str, Codec] = {
    "brotli": imagecodecs("brotli", level=11, lgwin=24),
    "xz": replace(
        standard(lzma, preset=9 | lzma.PRESET_EXTREME),
        call="lzma.compress(images, preset=9 | lzma.PRESET_EXTREME)",
    ),
    "bz2": standard(bz2, compresslevel=9),
    "zstd": imagecodecs("zstd", level=22),
}
LOSSLESS: dict[str, Codec] = {
    "png": pillow("PNG", optimize=True),
    "webp": pillow("WEBP", lossless=True, quality=100, method=6),
    "jpeg-xl-7": replace(_jpeg_xl(effort=7, lossless=True), side=JPEG_XL_SIDE),
    "jpeg-xl-9": replace(_jpeg_xl(effort=9, lossless=True), side=JPEG_XL_SIDE),
    "jpeg-xl-10": _jpeg_xl(effort=10, lossless=True),
    "jpeg-ls": imagecodecs("jpegls"),
    "jpeg-2000": imagecodecs("jpeg2k", reversible=True, codecformat="j2k", numthreads=1),
    "avif": imagecodecs("avif", level=100, speed=6, numthreads=1),
}


@dataclass(frozen=True)
class Ladder:
    """A codec with loss: `at(quality)`, and the qualities at which it is measured, the lowest first."""

    at: Callable[[float], Codec]
    qualities: tuple[float, ...]


def _webp(quality: float) -> Codec:
    return pillow("WEBP", quality=quality, method=6)


def _jpeg(quality: float) -> Codec:
    return pillow("JPEG", quality=quality, optimize=True)


def _avif(quality: float) -> Codec:
    # imagecodecs ignores the quality of grey images
    return pillow("AVIF", quality=quality, speed=6, max_threads=1)


def _lossy_jpeg_xl(distance: float) -> Codec:
    return _jpeg_xl(effort=7, distance=distance)


LOSSY: dict[str, Ladder] = {
    "jpeg": Ladder(_jpeg, (1, 5, 10, 20, 30, 50, 70, 85)),
    "webp": Ladder(_webp, (0, 10, 20, 30, 50, 70, 85)),
    "avif": Ladder(_avif, (0, 10, 30, 50, 70, 85)),
    "jpeg-xl": Ladder(_lossy_jpeg_xl, (25, 15, 10, 6, 4, 2, 1)),
}


def lossy(name: str, quality: float) -> Codec:
    """The codec of `LOSSY` at a quality."""
    return LOSSY[name].at(quality)


def header_bytes(codec: Codec, shapes: Iterable[Shape]) -> int:
    """The bytes that files of constant images of these shapes take."""
    size = lru_cache(None)(lambda shape: len(codec.encode(np.zeros(shape, np.uint8))))
    return sum(size(tuple(shape)) for shape in shapes)


def why_missing(codec: Codec) -> str:
    """Why a codec cannot be used here, as a sentence; "" if it can be."""
    image = np.zeros((8, 8), np.uint8)
    try:
        codec.decode(codec.encode(image), image.shape)
    except Exception as error:  # a library that was built without a format may raise anything
        return cause_of(error)
    return ""
