"""One picture, or the pages of a stack, into a file of the format of its name, as deep as that holds.

    .tif                    uint8, uint16, int16, float32; stacks (`tiff_writer`)
    .png                    uint8, uint16; floats in [0, 1] as 16 bits
    .pgm, .ppm, .pfm        uint8, uint16; floats
    .bmp                    uint8, with alpha too
    .gif, .webp             uint8; stacks as animations
    all others              uint8, as Pillow writes them: JPEG at a quality of 95, WebP without loss

What a format cannot hold is brought to what it can, and the words that say so are returned: 16 bits
become 8, alpha is laid over white, signed numbers from black to white. Black and white that are not
those of the type are written by TIFF, by PNG if they are 0 and 2^n - 1 of 16 bits, by PGM and PPM if
black is 0; else the values are spread from black to white.
"""

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from narrows.data.readers.netpbm import netpbm_bytes
from narrows.data.readers.pixels import Page, channels_of, with_channels
from narrows.data.readers.png import png_bytes, png_holds
from narrows.data.tiff_writer import tiff_bytes
from narrows.errors import OutputError
from narrows.files import write_file
from narrows.levels import LEVELS, from_unit_values, unit_values
from narrows.reading import shortage_of

OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True},
}
CHANNELS = {
    "JPEG": (1, 3),
    "PPM": (1, 3),
    "QOI": (3, 4),
    "WEBP": (3, 4),
    "GIF": (1, 3, 4),
    "AVIF": (1, 3, 4),
}
RESTORED_MODES = ("CMYK", "YCbCr", "LAB", "HSV")  # read as RGB, and written back in the file's mode
RESTORED_BY = ("JPEG", "TIFF")
STACKED_BY = ("GIF", "WEBP", "PNG")
MOST_OF_NETPBM = 65535
OTHER_ENDING = ".tif"  # behind a name in whose format nothing is written


def can_save(path: Path) -> bool:
    """Whether pictures are written in the format of the name."""
    return _format_of(path) in Image.SAVE


def _format_of(path: Path) -> str:
    """The format of a name, as Pillow calls it."""
    return Image.registered_extensions().get(path.suffix.lower(), "")


def save_pages(pages: Sequence[Page], path: Path) -> str:
    """Write the picture, or the pages of a stack. Returns what was changed, in words, or "".

    Raises `OutputError`.
    """
    if not can_save(path):
        other = path.with_name(path.name + OTHER_ENDING)
        words = f"written as {other.name}, since nothing here writes {path.suffix}"
        return "; ".join(filter(None, (words, save_pages(pages, other))))
    content, words = encode_pages(pages, path)
    write_file(path, content)
    return words


def encode_pages(pages: Sequence[Page], path: Path) -> tuple[bytes, str]:
    """The bytes of a file of that name, and what was changed, as `save_pages`. Raises `OutputError`."""
    name = _format_of(path)
    write = WRITERS.get(name, _by_pillow)
    pages = [_plain_levels(page) for page in pages]
    try:
        return write(pages, name)
    except (OSError, ValueError, TypeError) as error:
        if (shortage := shortage_of(error)) is not None:
            raise shortage from error
        raise OutputError(
            f"{path} cannot be written: {error}; .png and .tif take any image"
        ) from error


# -- formats, in the order of the module ----------------------------------------------------------


def _as_tiff(pages: Sequence[Page], name: str) -> tuple[bytes, str]:
    if pages[0].mode in RESTORED_MODES and pages[0].pixels.dtype == np.uint8:
        return _by_pillow(pages, name)
    return tiff_bytes(pages), ""


def _as_png(pages: Sequence[Page], name: str) -> tuple[bytes, str]:
    page = pages[0]
    if page.pixels.dtype == np.uint8:
        return _by_pillow(pages, name)
    if len(pages) > 1:
        return _by_pillow(pages, name)
    if page.pixels.dtype == np.uint16 and png_holds(page.levels):
        return png_bytes(page), ""
    made, words = _in_full(page, "uint16")
    is_unit = page.pixels.dtype.kind == "f" and page.levels is None
    return png_bytes(made), "" if is_unit else words


def _as_netpbm(pages: Sequence[Page], name: str) -> tuple[bytes, str]:
    page, words = _holdable(pages[0], CHANNELS["PPM"])
    more = ""
    if page.pixels.dtype == np.int16:
        page, more = _as_8_bits(page)
    elif not _netpbm_holds(page):
        page, more = _in_full(page, page.pixels.dtype.name)
    return netpbm_bytes(page), "; ".join(filter(None, (words, more)))


def _netpbm_holds(page: Page) -> bool:
    """Whether black and white of a page are those of its type, or 0 and an integer that no value
    exceeds.
    """
    if page.levels is None:
        return True
    black, white = page.levels
    if page.pixels.dtype.kind == "f" or black:
        return False
    return float(white).is_integer() and int(page.pixels.max()) <= white <= MOST_OF_NETPBM


def _as_bmp(pages: Sequence[Page], name: str) -> tuple[bytes, str]:
    page, words = _as_8_bits(pages[0])
    channels = channels_of(page.pixels)
    if channels in (1, 3):
        return _by_pillow([page], name)[0], words
    return bmp_with_alpha(with_channels(page.pixels, 4)), words


def _by_pillow(pages: Sequence[Page], name: str) -> tuple[bytes, str]:
    """What Pillow writes of 8 bits."""
    from io import BytesIO

    made = [_holdable(_as_8_bits(page)[0], CHANNELS.get(name, (1, 2, 3, 4))) for page in pages]
    words = "; ".join(dict.fromkeys([_as_8_bits(pages[0])[1], *(text for _, text in made)]))
    images = [_in_mode(page, name) for page, _ in made]
    options = dict(OPTIONS.get(name, {}))
    if pages[0].profile is not None:
        options["icc_profile"] = pages[0].profile
    if len(images) > 1:
        if name not in STACKED_BY:
            words = f"only the first of {len(images)} pages: {name} holds no stack; {words}"
        else:
            options |= {"save_all": True, "append_images": images[1:]}
    out = BytesIO()
    images[0].save(out, name, **options)
    return out.getvalue(), words.strip("; ")


def _in_mode(page: Page, name: str) -> Image.Image:
    """The page as an image, in its file's mode if it was read as RGB."""
    image = Image.fromarray(page.pixels)
    is_restored = page.mode in RESTORED_MODES and name in RESTORED_BY
    return image.convert(page.mode) if is_restored and image.mode == "RGB" else image


def _as_8_bits(page: Page) -> tuple[Page, str]:
    """The page in 8 bits, and what was changed."""
    if page.pixels.dtype == np.uint8 and page.levels is None:
        return page, ""
    made, words = _in_full(page, "uint8")
    if page.levels is None:
        words = f"{page.pixels.dtype} became 8 bits, which is what its format holds"
    return made, words


def _in_full(page: Page, dtype: str) -> tuple[Page, str]:
    """The page from black to white in a type, and what was changed."""
    pixels = from_unit_values(unit_values(page.pixels, page.levels), np.dtype(dtype))
    black, white = page.levels or LEVELS[page.pixels.dtype.name]
    words = f"{page.pixels.dtype} of {black:g} to {white:g} became {dtype} from black to white"
    return page._replace(pixels=pixels, levels=None), words


def _plain_levels(page: Page) -> Page:
    """The page, with None for levels that are those of its type."""
    return page._replace(levels=None) if page.levels == LEVELS[page.pixels.dtype.name] else page


def _holdable(page: Page, channels: Sequence[int]) -> tuple[Page, str]:
    """The page with channels that a format holds, and what was changed."""
    own = channels_of(page.pixels)
    if own in channels:
        return page, ""
    more = [count for count in channels if count > own and (own in (1, 3) or count in (2, 4))]
    wanted = min(more) if more else max(count for count in channels if count < own or count == 3)
    if own == 2 and not more:
        wanted = 1
    words = "" if more else "its alpha was laid over white, since its format holds none"
    return page._replace(pixels=with_channels(page.pixels, wanted, page.levels)), words


def bmp_with_alpha(pixels: np.ndarray) -> bytes:
    """A BMP of 32 bits with a mask for each channel, which is how a reader finds the alpha.

    Reference: Microsoft, "BITMAPV4HEADER structure",
    https://learn.microsoft.com/windows/win32/api/wingdi/ns-wingdi-bitmapv4header.
    """
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels[::-1, :, [2, 1, 0, 3]])  # from the bottom; blue first
    header = struct.pack(
        "<IiiHHIIiiII", 108, width, height, 1, 32, 3, rows.nbytes, 2835, 2835, 0, 0
    )
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header += masks + b"BGRs" + bytes(48)
    start = 14 + len(header)
    return b"BM" + struct.pack("<IHHI", start + rows.nbytes, 0, 0, start) + header + rows.tobytes()


WRITERS: dict[str, Callable[[Sequence[Page], str], tuple[bytes, str]]] = {
    "TIFF": _as_tiff,
    "PNG": _as_png,
    "PPM": _as_netpbm,
    "BMP": _as_bmp,
}
